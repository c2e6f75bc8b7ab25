//! Lets the tests reach into the SDK: every function shows what one part of it makes of its input.

#[path = "../../sdk-rust/lib.rs"]
mod exoarmur;

use exoarmur::{clock, executor, fs, http, kv, log, msgpack, object, random, Failure, Json, Outcome, Parameters};

executor! { parameters, call, size }

/// JSON -> the same document, written again
#[no_mangle]
pub extern "C" fn json() -> i32 {
    match exoarmur::input_json() {
        Ok(value) => exoarmur::output_json(&value),
        Err(problem) => exoarmur::fail(&problem),
    }
}

/// msgpack -> the same document, written again
#[no_mangle]
pub extern "C" fn pack() -> i32 {
    let input = exoarmur::input();
    match msgpack::decode(&input) {
        Ok(value) => write(&value),
        Err(_) => exoarmur::fail("malformed"),
    }
}

/// JSON -> msgpack
#[no_mangle]
pub extern "C" fn convert() -> i32 {
    match exoarmur::input_json() {
        Ok(value) => write(&convert_value(&value)),
        Err(problem) => exoarmur::fail(&problem),
    }
}

fn write(value: &msgpack::Value) -> i32 {
    match msgpack::encode(value) {
        Ok(bytes) => exoarmur::output(&bytes),
        Err(_) => exoarmur::fail("cannot be written"),
    }
}

fn convert_value(value: &Json) -> msgpack::Value<'_> {
    match value {
        Json::Null => msgpack::Value::Nil,
        Json::Bool(flag) => msgpack::Value::Bool(*flag),
        Json::Integer(integer) => msgpack::Value::Integer(*integer),
        Json::Number(number) => msgpack::Value::Number(*number),
        Json::Text(text) => msgpack::Value::Text(text),
        Json::Array(items) => msgpack::Value::Array(items.iter().map(convert_value).collect()),
        Json::Object(members) => {
            msgpack::Value::Map(members.iter().map(|(name, value)| (name.as_str(), convert_value(value))).collect())
        }
    }
}

/// {path} -> {size}
fn size(parameters: &mut Parameters) -> Outcome {
    let path = parameters.text("path")?;
    parameters.finish()?;
    let size = fs::stat(&path)?.size;
    Ok(object([("size", size.into())]))
}

#[no_mangle]
pub extern "C" fn reverse() -> i32 {
    let bytes: Vec<u8> = exoarmur::input().into_iter().rev().collect();
    exoarmur::output(&bytes)
}

/// bytes -> the same bytes
#[no_mangle]
pub extern "C" fn raw() -> i32 {
    exoarmur::output(&exoarmur::input())
}

/// text -> fails with that text
#[no_mangle]
pub extern "C" fn refuse() -> i32 {
    exoarmur::fail(&String::from_utf8_lossy(&exoarmur::input()))
}

/// Asks for more memory than there can be.
#[no_mangle]
pub extern "C" fn exhaust() -> i32 {
    exoarmur::run(|_| {
        let length = exoarmur::input().len();
        let much: Vec<Vec<u8>> = (0..4096).map(|_| vec![length as u8; 1 << 20]).collect();
        Ok(much.len().into())
    })
}

/// Reads past the end of what the input has.
#[no_mangle]
pub extern "C" fn panic() -> i32 {
    exoarmur::run(|_| {
        let input = exoarmur::input();
        Ok(i32::from(input[input.len()]).into())
    })
}

/// {name, note?, count?, mode?: "create" | "replace"} -> the same, defaults filled in
fn parameters(parameters: &mut Parameters) -> Outcome {
    let name = parameters.text("name")?;
    let note = parameters.optional_text("note")?;
    let count = parameters.optional_integer("count")?;
    let mode = parameters.choice("mode", &["create", "replace"])?;
    parameters.finish()?;
    Ok(object([
        ("count", count.map_or(Json::Null, Json::from)),
        ("mode", mode.into()),
        ("name", name.into()),
        ("note", note.map_or(Json::Null, Json::from)),
    ]))
}

/// {capability, ...request} -> the answer; bytes are hex digits both ways
fn call(p: &mut Parameters) -> Outcome {
    let capability = p.text("capability")?;
    Ok(match capability.as_str() {
        "clock_now" => object([("ms", clock::now()?.into())]),
        "random_bytes" => object([("bytes", hex(&random::bytes(p.integer("length")? as u32)?))]),
        "log" => {
            let (level, message) = (p.text("level")?, p.text("message")?);
            let lines = [log::trace, log::debug, log::info, log::warn, log::error];
            let names = ["trace", "debug", "info", "warn", "error"];
            let level = names.iter().position(|name| *name == level).ok_or("no such level")?;
            lines[level](&message)?;
            object([])
        }
        _ if capability.starts_with("fs_") => call_fs(&capability, p)?,
        _ if capability.starts_with("kv_") => call_kv(&capability, p)?,
        "http_request" => call_http(p)?,
        _ => return Err("no such capability".into()),
    })
}

fn call_fs(capability: &str, p: &mut Parameters) -> Outcome {
    let path = p.text("path")?;
    let mode = if p.choice("mode", &["create", "replace"])? == 1 { fs::Mode::Replace } else { fs::Mode::Create };
    Ok(match capability {
        "fs_read" => {
            let file = match (p.optional_integer("offset")?, p.optional_integer("length")?) {
                (Some(offset), Some(length)) => fs::read_part(&path, offset as u64, length as u64)?,
                _ => fs::read(&path)?,
            };
            object([("bytes", hex(&file.bytes)), ("size", file.size.into())])
        }
        "fs_write" => object([("size", fs::write(&path, &unhex(&p.text("bytes")?)?, mode)?.into())]),
        "fs_append" => object([("size", fs::append(&path, &unhex(&p.text("bytes")?)?)?.into())]),
        "fs_list" => {
            let entries = fs::list(&path)?.into_iter().map(|entry| {
                object([("name", entry.name.into()), ("size", entry.size.into()), ("type", kind(entry.kind))])
            });
            object([("entries", entries.collect())])
        }
        "fs_stat" => {
            let stat = fs::stat(&path)?;
            object([("size", stat.size.into()), ("type", kind(stat.kind))])
        }
        "fs_remove" => fs::remove(&path).map(|_| object([]))?,
        "fs_mkdir" => fs::make_dir(&path).map(|_| object([]))?,
        "fs_rename" => fs::rename(&path, &p.text("to")?, mode).map(|_| object([]))?,
        _ => return Err("no such capability".into()),
    })
}

fn call_kv(capability: &str, p: &mut Parameters) -> Outcome {
    let expect = p.optional_integer("expect")?.map(|version| version as u64);
    Ok(match capability {
        "kv_get" => match kv::get(&p.text("key")?)? {
            Some(stored) => object([("value", hex(&stored.value)), ("version", stored.version.into())]),
            None => object([]),
        },
        "kv_put" => written(kv::put(&p.text("key")?, &unhex(&p.text("value")?)?, expect)?),
        "kv_delete" => written(kv::delete(&p.text("key")?, expect)?),
        "kv_list" => {
            let (prefix, after) = (p.text("prefix")?, p.optional_text("after")?);
            let limit = p.optional_integer("limit")?.map(|limit| limit as u32);
            let page = kv::list(&prefix, after.as_deref(), limit)?;
            let entries = page.entries.into_iter().map(|entry| {
                object([("key", entry.key.into()), ("size", entry.size.into()), ("version", entry.version.into())])
            });
            object([("entries", entries.collect()), ("more", page.more.into())])
        }
        _ => return Err("no such capability".into()),
    })
}

fn call_http(p: &mut Parameters) -> Outcome {
    let (method, url, body) = (p.text("method")?, p.text("url")?, unhex(&p.text("body")?)?);
    let secret = http::secret("token");
    let mut headers = vec![("authorization", secret.as_str())];
    let trace = p.optional_text("trace")?;
    headers.extend(trace.iter().map(|trace| ("x-trace", trace.as_str())));
    let answer = http::request(&http::Request { method: &method, url: &url, headers: &headers, body: &body })?;
    let headers: Vec<Json> = answer.headers.iter().map(|(name, value)| format!("{name}: {value}").into()).collect();
    Ok(object([("body", hex(&answer.body)), ("headers", headers.into()), ("status", u32::from(answer.status).into())]))
}

fn written(written: kv::Written) -> Json {
    object([("done", written.done.into()), ("version", written.version.into())])
}

fn kind(kind: fs::Kind) -> Json {
    Json::from(if kind == fs::Kind::Directory { "directory" } else { "file" })
}

fn hex(bytes: &[u8]) -> Json {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        digits.push(digit(byte >> 4));
        digits.push(digit(byte & 15));
    }
    digits.into()
}

fn unhex(digits: &str) -> Result<Vec<u8>, Failure> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.ok_or_else(|| "not hex digits".into())
}
