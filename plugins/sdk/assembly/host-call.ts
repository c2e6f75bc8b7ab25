import { free, lengthOf, loadBlock, storeBlock } from "./kernel";
import { MsgpackReader } from "./msgpack-reader";
import { MsgpackWriter } from "./msgpack-writer";
import { KIND_NUMBER, KIND_OBJECT, KIND_TEXT, Value } from "./value";

/** The code of an answer that is not what the capability's contract says. */
const MALFORMED = "EXO_MSGPACK";

/** One released answer buffer, kept for the next call: reading a file in parts then needs the memory of one part. */
let spare: usize = 0;
let spareSize: usize = 0;

/**
 * What a capability call came to: `code` is empty when the host did it, else the host's stable code (spec/errors.md), as in
 * `EXO_FS_NOT_FOUND`. The typed answers of each capability extend it.
 */
export class Answer {
  code: string = "";
  message: string = "";
  /** The members of `ok`; they point into memory that stays until `release`. */
  ok: Value = new Value(KIND_OBJECT);
  private memory: usize = 0;
  private room: usize = 0;

  /** Whether the call failed. */
  get failed(): bool {
    return this.code.length > 0;
  }

  /** The failure in one line: `EXO_FS_NOT_FOUND: There is no such file.` */
  get problem(): string {
    return this.code + ": " + this.message;
  }

  /** Takes over the answer block of a call, and frees it and the request. */
  receive(request: u64, handle: u64): void {
    free(request);
    const length = <usize>lengthOf(handle);
    this.reserve(length);
    loadBlock(handle, this.memory, length);
    free(handle);
    const answer = new MsgpackReader(this.memory, length).read();
    if (answer === null) return this.malformed();
    const ok = answer.get("ok");
    if (ok !== null && ok.kind == KIND_OBJECT) {
      this.ok = ok;
      return;
    }
    const error = answer.get("error");
    if (error === null) return this.malformed();
    const code = error.get("code");
    const message = error.get("message");
    if (code === null || message === null || code.kind != KIND_TEXT || message.kind != KIND_TEXT) return this.malformed();
    this.code = code.text();
    this.message = message.text();
    if (this.code.length == 0) this.malformed();
  }

  /** Gives the answer's memory back: no value of it may be used any more. */
  release(): void {
    if (this.room <= spareSize) return;
    spare = this.memory;
    spareSize = this.room;
    this.room = 0;
  }

  /** A member of the wanted kind; an empty one, and a failed answer, when the host did not send it. */
  member(name: string, kind: i32): Value {
    if (this.failed) return new Value(kind);
    const value = this.ok.get(name);
    if (value !== null && value.kind == kind) return value;
    this.malformed();
    return new Value(kind);
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(name: string): i64 {
    const value = this.member(name, KIND_NUMBER);
    if (value.isCount()) return <i64>value.number;
    this.malformed();
    return 0;
  }

  malformed(): void {
    this.code = MALFORMED;
    this.message = "the host's answer does not have the form of its capability";
  }

  private reserve(length: usize): void {
    if (length <= spareSize) {
      this.memory = spare;
      this.room = spareSize;
      spareSize = 0;
    } else {
      this.memory = heap.alloc(length);
      this.room = length;
    }
  }
}

/** Puts a request into a kernel block. */
export function sendRequest(request: MsgpackWriter): u64 {
  return storeBlock(request.out.start, request.out.length);
}
