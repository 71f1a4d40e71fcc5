//! The program `wangge`.

use std::process::ExitCode;

/// glibc keeps what a first sync has freed, several times what remains; this gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wangge_node::cli::main(std::env::args_os())
}
