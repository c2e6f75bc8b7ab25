import { decodeBase64, encodeBase64 } from "../../sdk/assembly/base64";
import { fsList, fsRead, fsRemove, fsWrite } from "../../sdk/assembly/files";
import { fail } from "../../sdk/assembly/io";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { isUtf8 } from "../../sdk/assembly/utf8";
import { Value } from "../../sdk/assembly/value";

/** {path, encoding?: "utf8" | "base64"} -> {path, size, text | base64} */
export function read(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const base64 = parameters.choice("encoding", ["utf8", "base64"]) == 1;
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const file = fsRead(path);
  if (file.failed) return refuse("fs_read", path, file.problem);
  if (!base64 && !isUtf8(file.start, file.length)) return refuse("fs_read", path, 'not UTF-8; read it with encoding "base64"');
  const out = new JsonWriter();
  out.beginObject();
  if (base64) {
    const text = encodeBase64(file.start, file.length);
    out.key("base64");
    out.plainFrom(text.dataStart, text.length);
  }
  writePath(out, path);
  out.key("size");
  out.integer(file.size);
  if (!base64) {
    out.key("text");
    out.textFrom(file.start, file.length);
  }
  out.endObject();
  return out.finish();
}

/** {path, text | base64, mode?: "create" | "replace"} -> {path, size} */
export function write(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const text = parameters.optionalText("text");
  const base64 = parameters.optionalText("base64");
  const mode = parameters.choice("mode", ["create", "replace"]) == 1 ? "replace" : "create";
  let problem = parameters.finish();
  if (problem !== null) return fail(problem);
  if ((text === null) == (base64 === null)) return fail('exactly one of the parameters "text" and "base64" is needed');
  let start: usize = 0;
  let length: usize = 0;
  if (text !== null) {
    start = text.start;
    length = text.length;
  } else if (base64 !== null) {
    const bytes = decodeBase64(base64.start, base64.length);
    if (bytes === null) return fail('parameter "base64" is not standard padded base64');
    start = bytes.dataStart;
    length = bytes.length;
  }
  const written = fsWrite(path, start, length, mode);
  if (written.failed) return refuse("fs_write", path, written.problem);
  const out = new JsonWriter();
  out.beginObject();
  writePath(out, path);
  out.key("size");
  out.integer(written.size);
  out.endObject();
  return out.finish();
}

/** {path} -> {path, entries: [{name, type, size}]}, sorted by name */
export function list(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const listing = fsList(path);
  if (listing.failed) return refuse("fs_list", path, listing.problem);
  const out = new JsonWriter();
  out.beginObject();
  out.key("entries");
  out.beginArray();
  for (let i = 0; i < listing.entries.length; i++) {
    const entry = listing.entries[i];
    const name = entry.get("name")!;
    const type = entry.get("type")!;
    out.beginObject();
    out.key("name");
    out.textFrom(name.start, name.length);
    out.key("size");
    out.integer(<i64>entry.get("size")!.number);
    out.key("type");
    out.textFrom(type.start, type.length);
    out.endObject();
  }
  out.endArray();
  writePath(out, path);
  out.endObject();
  return out.finish();
}

/** {path} -> {path, removed: true} */
export function remove(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const removed = fsRemove(path);
  if (removed.failed) return refuse("fs_remove", path, removed.problem);
  const out = new JsonWriter();
  out.beginObject();
  writePath(out, path);
  out.key("removed");
  out.boolean(true);
  out.endObject();
  return out.finish();
}

function writePath(out: JsonWriter, path: Value): void {
  out.key("path");
  out.textFrom(path.start, path.length);
}

function refuse(capability: string, path: Value, problem: string): i32 {
  return fail(capability + " " + path.text() + ": " + problem);
}
