//! Checks of identifiers that residents and places carry.
