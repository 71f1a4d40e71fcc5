//! Tracing logs: English, on standard error.

use std::io::IsTerminal;

/// Starts logging; `RUST_LOG` overrides `default`. Does nothing if logging has been started.
pub fn start(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written (standard error is closed, its disk is full) is lost: to complain
        // about it on standard error would end the thread that does the work.
        .log_internal_errors(false)
        .try_init();
}
