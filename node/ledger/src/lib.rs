//! Excel ledgers: reading with all their flaws, writing what an office hands upward.
