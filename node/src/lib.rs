//! A Wangge replica on a machine: durable store, QUIC, local API, command line.

pub mod cli;
pub mod command;
pub mod control;
pub mod log;
pub mod net;
pub mod replica;
pub mod text;

/// Resolves on SIGTERM or Ctrl-C.
///
/// # Errors
/// If signals cannot be listened for.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
