//! Capability `random_bytes`.

use super::call::{call, Bytes, HostError};
use super::msgpack::Value;

#[link(wasm_import_module = "extism:host/user")]
extern "C" {
    fn random_bytes(request: u64) -> u64;
}

/// So many random bytes, at most 65,536, as the host recorded and replays them.
pub fn bytes(length: u32) -> Result<Bytes, HostError> {
    let answer = call(random_bytes, [("length", Some(Value::Integer(i64::from(length))))])?;
    let range = answer.place(answer.ok()?.bytes("bytes")?);
    Ok(answer.keep(range))
}
