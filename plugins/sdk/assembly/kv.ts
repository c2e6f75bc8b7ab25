import { Answer, sendRequest } from "./host-call";
import { MsgpackWriter } from "./msgpack-writer";
import { KIND_ARRAY, KIND_BOOLEAN, KIND_BYTES, KIND_TEXT, Value } from "./value";

// @ts-ignore: decorator
@external("extism:host/user", "kv_get")
declare function hostKvGet(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "kv_put")
declare function hostKvPut(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "kv_delete")
declare function hostKvDelete(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "kv_list")
declare function hostKvList(request: u64): u64;

/** In the place of an expected version: whatever is there. */
export const ANY_VERSION: i64 = -1;

/** A value, valid until release(). */
export class KvValueAnswer extends Answer {
  found: bool = false;
  /** 0 when nothing was found. */
  version: i64 = 0;
  start: usize = 0;
  length: usize = 0;
}

/** What a write came to. */
export class KvWriteAnswer extends Answer {
  /** False when another version was there than the expected one; then nothing was changed. */
  done: bool = false;
  /** The version that was put or deleted, or that is there instead of the expected one; 0 for none. */
  version: i64 = 0;
}

/** Keys in the order of their bytes: objects with `key` (text), `version` and `size` (counts). */
export class KvListAnswer extends Answer {
  entries: Value[] = [];
  /** Whether there are keys behind the last one. */
  more: bool = false;
}

/** Capability `kv_get`. Keys are text values of 1 to 512 characters. */
export function kvGet(key: Value): KvValueAnswer {
  const request = new MsgpackWriter();
  request.map(1);
  writeText(request, "key", key);
  const answer = new KvValueAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostKvGet(sent));
  answer.found = answer.member("found", KIND_BOOLEAN).flag;
  answer.version = answer.count("version");
  const value = answer.member("value", KIND_BYTES);
  answer.start = value.start;
  answer.length = value.length;
  return answer;
}

/** Capability `kv_put`. With `expect` only over that version, 0 being "there is none". */
export function kvPut(key: Value, start: usize, length: usize, expect: i64 = ANY_VERSION): KvWriteAnswer {
  const request = new MsgpackWriter();
  request.map(expect == ANY_VERSION ? 2 : 3);
  writeExpect(request, expect);
  writeText(request, "key", key);
  request.key("value");
  request.binary(start, length);
  const answer = new KvWriteAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostKvPut(sent));
  readWrite(answer);
  return answer;
}

/** Capability `kv_delete`, with `expect` as in kvPut. */
export function kvDelete(key: Value, expect: i64 = ANY_VERSION): KvWriteAnswer {
  const request = new MsgpackWriter();
  request.map(expect == ANY_VERSION ? 1 : 2);
  writeExpect(request, expect);
  writeText(request, "key", key);
  const answer = new KvWriteAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostKvDelete(sent));
  readWrite(answer);
  return answer;
}

/** Capability `kv_list`: up to `limit` (1 to 1,000) keys that begin with `prefix`, behind `after` if it is given. */
export function kvList(prefix: Value, after: Value | null, limit: i64): KvListAnswer {
  const request = new MsgpackWriter();
  request.map(after === null ? 2 : 3);
  if (after !== null) writeText(request, "after", after);
  request.key("limit");
  request.integer(limit);
  writeText(request, "prefix", prefix);
  const answer = new KvListAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostKvList(sent));
  answer.more = answer.member("more", KIND_BOOLEAN).flag;
  const entries = answer.member("entries", KIND_ARRAY).items;
  for (let i = 0; i < entries.length; i++) {
    if (isEntry(entries[i])) continue;
    answer.malformed();
    return answer;
  }
  answer.entries = entries;
  return answer;
}

function readWrite(answer: KvWriteAnswer): void {
  answer.done = answer.member("done", KIND_BOOLEAN).flag;
  answer.version = answer.count("version");
}

function isEntry(entry: Value): bool {
  const key = entry.get("key");
  const version = entry.get("version");
  const size = entry.get("size");
  if (key === null || version === null || size === null) return false;
  return key.kind == KIND_TEXT && version.isCount() && size.isCount();
}

function writeExpect(request: MsgpackWriter, expect: i64): void {
  if (expect == ANY_VERSION) return;
  request.key("expect");
  request.integer(expect);
}

function writeText(request: MsgpackWriter, name: string, text: Value): void {
  request.key(name);
  request.textFrom(text.start, text.length);
}
