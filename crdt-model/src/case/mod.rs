//! Cases (事件): who may do what in which state, what a history comes to, and what becomes of events that
//! were written side by side.
//!
//! A case's state is never stored. [`fold`] makes it out of the events of its history; [`check`] tells
//! before a command is written whether it would count. Both ask `table` for the state and the schema for the posts,
//! as admission does.

mod check;
mod course;
mod event;
mod fold;
mod merge;
mod number;
mod order;
mod rules;
mod state;
mod steps;
mod table;

pub use check::{Refusal, check};
pub use course::{Ask, Assignee, Effect, Why};
pub use event::{EventKind, Target, Told, Unreadable, Via};
pub use fold::{CaseEvent, CaseView, EVENTS_MAX, Flag, OFFLINE_MS_MIN, SKEW_MS_MAX, Void, fold};
pub use number::official_number;
pub use order::{Crossing, CrossingTarget, Order, OrderEvent, OrderState, crossings, order_id};
pub use rules::{Category, Deadline, Extension, Merging, Rulebook, Rules, RulesError, SHIPPED_NAME};
pub use state::{Actor, Site, State, Tier};
pub use steps::{Step, steps};
pub use table::{Row, TABLE, Who, awaits, posts, row_of};
