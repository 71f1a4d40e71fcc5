//! The program `wangge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wangge_node::cli::main(std::env::args_os())
}
