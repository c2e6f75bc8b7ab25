//! Capabilities `fs_*`. Paths are root-alias paths such as `data/orders.csv`; a host path is never seen.

use super::call::{call, Bytes, HostError, Import};
use super::msgpack::Value;

mod host {
    #[link(wasm_import_module = "extism:host/user")]
    extern "C" {
        pub fn fs_read(request: u64) -> u64;
        pub fn fs_write(request: u64) -> u64;
        pub fn fs_append(request: u64) -> u64;
        pub fn fs_list(request: u64) -> u64;
        pub fn fs_stat(request: u64) -> u64;
        pub fn fs_remove(request: u64) -> u64;
        pub fn fs_mkdir(request: u64) -> u64;
        pub fn fs_rename(request: u64) -> u64;
    }
}

/// Bytes of a file, all or a part, and the size of the whole file.
#[derive(Debug)]
pub struct File {
    pub bytes: Bytes,
    pub size: u64,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    File,
    Directory,
}

/// Kind and size in bytes; a directory's size is 0.
#[derive(Debug)]
pub struct Stat {
    pub kind: Kind,
    pub size: u64,
}

/// One entry of a directory.
#[derive(Debug)]
pub struct Entry {
    pub name: String,
    pub kind: Kind,
    pub size: u64,
}

/// Whether a write may take the place of a file: `Create` never touches one that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    Create,
    Replace,
}

const KINDS: &[(&str, Kind)] = &[("file", Kind::File), ("directory", Kind::Directory)];

/// `fs_read`: the whole file.
pub fn read(path: &str) -> Result<File, HostError> {
    read_range(path, None, None)
}

/// `fs_read`: up to `length` bytes from `offset`; no bytes beyond the end.
pub fn read_part(path: &str, offset: u64, length: u64) -> Result<File, HostError> {
    read_range(path, Some(offset), Some(length))
}

/// `fs_write`: the size written.
pub fn write(path: &str, bytes: &[u8], mode: Mode) -> Result<u64, HostError> {
    let members = [("path", text(path)), ("bytes", Some(Value::Bytes(bytes))), ("mode", mode_word(mode))];
    call(host::fs_write, members)?.ok()?.count("size")
}

/// `fs_append`: the size of the whole file afterwards.
pub fn append(path: &str, bytes: &[u8]) -> Result<u64, HostError> {
    call(host::fs_append, [("path", text(path)), ("bytes", Some(Value::Bytes(bytes)))])?.ok()?.count("size")
}

/// `fs_list`: the entries, sorted by the bytes of their names.
pub fn list(path: &str) -> Result<Vec<Entry>, HostError> {
    call(host::fs_list, [("path", text(path))])?.ok()?.each("entries", |entry| {
        Ok(Entry {
            name: entry.text("name")?.to_string(),
            kind: entry.word("type", KINDS)?,
            size: entry.count("size")?,
        })
    })
}

/// `fs_stat`.
pub fn stat(path: &str) -> Result<Stat, HostError> {
    let answer = call(host::fs_stat, [("path", text(path))])?;
    let mut members = answer.ok()?;
    Ok(Stat { kind: members.word("type", KINDS)?, size: members.count("size")? })
}

/// `fs_remove`: a file, never a directory.
pub fn remove(path: &str) -> Result<(), HostError> {
    nothing(host::fs_remove, path)
}

/// `fs_mkdir`.
pub fn make_dir(path: &str) -> Result<(), HostError> {
    nothing(host::fs_mkdir, path)
}

/// `fs_rename`.
pub fn rename(path: &str, to: &str, mode: Mode) -> Result<(), HostError> {
    let members = [("path", text(path)), ("to", text(to)), ("mode", mode_word(mode))];
    call(host::fs_rename, members)?.ok().map(|_| ())
}

fn read_range(path: &str, offset: Option<u64>, length: Option<u64>) -> Result<File, HostError> {
    let members = [("path", text(path)), ("offset", offset.map(Value::from)), ("length", length.map(Value::from))];
    let answer = call(host::fs_read, members)?;
    let mut ok = answer.ok()?;
    let size = ok.count("size")?;
    let range = answer.place(ok.bytes("bytes")?);
    Ok(File { bytes: answer.keep(range), size })
}

fn nothing(import: Import, path: &str) -> Result<(), HostError> {
    call(import, [("path", text(path))])?.ok().map(|_| ())
}

fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::Text(text))
}

fn mode_word(mode: Mode) -> Option<Value<'static>> {
    Some(Value::Text(match mode {
        Mode::Create => "create",
        Mode::Replace => "replace",
    }))
}
