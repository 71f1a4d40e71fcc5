//! `wangge-relay`: founding a street, inviting workers, serving replicas.

fn main() -> std::process::ExitCode {
    wangge_relay::cli::main(std::env::args_os())
}
