//! A Wangge replica on a machine: durable store, QUIC, local API, command line.

pub mod cli;
pub mod command;
pub mod control;
pub mod log;
pub mod memory;
pub mod net;
pub mod replica;
pub mod text;

/// Keeps what is in memory, residents' data and keys, out of core dumps: those of the kernel and those that a
/// handler would take.
pub fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be limited");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
}

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
