//! The relay at the street centre: the replica that everyone meets.
