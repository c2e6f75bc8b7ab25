import { decodeBase64, encodeBase64 } from "../../sdk/assembly/base64";
import { fail } from "../../sdk/assembly/io";
import { JsonReader, MAX_JSON_DEPTH } from "../../sdk/assembly/json-reader";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { ANY_VERSION, kvDelete, kvGet, kvList, kvPut, KvValueAnswer, KvWriteAnswer } from "../../sdk/assembly/kv";
import { Parameters } from "../../sdk/assembly/parameters";
import { Value } from "../../sdk/assembly/value";

const ENCODINGS = ["json", "base64"];
const MAX_ENTRIES: i64 = 1000;

/** {key, encoding?: "json" | "base64"} -> {found, json | base64, key, version} */
export function get(): i32 {
  const parameters = new Parameters();
  const key = parameters.text("key");
  const base64 = parameters.choice("encoding", ENCODINGS) == 1;
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const answer = kvGet(key);
  if (answer.failed) return refuse("kv_get", key, answer.problem);
  const json = answer.found && !base64 ? documentOf(answer) : null;
  if (answer.found && !base64 && json === null) return refuse("kv_get", key, 'the value is not JSON; read it with encoding "base64"');
  const out = new JsonWriter();
  out.beginObject();
  if (answer.found && base64) {
    const text = encodeBase64(answer.start, answer.length);
    out.key("base64");
    out.plainFrom(text.dataStart, text.length);
  }
  out.key("found");
  out.boolean(answer.found);
  if (json !== null) {
    out.key("json");
    out.value(json);
  }
  writeKey(out, key);
  out.key("version");
  out.integer(answer.version);
  out.endObject();
  return out.finish();
}

/** {key, json | base64, expect?} -> {done, key, version} */
export function put(): i32 {
  const parameters = new Parameters();
  const key = parameters.text("key");
  const json = parameters.optional("json");
  const base64 = parameters.optionalText("base64");
  const expect = parameters.optionalCount("expect", ANY_VERSION);
  if ((json === null) == (base64 === null)) parameters.refuse('exactly one of the parameters "json" and "base64" is needed');
  let bytes: Uint8Array | null = null;
  if (base64 !== null) {
    bytes = decodeBase64(base64.start, base64.length);
    if (bytes === null) parameters.refuse('parameter "base64" is not standard padded base64');
  }
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  if (bytes !== null) return reportWrite("kv_put", key, kvPut(key, bytes.dataStart, bytes.length, expect));
  const document = new JsonWriter();
  document.value(json!);
  return reportWrite("kv_put", key, kvPut(key, document.start, document.length, expect));
}

/** {key, expect?} -> {done, key, version} */
function remove(): i32 {
  const parameters = new Parameters();
  const key = parameters.text("key");
  const expect = parameters.optionalCount("expect", ANY_VERSION);
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  return reportWrite("kv_delete", key, kvDelete(key, expect));
}

export { remove as delete };

/** {prefix, after?, limit?} -> {entries: [{key, size, version}], more} */
export function list(): i32 {
  const parameters = new Parameters();
  const prefix = parameters.text("prefix");
  const after = parameters.optionalText("after");
  const limit = parameters.optionalCount("limit", 100);
  if (limit < 1 || limit > MAX_ENTRIES) parameters.refuse('parameter "limit" must be from 1 to 1000');
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const answer = kvList(prefix, after, limit);
  if (answer.failed) return refuse("kv_list", prefix, answer.problem);
  const out = new JsonWriter();
  out.beginObject();
  out.key("entries");
  out.beginArray();
  for (let i = 0; i < answer.entries.length; i++) {
    const entry = answer.entries[i];
    out.beginObject();
    writeKey(out, entry.get("key")!);
    out.key("size");
    out.integer(<i64>entry.get("size")!.number);
    out.key("version");
    out.integer(<i64>entry.get("version")!.number);
    out.endObject();
  }
  out.endArray();
  out.key("more");
  out.boolean(answer.more);
  out.endObject();
  return out.finish();
}

/** The value as JSON, with room for the object around it in the output. */
function documentOf(answer: KvValueAnswer): Value | null {
  const copy = new Uint8Array(<i32>answer.length);
  memory.copy(copy.dataStart, answer.start, answer.length);
  return new JsonReader(copy, MAX_JSON_DEPTH - 1).read();
}

/** A lost compare-and-set is an answer, not a failure. */
function reportWrite(capability: string, key: Value, answer: KvWriteAnswer): i32 {
  if (answer.failed) return refuse(capability, key, answer.problem);
  const out = new JsonWriter();
  out.beginObject();
  out.key("done");
  out.boolean(answer.done);
  writeKey(out, key);
  out.key("version");
  out.integer(answer.version);
  out.endObject();
  return out.finish();
}

function writeKey(out: JsonWriter, key: Value): void {
  out.key("key");
  out.value(key);
}

function refuse(capability: string, key: Value, problem: string): i32 {
  return fail(capability + " " + key.text() + ": " + problem);
}
