import { Answer, sendRequest } from "./host-call";
import { JsonReader, MAX_JSON_DEPTH } from "./json-reader";
import { JsonWriter } from "./json-writer";
import { MsgpackWriter } from "./msgpack-writer";
import { KIND_BYTES, KIND_OBJECT, KIND_TEXT, textValue, Value } from "./value";

// @ts-ignore: decorator
@external("extism:host/user", "http_request")
declare function hostHttpRequest(request: u64): u64;

/** What a server answered. A status of any class is an answer; `failed` says that there is none. */
export class HttpAnswer extends Answer {
  status: i32 = 0;
  /** Names in lower case to texts: those the grant lets through. */
  headers: Value = new Value(KIND_OBJECT);
  /** The body, valid until release(). */
  start: usize = 0;
  length: usize = 0;

  /** A header's text, null when the host did not send it. */
  header(name: string): Value | null {
    return this.headers.get(name);
  }

  /** Whether the server says that the body is JSON: `application/json` or a type that ends in `+json`. */
  get saysJson(): bool {
    const type = this.header("content-type");
    if (type === null) return false;
    const media = mediaType(type);
    return media == "application/json" || media.endsWith("+json");
  }

  /** The body as JSON, null when it is none (RFC 8259, without repeated keys). */
  json(maxDepth: i32 = MAX_JSON_DEPTH): Value | null {
    return new JsonReader(this.bytes(), maxDepth).read();
  }

  /** A copy of the body. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(<i32>this.length);
    memory.copy(copy.dataStart, this.start, this.length);
    return copy;
  }
}

/** A request in the making. The host refuses what is not of the form in spec/capabilities.md, HTTP. */
export class HttpRequest {
  private headers: Value = new Value(KIND_OBJECT);
  private start: usize = 0;
  private length: usize = 0;

  /** `method` in upper case; `url` in the normal form of spec/policy.md. */
  constructor(private method: string, private url: Value) {}

  /** Adds a header; the name in lower case. */
  header(name: string, text: string): void {
    this.headers.put(textValue(name), textValue(text));
  }

  /** Adds a header from text values. */
  headerFrom(name: Value, text: Value): void {
    this.headers.put(name, text);
  }

  /** Sets the body, and its content-type unless a header says it already. `type` may be empty. */
  body(start: usize, length: usize, type: string): void {
    this.start = start;
    this.length = length;
    if (type.length > 0 && this.headers.get("content-type") === null) this.header("content-type", type);
  }

  /** Sets the body to a document that was written, as application/json. */
  json(document: JsonWriter): void {
    this.body(document.start, document.length, "application/json");
  }

  /** Capability `http_request`. */
  send(): HttpAnswer {
    const request = new MsgpackWriter();
    request.map(4);
    request.key("body");
    request.binary(this.start, this.length);
    request.key("headers");
    request.map(this.headers.keys.length);
    for (let i = 0; i < this.headers.keys.length; i++) {
      writeText(request, this.headers.keys[i]);
      writeText(request, this.headers.items[i]);
    }
    request.key("method");
    request.text(this.method);
    request.key("url");
    writeText(request, this.url);
    const sent = sendRequest(request);
    const answer = new HttpAnswer();
    answer.receive(sent, hostHttpRequest(sent));
    readAnswer(answer);
    return answer;
  }
}

/** A content-type up to its parameters, in lower case. */
function mediaType(type: Value): string {
  let media = "";
  for (let i: usize = 0; i < type.length; i++) {
    const c = <i32>load<u8>(type.start + i);
    if (c == 0x3b) break;
    if (c != 0x20 && c != 0x09) media += String.fromCharCode(c >= 0x41 && c <= 0x5a ? c | 0x20 : c);
  }
  return media;
}

function readAnswer(answer: HttpAnswer): void {
  const body = answer.member("body", KIND_BYTES);
  answer.start = body.start;
  answer.length = body.length;
  const headers = answer.member("headers", KIND_OBJECT);
  for (let i = 0; i < headers.items.length; i++) {
    if (headers.items[i].kind != KIND_TEXT) return answer.malformed();
  }
  answer.headers = headers;
  const status = answer.count("status");
  if (!answer.failed && (status < 100 || status > 999)) return answer.malformed();
  answer.status = <i32>status;
}

function writeText(request: MsgpackWriter, text: Value): void {
  request.textFrom(text.start, text.length);
}
