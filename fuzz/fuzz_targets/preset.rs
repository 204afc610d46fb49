#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sonofuse_fuzz::entries::preset(data));
