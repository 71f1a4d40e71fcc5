//! Grid work and the centre's records: one implementation for all, driven by a table.
//!
//! A record is a document whose fields its maker writes once, and a history of events. What state it is
//! in is never stored: [`fold`] reads it from the events, alike on every replica. What may be written is
//! checked by [`draft`] against that state, by the same rules. Who may write what stands in
//! [`crate::schema`]; admission reads it there as well.

pub mod checklist;
pub mod codes;
pub mod copy;
pub mod day;
pub mod draft;
mod error;
pub mod fold;
mod spec;
mod table;

pub use error::{Deed, Term, WorkError};
pub use fold::{Record, Told, Void};
pub use spec::{Home, Input, Outcome, RecordSpec, Rule, State, To, Verb, Who};
pub use table::{of_kind, of_word, records};
