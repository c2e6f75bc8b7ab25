import { Answer, sendRequest } from "./host-call";
import { MsgpackWriter } from "./msgpack-writer";
import { KIND_ARRAY, KIND_BYTES, KIND_TEXT, Value } from "./value";

// @ts-ignore: decorator
@external("extism:host/user", "fs_read")
declare function hostFsRead(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_write")
declare function hostFsWrite(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_list")
declare function hostFsList(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_stat")
declare function hostFsStat(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_remove")
declare function hostFsRemove(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_append")
declare function hostFsAppend(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_mkdir")
declare function hostFsMkdir(request: u64): u64;
// @ts-ignore: decorator
@external("extism:host/user", "fs_rename")
declare function hostFsRename(request: u64): u64;

/** Bytes of a file, valid until release(). */
export class FileAnswer extends Answer {
  start: usize = 0;
  length: usize = 0;
  /** Size of the whole file in bytes. */
  size: i64 = 0;

  /** A copy of the bytes. */
  bytes(): Uint8Array {
    const copy = new Uint8Array(<i32>this.length);
    memory.copy(copy.dataStart, this.start, this.length);
    return copy;
  }
}

/** Size of a file, and the type when it was asked for: `file` or `directory`. */
export class StatAnswer extends Answer {
  size: i64 = 0;
  type: string = "";
}

/** The entries of a directory, sorted by name: objects with `name` and `type` (text) and `size` (a count). */
export class ListAnswer extends Answer {
  entries: Value[] = [];
}

/** Capability `fs_read`, the whole file. Paths are root-alias paths such as `data/orders.csv`, as text values. */
export function fsRead(path: Value): FileAnswer {
  const request = new MsgpackWriter();
  request.map(1);
  writePath(request, path);
  return readAnswer(request);
}

/** Capability `fs_read`, up to `length` bytes from `offset`. */
export function fsReadPart(path: Value, offset: i64, length: i64): FileAnswer {
  const request = new MsgpackWriter();
  request.map(3);
  request.key("length");
  request.integer(length);
  request.key("offset");
  request.integer(offset);
  writePath(request, path);
  return readAnswer(request);
}

/** Capability `fs_write`. `mode` is create (refused when the file exists) or replace. */
export function fsWrite(path: Value, start: usize, length: usize, mode: string): StatAnswer {
  const request = new MsgpackWriter();
  request.map(3);
  request.key("bytes");
  request.binary(start, length);
  request.key("mode");
  request.text(mode);
  writePath(request, path);
  const answer = new StatAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostFsWrite(sent));
  answer.size = answer.count("size");
  return answer;
}

/** Capability `fs_list`. */
export function fsList(path: Value): ListAnswer {
  const answer = new ListAnswer();
  const sent = sendRequest(pathOnly(path));
  answer.receive(sent, hostFsList(sent));
  const entries = answer.member("entries", KIND_ARRAY).items;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    const size = entry.get("size");
    if (size === null || !size.isCount() || !hasText(entry, "name") || !hasText(entry, "type")) {
      answer.malformed();
      return answer;
    }
  }
  answer.entries = entries;
  return answer;
}

/** Capability `fs_stat`. */
export function fsStat(path: Value): StatAnswer {
  const answer = new StatAnswer();
  const sent = sendRequest(pathOnly(path));
  answer.receive(sent, hostFsStat(sent));
  answer.size = answer.count("size");
  answer.type = answer.member("type", KIND_TEXT).text();
  return answer;
}

/** Capability `fs_remove`. */
export function fsRemove(path: Value): Answer {
  const answer = new Answer();
  const sent = sendRequest(pathOnly(path));
  answer.receive(sent, hostFsRemove(sent));
  return answer;
}

/** Capability `fs_append`: adds to the end of a file, which it makes if there is none. `size` is the whole file's. */
export function fsAppend(path: Value, start: usize, length: usize): StatAnswer {
  const request = new MsgpackWriter();
  request.map(2);
  request.key("bytes");
  request.binary(start, length);
  writePath(request, path);
  const answer = new StatAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostFsAppend(sent));
  answer.size = answer.count("size");
  return answer;
}

/** Capability `fs_mkdir`: makes one directory. */
export function fsMakeDirectory(path: Value): Answer {
  const answer = new Answer();
  const sent = sendRequest(pathOnly(path));
  answer.receive(sent, hostFsMkdir(sent));
  return answer;
}

/** Capability `fs_rename`. `mode` is create (refused when `to` exists) or replace. */
export function fsRename(path: Value, to: Value, mode: string): Answer {
  const request = new MsgpackWriter();
  request.map(3);
  request.key("mode");
  request.text(mode);
  writePath(request, path);
  request.key("to");
  request.textFrom(to.start, to.length);
  const answer = new Answer();
  const sent = sendRequest(request);
  answer.receive(sent, hostFsRename(sent));
  return answer;
}

function readAnswer(request: MsgpackWriter): FileAnswer {
  const answer = new FileAnswer();
  const sent = sendRequest(request);
  answer.receive(sent, hostFsRead(sent));
  const bytes = answer.member("bytes", KIND_BYTES);
  answer.start = bytes.start;
  answer.length = bytes.length;
  answer.size = answer.count("size");
  return answer;
}

function pathOnly(path: Value): MsgpackWriter {
  const request = new MsgpackWriter();
  request.map(1);
  writePath(request, path);
  return request;
}

function writePath(request: MsgpackWriter, path: Value): void {
  request.key("path");
  request.textFrom(path.start, path.length);
}

function hasText(entry: Value, name: string): bool {
  const value = entry.get(name);
  return value !== null && value.kind == KIND_TEXT;
}
