//! Both programs in one, so that tests of this package can start them as processes:
//! `under-test wangge …` and `under-test wangge-relay …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    wangge_tests::process::as_program(std::env::args_os().skip(1)).unwrap_or_else(|| {
        eprintln!("usage: under-test wangge|wangge-relay ARGS");
        ExitCode::from(2)
    })
}
