import { decodeBase64, encodeBase64 } from "../../sdk/assembly/base64";
import {
  fsAppend, fsList, fsMakeDirectory, fsRead, fsRemove, fsRename, fsStat, fsWrite,
} from "../../sdk/assembly/files";
import { fail } from "../../sdk/assembly/io";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { isUtf8 } from "../../sdk/assembly/utf8";
import { Value } from "../../sdk/assembly/value";

const ENCODINGS = ["utf8", "base64"];
const MODES = ["create", "replace"];

/** {path, encoding?: "utf8" | "base64"} -> {path, size, text | base64} */
export function read(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const base64 = parameters.choice("encoding", ENCODINGS) == 1;
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
  const content = new Content(parameters);
  const mode = MODES[parameters.choice("mode", MODES)];
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const written = fsWrite(path, content.start, content.length, mode);
  return written.failed ? refuse("fs_write", path, written.problem) : reportSize(path, written.size);
}

/** {path, text | base64} -> {path, size} */
export function append(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const content = new Content(parameters);
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const written = fsAppend(path, content.start, content.length);
  return written.failed ? refuse("fs_append", path, written.problem) : reportSize(path, written.size);
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

/** {path} -> {path, size, type} */
export function stat(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const found = fsStat(path);
  if (found.failed) return refuse("fs_stat", path, found.problem);
  const out = new JsonWriter();
  out.beginObject();
  writePath(out, path);
  out.key("size");
  out.integer(found.size);
  out.key("type");
  out.text(found.type);
  out.endObject();
  return out.finish();
}

/** {path} -> {made: true, path} */
export function mkdir(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const made = fsMakeDirectory(path);
  if (made.failed) return refuse("fs_mkdir", path, made.problem);
  const out = new JsonWriter();
  out.beginObject();
  out.key("made");
  out.boolean(true);
  writePath(out, path);
  out.endObject();
  return out.finish();
}

/** {path, to, mode?: "create" | "replace"} -> {path, to} */
export function rename(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const to = parameters.text("to");
  const mode = MODES[parameters.choice("mode", MODES)];
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const renamed = fsRename(path, to, mode);
  if (renamed.failed) return refuse("fs_rename", path, renamed.problem);
  const out = new JsonWriter();
  out.beginObject();
  writePath(out, path);
  out.key("to");
  out.textFrom(to.start, to.length);
  out.endObject();
  return out.finish();
}

/** What to write: exactly one of the parameters `text` and `base64`. */
class Content {
  start: usize = 0;
  length: usize = 0;

  constructor(parameters: Parameters) {
    const text = parameters.optionalText("text");
    const base64 = parameters.optionalText("base64");
    if ((text === null) == (base64 === null)) {
      parameters.refuse('exactly one of the parameters "text" and "base64" is needed');
    } else if (text !== null) {
      this.start = text.start;
      this.length = text.length;
    } else if (base64 !== null) {
      const bytes = decodeBase64(base64.start, base64.length);
      if (bytes === null) parameters.refuse('parameter "base64" is not standard padded base64');
      else {
        this.start = bytes.dataStart;
        this.length = bytes.length;
      }
    }
  }
}

function reportSize(path: Value, size: i64): i32 {
  const out = new JsonWriter();
  out.beginObject();
  writePath(out, path);
  out.key("size");
  out.integer(size);
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
