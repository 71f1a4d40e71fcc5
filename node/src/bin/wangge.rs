//! The program `wangge`.

use std::process::ExitCode;

/// Gives back to the system what a first sync has freed.
#[global_allocator]
static ALLOCATOR: wangge_node::memory::MiMalloc = wangge_node::memory::MiMalloc;

fn main() -> ExitCode {
    wangge_node::memory::give_back_soon();
    wangge_node::cli::main(std::env::args_os())
}
