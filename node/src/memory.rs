//! The programs' allocator, and how soon it gives back what is freed.

/// For `#[global_allocator]`. It uses no huge pages (feature `no_thp`): sled reserves tens of megabytes that it
/// never touches, and huge pages would make them real.
pub use mimalloc::MiMalloc;

/// How long freed pages are kept, in milliseconds. By default a second: what a first sync freed would still be
/// held when it ends.
const KEPT_MS: std::ffi::c_long = 10;

/// `mi_option_purge_delay` of mimalloc 3, for which the crate has no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Lets the allocator give back soon what is freed. For the beginning of a program that uses it.
pub fn give_back_soon() {
    // SAFETY: sets an integer option, any time and from any thread; unknown options are ignored.
    #[allow(unsafe_code, reason = "the allocator has no other way to set an option")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT_MS);
    }
}
