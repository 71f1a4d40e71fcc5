#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wangge_fuzzed::payload(bytes));
