//! The relay at the street centre: the replica that everyone meets. It is a node that listens and
//! decides: store, sessions and transport are the node's.

pub mod backup;
pub mod cli;
mod control;
mod decide;
mod divisions;
mod founding;
mod gate;
mod moves;
mod quarantine;
mod recovery;
mod roster;
mod sealed;
mod serve;
mod upkeep;
mod witness;

pub use decide::decide_now;
pub use divisions::{Division, DivisionsError, read_divisions};
pub use founding::{Founding, found, found_on};
pub use roster::{Due, Invite, RelayError, Roster};
pub use serve::{ServeOptions, serve, serve_on};
