//! `wangge-deploy demo`: a street's working day on one machine, with real processes and a bad network.

mod child;
mod demo;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "wangge-deploy", version, about = "网格:演示 / Wangge: the demonstration")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 在本机演示一个街道的工作日 / Plays a street's working day on this machine
    Demo(demo::Options),
}

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_else(|| OsString::from("wangge-deploy"));
    let rest: Vec<OsString> = args.collect();
    // The programs of the street are this same file, so that the demonstration needs no other build.
    if let Some(role) = rest.first().and_then(|first| child::Role::of(first)) {
        return child::run(role, rest.into_iter().skip(1));
    }
    let Command::Demo(options) = Cli::parse_from(std::iter::once(program).chain(rest)).command;
    demo::main(&options)
}
