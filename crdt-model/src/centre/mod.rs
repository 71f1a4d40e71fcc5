//! What the centre reads out of everybody's records (art. 8, 10, 11, 13, 18): the daily summary, analysis,
//! what needs supervision, assessment. All of it is derived, nothing is typed a second time, and no number
//! stands for a worker: units are assessed, on outcomes.

pub mod analysis;
pub mod assessment;
mod fact;
pub mod summary;
pub mod supervision;

pub use fact::CaseFact;
