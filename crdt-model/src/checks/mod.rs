//! Checks of what residents' and places' records carry: identifiers, dates, coordinates, names.
//!
//! Every check is a pure function of the text it is given: no clock, no tables, no I/O. Each
//! file owns one standard and its error; [`messages`] turns any of them into a [`CheckError`],
//! the one form that screens, ledgers and logs show.

pub mod coordinates;
pub mod credit_code;
pub mod date;
pub mod id_number;
pub mod messages;
pub mod phone;
pub mod sex;
pub mod text;

pub use coordinates::Coordinates;
pub use credit_code::CreditCode;
pub use date::Date;
pub use id_number::IdNumber;
pub use messages::CheckError;
pub use phone::Phone;
pub use sex::Sex;
