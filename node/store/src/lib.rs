//! The durable store of a replica: sled with group commit and real fsync.
