//! Excel ledgers: reading with all their flaws, writing what an office hands upward.
//!
//! A ledger (台账) comes from whoever typed it: titles above the headings, totals below the
//! rows, numbers stored as text and text stored as numbers. Reading accepts each row that says
//! who or what it is about, refuses each row that contradicts itself, and names row, finding
//! and remedy for whatever it did not take as it stood. What is refused decides nothing about
//! the rest: a flawed row never stops a ledger.
//!
//! Code map: `workbook` opens files safely and yields rows of cells, `archive` bounds what a
//! zip file may unpack to, `headings` finds the columns, `row` reads cells as fields,
//! `residents` and `places` are the two kinds of ledger, `table` writes, `sample` invents
//! ledgers for demonstrations and tests.

mod archive;
mod error;
mod headings;
mod ledger;
mod places;
mod residents;
mod row;
pub mod sample;
mod table;
mod workbook;

pub use error::LedgerError;
pub use headings::HEADING_ROW_MAX;
pub use ledger::{Ledger, LedgerKind, ROWS_MAX, Refusal, Warning};
pub use places::{PlaceRow, place_table, read_places};
pub use residents::{ResidentKind, ResidentRow, read_residents, resident_table};
pub use row::TEXT_CHARS_MAX;
pub use table::{Column, ColumnKind, TABLE_ROWS_MAX, Table, write_table};
pub use workbook::{CELLS_MAX, FILE_BYTES_MAX, UNPACKED_BYTES_MAX};
