#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| zmq_omdp::fuzz::run("names", data));
