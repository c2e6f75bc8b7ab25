//! Capabilities `kv_*`: keys and values kept from run to run. A run reads its own writes; they count only if it completes.

use super::call::{call, Answer, Bytes, HostError};
use super::msgpack::Value;

mod host {
    #[link(wasm_import_module = "extism:host/user")]
    extern "C" {
        pub fn kv_get(request: u64) -> u64;
        pub fn kv_put(request: u64) -> u64;
        pub fn kv_delete(request: u64) -> u64;
        pub fn kv_list(request: u64) -> u64;
    }
}

/// A value and its version, which changes with every write and is never 0.
#[derive(Debug)]
pub struct Stored {
    pub value: Bytes,
    pub version: u64,
}

/// What a write came to. Not done: another version than expected is there, this one; 0 for none.
#[derive(Debug, PartialEq)]
pub struct Written {
    pub done: bool,
    pub version: u64,
}

/// One key, without its value.
#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub version: u64,
    pub size: u64,
}

/// Keys in the order of their bytes, and whether there are more.
#[derive(Debug)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub more: bool,
}

/// `kv_get`: `None` when there is no such key. Keys have 1 to 512 characters.
pub fn get(key: &str) -> Result<Option<Stored>, HostError> {
    let answer = call(host::kv_get, [("key", Some(Value::Text(key)))])?;
    let mut ok = answer.ok()?;
    let (found, version) = (ok.flag("found")?, ok.count("version")?);
    let range = answer.place(ok.bytes("value")?);
    Ok(if found { Some(Stored { value: answer.keep(range), version }) } else { None })
}

/// `kv_put`. `expect` is the version that must be there, 0 for none; `None` writes whatever is there.
pub fn put(key: &str, value: &[u8], expect: Option<u64>) -> Result<Written, HostError> {
    let value = Some(Value::Bytes(value));
    written(call(
        host::kv_put,
        [("key", Some(Value::Text(key))), ("value", value), ("expect", expect.map(Value::from))],
    )?)
}

/// `kv_delete`.
pub fn delete(key: &str, expect: Option<u64>) -> Result<Written, HostError> {
    written(call(host::kv_delete, [("key", Some(Value::Text(key))), ("expect", expect.map(Value::from))])?)
}

/// `kv_list`: keys that begin with `prefix`, from behind `after`, at most `limit` (1 to 1,000; 100 when it is `None`).
pub fn list(prefix: &str, after: Option<&str>, limit: Option<u32>) -> Result<Page, HostError> {
    let members = [
        ("prefix", Some(Value::Text(prefix))),
        ("after", after.map(Value::Text)),
        ("limit", limit.map(|limit| Value::from(u64::from(limit)))),
    ];
    let answer = call(host::kv_list, members)?;
    let mut ok = answer.ok()?;
    let entries = ok.each("entries", |entry| {
        Ok(Entry { key: entry.text("key")?.to_string(), version: entry.count("version")?, size: entry.count("size")? })
    })?;
    Ok(Page { entries, more: ok.flag("more")? })
}

fn written(answer: Answer) -> Result<Written, HostError> {
    let mut ok = answer.ok()?;
    Ok(Written { done: ok.flag("done")?, version: ok.count("version")? })
}
