//! The program `wangge`.

use std::process::ExitCode;

/// glibc keeps what a first sync has freed, several times what remains; this gives it back.
#[global_allocator]
static ALLOCATOR: wangge_node::memory::MiMalloc = wangge_node::memory::MiMalloc;

fn main() -> ExitCode {
    wangge_node::memory::give_back_soon();
    wangge_node::cli::main(std::env::args_os())
}
