//! Capability `http_request`.

use super::call::{call, Bytes, HostError};
use super::map::Map;
use super::msgpack::Value;

mod host {
    #[link(wasm_import_module = "extism:host/user")]
    extern "C" {
        pub fn http_request(request: u64) -> u64;
    }
}

/// A request. The method is in capitals, header names are in lower case; GET and HEAD have no body.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// An answer, whatever its status. Header names are in lower case.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Map<String, String>,
    pub body: Bytes,
}

/// `http_request`.
pub fn request(request: &Request) -> Result<Response, HostError> {
    let headers = request.headers.iter().map(|(name, value)| (*name, Value::Text(value))).collect();
    let members = [
        ("method", Some(Value::Text(request.method))),
        ("url", Some(Value::Text(request.url))),
        ("headers", Some(Value::Map(headers))),
        ("body", Some(Value::Bytes(request.body))),
    ];
    let answer = call(host::http_request, members)?;
    let mut ok = answer.ok()?;
    let (status, headers) = (ok.status("status")?, ok.texts("headers")?);
    let range = answer.place(ok.bytes("body")?);
    Ok(Response { status, headers, body: answer.keep(range) })
}

/// Stands for a secret in a header value or body: the host fills it in where the deployment has bound it
/// (spec/capabilities.md), after the request was judged. Neither the guest nor the transcript ever has it.
pub fn secret(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}
