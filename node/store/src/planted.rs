//! A bug that is planted to see whether tests find it. Only a build with the feature `planted` has it.

#[cfg(feature = "planted")]
static LOSES_TAIL: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether the last write of what the journal holds is lost when it moves to sled: for all stores.
#[cfg(feature = "planted")]
pub fn lose_tail(loses: bool) {
    LOSES_TAIL.store(loses, std::sync::atomic::Ordering::SeqCst);
}

/// Whether that bug is planted.
#[cfg(feature = "planted")]
pub(crate) fn loses_tail() -> bool {
    LOSES_TAIL.load(std::sync::atomic::Ordering::SeqCst)
}

/// Whether that bug is planted: never.
#[cfg(not(feature = "planted"))]
pub(crate) const fn loses_tail() -> bool {
    false
}
