import { decodeBase64 } from "../../sdk/assembly/base64";
import { HttpAnswer, HttpRequest } from "../../sdk/assembly/http";
import { fail } from "../../sdk/assembly/io";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { KIND_ARRAY, KIND_TEXT, kindName, Value } from "../../sdk/assembly/value";
import { writeAnswer } from "./answer";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const FORMS = ["auto", "json", "text", "base64"];

/** {url, headers?, expectStatus?, as?} -> {status, headers, json | text | base64} */
export function get(): i32 {
  const parameters = new Parameters();
  return exchange(parameters, "GET", false);
}

/** {url, method?, headers?, json | text | base64, expectStatus?, as?} -> {status, headers, json | text | base64} */
export function request(): i32 {
  const parameters = new Parameters();
  const method = METHODS[parameters.choice("method", METHODS)];
  return exchange(parameters, method, true);
}

function exchange(parameters: Parameters, method: string, mayHaveBody: bool): i32 {
  const url = parameters.text("url");
  const request = new HttpRequest(method, url);
  readHeaders(parameters, request);
  if (mayHaveBody) readBody(parameters, request, method);
  const expected = readStatuses(parameters);
  const form = FORMS[parameters.choice("as", FORMS)];
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);

  const answer = request.send();
  if (answer.failed) return refuse(method, url, answer.problem);
  if (expected.length > 0 && !expected.includes(answer.status)) return refuse(method, url, unexpected(answer, expected));
  const out = new JsonWriter();
  const unreadable = writeAnswer(out, answer, form);
  return unreadable === null ? out.finish() : refuse(method, url, unreadable);
}

function readHeaders(parameters: Parameters, request: HttpRequest): void {
  const headers = parameters.optionalObject("headers");
  if (headers === null) return;
  for (let i = 0; i < headers.keys.length; i++) {
    const name = headers.keys[i];
    const value = headers.items[i];
    if (!isHeaderName(name)) parameters.refuse('header "' + name.text() + '" must be named in lower case, as in content-type');
    else if (value.kind != KIND_TEXT) parameters.refuse('header "' + name.text() + '" must be a string, not ' + kindName(value.kind));
    else request.headerFrom(name, value);
  }
}

/** At most one body; GET and HEAD have none. */
function readBody(parameters: Parameters, request: HttpRequest, method: string): void {
  const json = parameters.optional("json");
  const text = parameters.optionalText("text");
  const base64 = parameters.optionalText("base64");
  const bodies = <i32>(json !== null) + <i32>(text !== null) + <i32>(base64 !== null);
  if (bodies > 1) return parameters.refuse('at most one of the parameters "json", "text" and "base64" is allowed');
  if (bodies == 1 && (method == "GET" || method == "HEAD")) return parameters.refuse("a " + method + " request has no body");
  if (json !== null) {
    const document = new JsonWriter();
    document.value(json);
    request.json(document);
  } else if (text !== null) {
    request.body(text.start, text.length, "text/plain; charset=utf-8");
  } else if (base64 !== null) {
    const bytes = decodeBase64(base64.start, base64.length);
    if (bytes === null) return parameters.refuse('parameter "base64" is not standard padded base64');
    request.body(bytes.dataStart, bytes.length, "application/octet-stream");
  }
}

/** The statuses that are no error, none for any. */
function readStatuses(parameters: Parameters): i32[] {
  const statuses: i32[] = [];
  const value = parameters.optional("expectStatus");
  if (value === null) return statuses;
  const list = value.kind == KIND_ARRAY ? value.items : [value];
  for (let i = 0; i < list.length; i++) {
    const status = list[i];
    if (status.isCount() && status.number >= 100 && status.number <= 999) statuses.push(<i32>status.number);
  }
  if (list.length == 0 || statuses.length < list.length) {
    parameters.refuse('parameter "expectStatus" must be a status from 100 to 999 or a list of them');
  }
  return statuses;
}

function unexpected(answer: HttpAnswer, expected: i32[]): string {
  return "expected status " + expected.join(" or ") + ", got " + answer.status.toString();
}

/** Lower-case tokens: the host's own rule, checked here so that the message can name the header. */
function isHeaderName(name: Value): bool {
  for (let i: usize = 0; i < name.length; i++) {
    const c = <u32>load<u8>(name.start + i);
    if (c <= 0x20 || c >= 0x7f || (c >= 0x41 && c <= 0x5a) || c == 0x3a) return false;
  }
  return name.length > 0;
}

function refuse(method: string, url: Value, problem: string): i32 {
  return fail("http_request " + method + " " + url.text() + ": " + problem);
}
