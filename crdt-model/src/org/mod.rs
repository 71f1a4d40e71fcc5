//! The organisation (art. 3-7, 14-17, 20, 23): boundaries of units, and whether a grid has whom it needs.

pub mod boundary;
pub mod split;
pub mod staffing;
