//! Wangge as its users meet it: stories, crashes, hostile peers, bad links. The vocabulary that the
//! tests share.

pub mod automerge_changes;
pub mod hostile;
pub mod kills;
pub mod power;
pub mod process;
#[cfg(feature = "planted")]
pub mod prove;
pub mod sim;
pub mod street;
