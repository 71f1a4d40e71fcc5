//! This program in the part of `wangge-relay` or of `wangge`.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::process::ExitCode;

/// Set for children of the demonstration: they end when their standard input does, so none outlives a
/// parent that was killed.
pub(crate) const LEASH: &str = "WANGGE_DEMO_LEASH";

/// Which program to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// `wangge-relay`.
    Relay,
    /// `wangge`.
    Node,
}

impl Role {
    /// The first argument that asks for this role.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Relay => "as-relay",
            Self::Node => "as-node",
        }
    }

    /// The name of the program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Relay => "wangge-relay",
            Self::Node => "wangge",
        }
    }

    /// The role that a first argument asks for.
    pub(crate) fn of(argument: &OsStr) -> Option<Self> {
        [Self::Relay, Self::Node].into_iter().find(|role| argument == role.argument())
    }
}

/// Is that program.
pub(crate) fn run(role: Role, args: impl Iterator<Item = OsString>) -> ExitCode {
    if std::env::var_os(LEASH).is_some() {
        std::thread::spawn(|| {
            let mut stdin = std::io::stdin().lock();
            let mut nothing = [0; 64];
            while matches!(stdin.read(&mut nothing), Ok(1..)) {}
            std::process::exit(1);
        });
    }
    let args = std::iter::once(OsString::from(role.program())).chain(args);
    match role {
        Role::Relay => wangge_relay::cli::main(args),
        Role::Node => wangge_node::cli::main(args),
    }
}
