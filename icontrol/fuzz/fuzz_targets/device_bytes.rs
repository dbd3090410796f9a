//! Bytes of a device into every parser of them: `cargo +nightly fuzz run device_bytes` in `icontrol/`.

#![no_main]

use bigip_icontrol::fuzzing::parse_as_everything;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| parse_as_everything(body));
