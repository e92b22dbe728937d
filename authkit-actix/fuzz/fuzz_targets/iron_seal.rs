#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| authkit_actix::__fuzz::iron_seal(bytes));
