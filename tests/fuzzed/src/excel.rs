//! Ledgers from whoever sent them.

use std::io::Write;

/// A file that should be a workbook, read as both kinds of ledger.
///
/// A panic of the reader underneath counts as damage, and its message is kept off the screen: that promise is
/// the ledger's.
///
/// # Panics
/// If a temporary file cannot be written.
pub fn excel(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("writes");
    if let Ok(ledger) = wangge_ledger::read_residents(file.path()) {
        drop(ledger);
    }
    if let Ok(ledger) = wangge_ledger::read_places(file.path()) {
        drop(ledger);
    }
}
