//! One capability call: a msgpack map to the host, a msgpack map back (spec/capabilities.md).

use std::fmt;
use std::ops::{Deref, Range};

use super::kernel::Block;
use super::map::Map;
use super::msgpack::{self, Value};

/// Why a call was not done: the host's stable code (spec/errors.md), such as `EXO_FS_NOT_FOUND`, and its message.
#[derive(Debug, Clone, PartialEq)]
pub struct HostError {
    pub code: String,
    pub message: String,
}

impl fmt::Display for HostError {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.message)
    }
}

/// An answer of another form than the capability's. The host's answers are checked like any input.
fn malformed() -> HostError {
    HostError {
        code: "EXO_MSGPACK".into(),
        message: "the host's answer does not have the form of its capability".into(),
    }
}

/// Bytes of an answer, kept where they arrived: a large file is not copied once more.
#[derive(Debug, Clone)]
pub struct Bytes {
    answer: Vec<u8>,
    range: Range<usize>,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.answer[self.range.clone()]
    }
}

/// An import of `extism:host/user`: the address of the request's block to the address of the answer's.
pub type Import = unsafe extern "C" fn(u64) -> u64;

/// The bytes of an answer that has not been looked into yet.
pub struct Answer(Vec<u8>);

/// Calls the host with a map of the members that are there.
pub fn call<const N: usize>(import: Import, members: [(&str, Option<Value>); N]) -> Result<Answer, HostError> {
    let map: Map<&str, Value> = members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let request = msgpack::encode(&Value::Map(map))
        .map_err(|message| HostError { code: "EXO_MSGPACK".into(), message: format!("the request {message}") })?;
    let request = Block::from(&request);
    let answer = Block::own(unsafe { import(request.address()) });
    Ok(Answer(answer.bytes()))
}

impl Answer {
    /// The members of `ok`, or the host's refusal.
    pub fn ok(&self) -> Result<Members<'_>, HostError> {
        let mut answer = match msgpack::decode(&self.0) {
            Ok(Value::Map(answer)) => answer,
            _ => return Err(malformed()),
        };
        match (answer.remove("ok"), answer.remove("error")) {
            (Some(Value::Map(ok)), None) => Ok(Members(ok)),
            (None, Some(Value::Map(error))) => Err(refusal(error)),
            _ => Err(malformed()),
        }
    }

    /// The answer's memory as the home of these bytes, which `Members::bytes` found in it.
    pub fn keep(self, range: Range<usize>) -> Bytes {
        Bytes { answer: self.0, range }
    }

    /// Where in the answer the bytes stand.
    pub fn place(&self, bytes: &[u8]) -> Range<usize> {
        let start = bytes.as_ptr() as usize - self.0.as_ptr() as usize;
        start..start + bytes.len()
    }
}

fn refusal(mut error: Map<&str, Value>) -> HostError {
    match (error.remove("code"), error.remove("message")) {
        (Some(Value::Text(code)), Some(Value::Text(message))) if !code.is_empty() => {
            HostError { code: code.into(), message: message.into() }
        }
        _ => malformed(),
    }
}

/// The members of a map in an answer. A member that is missing or of another type makes the answer malformed.
pub struct Members<'a>(Map<&'a str, Value<'a>>);

impl<'a> Members<'a> {
    /// A whole number from 0 to 2^53 - 1.
    pub fn count(&mut self, name: &str) -> Result<u64, HostError> {
        self.0.remove(name).and_then(|value| value.as_count()).ok_or_else(malformed)
    }

    /// A status of HTTP, 100 to 999.
    pub fn status(&mut self, name: &str) -> Result<u16, HostError> {
        match self.count(name)? {
            status @ 100..=999 => Ok(status as u16),
            _ => Err(malformed()),
        }
    }

    pub fn flag(&mut self, name: &str) -> Result<bool, HostError> {
        match self.0.remove(name) {
            Some(Value::Bool(flag)) => Ok(flag),
            _ => Err(malformed()),
        }
    }

    pub fn text(&mut self, name: &str) -> Result<&'a str, HostError> {
        match self.0.remove(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(malformed()),
        }
    }

    pub fn bytes(&mut self, name: &str) -> Result<&'a [u8], HostError> {
        match self.0.remove(name) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(malformed()),
        }
    }

    /// A map of texts.
    pub fn texts(&mut self, name: &str) -> Result<Map<String, String>, HostError> {
        let map = match self.0.remove(name) {
            Some(Value::Map(map)) => map,
            _ => return Err(malformed()),
        };
        map.into_iter()
            .map(|(key, value)| match value {
                Value::Text(text) => Ok((key.to_string(), text.to_string())),
                _ => Err(malformed()),
            })
            .collect()
    }

    /// An array of maps, each read by `read`.
    pub fn each<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Members) -> Result<T, HostError>,
    ) -> Result<Vec<T>, HostError> {
        let items = match self.0.remove(name) {
            Some(Value::Array(items)) => items,
            _ => return Err(malformed()),
        };
        items
            .into_iter()
            .map(|item| match item {
                Value::Map(map) => read(&mut Members(map)),
                _ => Err(malformed()),
            })
            .collect()
    }

    /// The answer that a word of a fixed list stands for.
    pub fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Result<T, HostError> {
        let text = self.text(name)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(malformed)
    }
}
