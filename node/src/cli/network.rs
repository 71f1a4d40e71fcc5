//! Commands that need the network, on a runtime of their own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use wangge_model::schema::Kind;

use crate::command::{self, Answer, CommandError, Progress, SyncArgs, joined_answer};
use crate::control::Control;
use crate::net::{self, NetError, RunOptions};
use crate::replica::vault::{Access, Pin, PinCost};
use crate::replica::{Machine, Replica};
use crate::text::Message;

fn runtime() -> Result<Runtime, CommandError> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| {
        let message = Message::Internal.ahead_of(&error);
        CommandError { message, ..CommandError::failed("runtime", &Message::Internal) }
    })
}

fn machine(access: Access) -> Machine {
    Machine { access, ..Machine::default() }
}

/// Joins a street.
pub(super) fn join(dir: &Path, line: &str, access: Access) -> Result<Answer, CommandError> {
    let has_pin = access.pin.is_some();
    Ok(joined_answer(&runtime()?.block_on(net::join_on(&machine(access), dir, line))?, has_pin))
}

/// Joins on a device that has a PIN: one with a worker already is shared from then on.
pub(super) fn join_beside(
    dir: &Path,
    line: &str,
    access: Access,
    new_pin: impl FnOnce() -> Result<String, CommandError>,
) -> Result<Answer, CommandError> {
    let machine = machine(access);
    let replica = Arc::new(Replica::open(dir, machine.clone())?);
    if replica.profile().grant().is_none() {
        drop(replica);
        return Ok(joined_answer(&runtime()?.block_on(net::join_on(&machine, dir, line))?, true));
    }
    let pin = Pin::new(&new_pin()?).map_err(|error| CommandError::from(&error))?;
    let answer = runtime()?.block_on(net::share(&replica, line, &pin, PinCost::default()))?;
    Ok(joined_answer(&answer, true))
}

/// One session, without a daemon.
pub(super) fn sync(
    replica: &Arc<Replica>,
    args: &SyncArgs,
    progress: &dyn Progress,
) -> Result<Answer, CommandError> {
    runtime()?.block_on(command::sync(replica, args, progress))
}

/// The daemon, until it is told to stop.
pub(super) fn run(
    dir: &Path,
    listen: Option<SocketAddr>,
    idle_lock: Option<Duration>,
    access: Access,
) -> Result<Answer, CommandError> {
    runtime()?.block_on(async {
        let stop = crate::stop_signal().map_err(NetError::Control)?;
        net::run(
            dir,
            machine(access),
            RunOptions { listen, ..RunOptions::default() },
            stop,
            async |replica, mut stopped| {
                let control = Control::bind(dir).map_err(NetError::Control)?;
                if replica.profile().enrolment().is_some_and(|enrolment| enrolment.role.is_centre()) {
                    // A register of the whole street takes a second to read: before anybody asks.
                    let (replica, stopped) = (Arc::clone(&replica), stopped.clone());
                    tokio::task::spawn_blocking(move || {
                        for kind in [Kind::PERSON, Kind::PLACE] {
                            if let Err(error) = replica.warm_search(kind, || !*stopped.borrow()) {
                                tracing::warn!(%error, "the search is not ready");
                            }
                        }
                    });
                }
                // Whoever started it may read no further: that ends no daemon.
                let _ = writeln!(
                    std::io::stderr(),
                    "{}",
                    Message::Running { dir: &dir.display().to_string() }.both()
                );
                // An error means that whoever could stop it is gone: stop.
                let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
                command::serve(replica, control, idle_lock, stop).await;
                Ok(())
            },
        )
        .await
    })?;
    Ok(Answer { json: serde_json::Value::Null, text: String::new() })
}
