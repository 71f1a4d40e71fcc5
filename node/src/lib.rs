//! A Wangge replica on a machine: store, QUIC, local API, command line.
