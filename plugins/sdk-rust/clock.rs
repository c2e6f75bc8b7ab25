//! Capability `clock_now`.

use super::call::{call, HostError};

#[link(wasm_import_module = "extism:host/user")]
extern "C" {
    fn clock_now(request: u64) -> u64;
}

/// Milliseconds since 1970-01-01 UTC, as the host recorded and replays them.
pub fn now() -> Result<u64, HostError> {
    call(clock_now, [])?.ok()?.count("ms")
}
