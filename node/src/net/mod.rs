//! Replicas meeting over QUIC: dialling, listening, driving sessions, the daemon.

mod daemon;
mod door;
mod drive;
mod endpoint;
mod exchange;
mod join;
mod listen;
mod photos;
mod share;
mod sync;
mod tls;
mod wholeness;

use std::net::SocketAddr;

use wangge_model::identity::ReplicaId;
use wangge_model::session::SessionError;

use crate::replica::ReplicaError;

pub use daemon::{RunOptions, run};
pub use door::Limits;
pub use drive::Ended;
use drive::blocking;
pub use endpoint::{Dialler, Line, listen, peer_of};
pub use exchange::{Exchange, Purpose, farewell};
pub(crate) use join::without_pin;
pub use join::{Joined, Joining, join, join_on};
pub use listen::{Gate, Listener, NeighbourGate, record_refusal};
pub use share::share;
pub use sync::{NO_POST, SyncOptions, SyncReport, sync, sync_with};
pub use wholeness::{EXAMINE_EVERY, keep_whole};

/// What goes wrong between replicas. Chinese first, for those who meet it in the field.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// No socket.
    #[error("无法使用网络地址 {addr}:{source}\ncannot use address {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody answers.
    #[error(
        "连不上 {address}({reason})。已保存的内容不受影响,联网后会继续\n\
         cannot reach {address} ({reason}); what was saved is safe and goes on when there is a network"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// Somebody else answers.
    #[error(
        "{address} 不是本街道的社管中心(密钥不符),已停止连接\n\
         {address} does not hold the key of this street's centre ({pinned}): not connected"
    )]
    WrongPeer {
        /// Where.
        address: String,
        /// Who was expected.
        pinned: ReplicaId,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// This side.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The other side broke the protocol or refused.
    #[error("同步中断:{0}\nthe session ended: {0}")]
    Session(#[from] SessionError),
    /// The link broke.
    #[error(
        "网络中断({reason})。已收到和已保存的都在,再次同步会接着传\nthe link broke ({reason}); what has arrived is kept and the next sync goes on from there"
    )]
    Broken {
        /// How.
        reason: String,
    },
    /// Time is up.
    #[error(
        "{seconds} 秒内没有同步完。已传的都保留,再次同步会接着传\nnot in sync after {seconds} s; what has arrived is kept and the next sync goes on from there"
    )]
    TimedOut {
        /// After how long.
        seconds: u64,
    },
    /// The invitation.
    #[error("邀请码不能用:{zh}\nthe invitation cannot be used: {en}")]
    Invitation {
        /// Why, in Chinese.
        zh: String,
        /// Why, in English.
        en: String,
    },
    /// A transaction that breaks the rules.
    #[error("对方发来的内容不合规则,已拒收:{0}\nthe peer sent what breaks the rules: {0}")]
    Rules(String),
    /// Changes were left out, and the order of erasure that says why is not here: it may be on a part of a disk that
    /// is damaged.
    #[error(
        "{peer} 未带来部分更改,本机也没有相应的销毁令,暂不接收。与社管中心同步、必要时运行 doctor 修复后会继续\n\
         not taken from {peer}: {reason}; it goes on after a sync with the centre, or once doctor has mended a disk"
    )]
    Unexplained {
        /// Who left them out.
        peer: ReplicaId,
        /// What is left out.
        reason: String,
    },
    /// The control socket.
    #[error("本地控制接口出错:{0}\nthe control socket: {0}")]
    Control(std::io::Error),
}

impl NetError {
    /// The English half of the message, for logs.
    pub fn in_english(&self) -> String {
        self.to_string().lines().last().unwrap_or_default().to_owned()
    }

    fn connecting(address: &str, pinned: Option<ReplicaId>, error: &quinn::ConnectionError) -> Self {
        if let (quinn::ConnectionError::TransportError(transport), Some(pinned)) = (error, pinned) {
            // CRYPTO_ERROR + the TLS alert of a certificate that was not accepted (RFC 9001, 4.8).
            let code = u64::from(transport.code);
            if (0x100..0x200).contains(&code) && transport.reason.contains("certificate") {
                return Self::WrongPeer { address: address.to_owned(), pinned };
            }
        }
        Self::Unreachable { address: address.to_owned(), reason: error.to_string() }
    }
}
