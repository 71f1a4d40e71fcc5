#![no_main]

use std::sync::Once;

static QUIET: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // libFuzzer's hook ends the process at once, also where the ledger catches what its reader panics with.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    wangge_fuzzed::excel(bytes);
});
