//! A bad network in user space: a seeded UDP proxy that delays, loses, throttles and cuts.
