//! Cases: who may do what, what side-by-side events come to, and when something is due.

mod deadlines;
mod desk;
mod histories;
mod merging;
mod orders;
mod table;
