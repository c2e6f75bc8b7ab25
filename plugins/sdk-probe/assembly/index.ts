// Lets the tests reach into the SDK: every function takes its input raw and shows what one part of the SDK makes of it.
import { decodeBase64, encodeBase64 } from "../../sdk/assembly/base64";
import { ByteWriter } from "../../sdk/assembly/byte-writer";
import { clockNow } from "../../sdk/assembly/clock";
import { fsReadPart, fsStat } from "../../sdk/assembly/files";
import { fail, inputText, readInput, writeOutput, writeOutputFrom, writeOutputText } from "../../sdk/assembly/io";
import { JsonReader } from "../../sdk/assembly/json-reader";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { logLine } from "../../sdk/assembly/log";
import { MsgpackReader } from "../../sdk/assembly/msgpack-reader";
import { MsgpackWriter } from "../../sdk/assembly/msgpack-writer";
import { formatNumber } from "../../sdk/assembly/number-format";
import { parseNumber } from "../../sdk/assembly/number-parse";
import { Parameters } from "../../sdk/assembly/parameters";
import { randomBytes } from "../../sdk/assembly/random";
import { secret } from "../../sdk/assembly/secret";
import { isUtf8 } from "../../sdk/assembly/utf8";
import {
  KIND_ARRAY, KIND_BOOLEAN, KIND_BYTES, KIND_NULL, KIND_NUMBER, KIND_TEXT, Value,
} from "../../sdk/assembly/value";

/** f64 values, little-endian -> one line each */
export function formatNumbers(): i32 {
  const input = readInput();
  const out = new ByteWriter();
  for (let at = 0; at < input.length; at += 8) out.text(formatNumber(load<f64>(input.dataStart + at)) + "\n");
  return writeOutputFrom(out.start, out.length);
}

/** lines -> f64 values, little-endian */
export function parseNumbers(): i32 {
  const lines = inputText().split("\n");
  const out = new Uint8Array(lines.length << 3);
  for (let i = 0; i < lines.length; i++) {
    const utf8 = String.UTF8.encode(lines[i]);
    store<f64>(out.dataStart + (i << 3), parseNumber(changetype<usize>(utf8), utf8.byteLength));
  }
  return writeOutput(out);
}

/** JSON -> the same document, written again */
export function json(): i32 {
  const reader = new JsonReader(readInput());
  const value = reader.read();
  if (value === null) return fail(reader.problem);
  const out = new JsonWriter();
  writeJson(out, value);
  return out.finish();
}

/** JSON -> the same document in canonical form */
export function canonical(): i32 {
  const reader = new JsonReader(readInput());
  const value = reader.read();
  if (value === null) return fail(reader.problem);
  const out = new JsonWriter();
  out.value(value);
  return out.finish();
}

/** Parameters of every kind -> what the SDK makes of them */
export function parameters(): i32 {
  const asked = new Parameters();
  const object = asked.optionalObject("object");
  const count = asked.optionalCount("count", -1);
  const choice = asked.choice("choice", ["a", "b", "c"]);
  const any = asked.required("any");
  const problem = asked.finish();
  if (problem !== null) return fail(problem);
  const out = new JsonWriter();
  out.beginArray();
  out.boolean(object !== null);
  out.integer(count);
  out.integer(choice);
  out.value(any);
  out.endArray();
  return out.finish();
}

/** a name -> the placeholder of the secret of that name */
export function placeholder(): i32 {
  return writeOutputText(secret(inputText()));
}

/** msgpack -> the same document, written again */
export function msgpack(): i32 {
  const input = readInput();
  const value = new MsgpackReader(input.dataStart, input.length).read();
  if (value === null) return fail("malformed");
  const writer = new MsgpackWriter();
  writeMsgpack(writer, value);
  return writeOutputFrom(writer.out.start, writer.out.length);
}

/** bytes -> base64 */
export function toBase64(): i32 {
  const input = readInput();
  return writeOutput(encodeBase64(input.dataStart, input.length));
}

/** base64 -> bytes */
export function fromBase64(): i32 {
  const input = readInput();
  const bytes = decodeBase64(input.dataStart, input.length);
  return bytes === null ? fail("malformed") : writeOutput(bytes);
}

/** "yes" or "no" */
export function utf8(): i32 {
  const input = readInput();
  return writeOutputText(isUtf8(input.dataStart, input.length) ? "yes" : "no");
}

/** text -> the same text by way of an AssemblyScript string */
export function text(): i32 {
  return writeOutputText(inputText());
}

/** One call of every capability the shipped executors don't use, and a partial read. */
export function capabilities(): i32 {
  const path = new Parameters().text("path");
  const clock = clockNow();
  if (clock.failed) return fail(clock.problem);
  const random = randomBytes(3);
  if (random.failed) return fail(random.problem);
  const line = logLine("warn", "häufig");
  if (line.failed) return fail(line.problem);
  const stat = fsStat(path);
  if (stat.failed) return fail(stat.problem);
  const part = fsReadPart(path, 2, 3);
  if (part.failed) return fail(part.problem);
  const out = new JsonWriter();
  out.beginArray();
  out.integer(clock.ms);
  out.text(random.bytes.join("-"));
  out.text(stat.type);
  out.integer(stat.size);
  out.textFrom(part.start, part.length);
  out.integer(part.size);
  out.boolean(true);
  out.nil();
  out.endArray();
  return out.finish();
}

/** Reads past the end of an array of the input's length. */
export function outOfRange(): i32 {
  const input = readInput();
  return input[input.length];
}

function writeJson(out: JsonWriter, value: Value): void {
  if (value.kind == KIND_NULL) out.nil();
  else if (value.kind == KIND_BOOLEAN) out.boolean(value.flag);
  else if (value.kind == KIND_NUMBER) out.number(value.number);
  else if (value.kind == KIND_TEXT) out.textFrom(value.start, value.length);
  else if (value.kind == KIND_ARRAY) {
    out.beginArray();
    for (let i = 0; i < value.items.length; i++) writeJson(out, value.items[i]);
    out.endArray();
  } else {
    out.beginObject();
    for (let i = 0; i < value.items.length; i++) {
      out.key(value.keys[i].text());
      writeJson(out, value.items[i]);
    }
    out.endObject();
  }
}

function writeMsgpack(out: MsgpackWriter, value: Value): void {
  if (value.kind == KIND_NULL) out.nil();
  else if (value.kind == KIND_BOOLEAN) out.boolean(value.flag);
  else if (value.kind == KIND_NUMBER) {
    if (value.number == Math.floor(value.number) && abs(value.number) < 9007199254740992) out.integer(<i64>value.number);
    else out.number(value.number);
  } else if (value.kind == KIND_TEXT) out.textFrom(value.start, value.length);
  else if (value.kind == KIND_BYTES) out.binary(value.start, value.length);
  else if (value.kind == KIND_ARRAY) {
    out.array(value.items.length);
    for (let i = 0; i < value.items.length; i++) writeMsgpack(out, value.items[i]);
  } else {
    out.map(value.items.length);
    for (let i = 0; i < value.items.length; i++) {
      out.textFrom(value.keys[i].start, value.keys[i].length);
      writeMsgpack(out, value.items[i]);
    }
  }
}
