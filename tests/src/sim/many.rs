//! Many runs on all processors, told in the order of their seeds.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Nothing that is simulated takes so long: then threads wait for each other and no run ends any more.
const STUCK_AFTER: Duration = Duration::from_secs(300);

/// Does `work` for each number on all processors, and hands over what comes of it in the order of the numbers,
/// until `take` breaks off.
///
/// # Errors
/// The first number that has not ended when none did for five minutes; its thread stays behind, so that the program
/// had better end.
pub fn in_order<T: Send + 'static>(
    numbers: Range<u64>,
    work: impl Fn(u64) -> T + Send + Sync + 'static,
    mut take: impl FnMut(u64, T) -> ControlFlow<()>,
) -> Result<(), u64> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, ended) = (AtomicU64::new(numbers.start), AtomicBool::new(false));
    let shared = std::sync::Arc::new((work, next, ended));
    let (tell, told) = channel();
    for _ in 0..jobs {
        let (shared, tell) = (shared.clone(), tell.clone());
        std::thread::spawn(move || {
            let (work, next, ended) = &*shared;
            while !ended.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end || tell.send((number, work(number))).is_err() {
                    break;
                }
            }
        });
    }
    drop(tell);
    let mut early = BTreeMap::new();
    for number in numbers {
        let result = loop {
            if let Some(result) = early.remove(&number) {
                break result;
            }
            match told.recv_timeout(STUCK_AFTER) {
                Ok((came, result)) => drop(early.insert(came, result)),
                // A thread that panicked took its number with it.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(number),
            }
        };
        if take(number, result).is_break() {
            break;
        }
    }
    shared.2.store(true, Ordering::Relaxed);
    Ok(())
}
