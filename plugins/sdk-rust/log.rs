//! Capability `log`, which needs no grant: lines in the run's transcript, at most 4,096 bytes each.

use super::call::{call, HostError};
use super::msgpack::Value;

mod host {
    #[link(wasm_import_module = "extism:host/user")]
    extern "C" {
        pub fn log(request: u64) -> u64;
    }
}

pub fn trace(message: &str) -> Result<(), HostError> {
    line("trace", message)
}

pub fn debug(message: &str) -> Result<(), HostError> {
    line("debug", message)
}

pub fn info(message: &str) -> Result<(), HostError> {
    line("info", message)
}

pub fn warn(message: &str) -> Result<(), HostError> {
    line("warn", message)
}

pub fn error(message: &str) -> Result<(), HostError> {
    line("error", message)
}

fn line(level: &str, message: &str) -> Result<(), HostError> {
    call(host::log, [("level", Some(Value::Text(level))), ("message", Some(Value::Text(message)))])?.ok().map(|_| ())
}
