//! Both programs in one, so that tests of this package can start them as processes:
//! `under-test wangge …` and `under-test wangge-relay …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|name| name.to_str()) {
        Some("wangge") => wangge_node::cli::main(args),
        Some("wangge-relay") => wangge_relay::cli::main(args),
        _ => {
            eprintln!("usage: under-test wangge|wangge-relay ARGS");
            ExitCode::from(2)
        }
    }
}
