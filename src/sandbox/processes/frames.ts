import { decodeAbi, encodeAbi } from "../../canonical/msgpack.js";
import { ExoArmurError } from "../../errors.js";
import type { AbiValue } from "../../ports.js";

/** Lengths of head and body, two big-endian u32, stand before every frame. */
export const frameHeaderBytes = 8;

/** Most bytes of a frame's head. */
const frameHeadBytes = 16_384;

/** One message between host and child process: a small document of the msgpack profile, and bytes. */
export type Frame = { readonly head: AbiValue; readonly body: Uint8Array };

/** The bytes before a frame's body. EXO_MSGPACK for a head outside the profile, EXO_INTERNAL for one too large. */
export function encodeFrameHead(head: AbiValue, bodyBytes: number): Uint8Array {
  const encoded = encodeAbi(head);
  if (encoded.byteLength > frameHeadBytes) {
    throw new ExoArmurError("EXO_INTERNAL", `a frame's head has ${encoded.byteLength} bytes`);
  }
  const bytes = new Uint8Array(frameHeaderBytes + encoded.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, encoded.byteLength);
  view.setUint32(4, bodyBytes);
  bytes.set(encoded, frameHeaderBytes);
  return bytes;
}

/** Reads the lengths of a frame. */
export function decodeFrameHeader(bytes: Uint8Array): { readonly head: number; readonly body: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { head: view.getUint32(0), body: view.getUint32(4) };
}

/** Reads a frame's head strictly. EXO_MSGPACK. */
export function decodeFrameHead(bytes: Uint8Array): AbiValue {
  return decodeAbi(bytes, { maxBytes: frameHeadBytes, maxDepth: 3 });
}

/**
 * Cuts a stream of untrusted bytes into frames. Lengths are judged before anything is kept for them, so what is held is
 * at most one frame of the size that is allowed at the moment, and the chunk that came last.
 */
export class FrameReader {
  readonly #mostBody: () => number;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #next: { readonly head: number; readonly body: number } | undefined;

  /** @param mostBody Most bytes of a body, asked when a frame begins. */
  constructor(mostBody: () => number) {
    this.#mostBody = mostBody;
  }

  /** True when bytes are held that are not yet part of a frame that was returned. */
  get partial(): boolean {
    return this.#held > 0 || this.#next !== undefined;
  }

  /** Adds bytes that came. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
  }

  /** The next whole frame. Throws EXO_MSGPACK for a head that is no document, EXO_SCHEMA for a frame too large. */
  next(): Frame | undefined {
    if (this.#next === undefined) {
      if (this.#held < frameHeaderBytes) {
        return undefined;
      }
      const lengths = decodeFrameHeader(this.#take(frameHeaderBytes));
      const most = this.#mostBody();
      if (lengths.head > frameHeadBytes || lengths.body > most) {
        const got = `${lengths.head} and ${lengths.body}`;
        throw new ExoArmurError(
          "EXO_SCHEMA",
          `expected a frame of at most ${frameHeadBytes} and ${most} bytes, got ${got}`,
        );
      }
      this.#next = lengths;
    }
    const { head, body } = this.#next;
    if (this.#held < head + body) {
      return undefined;
    }
    this.#next = undefined;
    return { head: decodeFrameHead(this.#take(head)), body: this.#take(body) };
  }

  /** Takes so many bytes off the front, copied. */
  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const chunk = this.#chunks[0] as Uint8Array;
      const part = chunk.subarray(0, length - at);
      taken.set(part, at);
      at += part.byteLength;
      if (part.byteLength === chunk.byteLength) {
        this.#chunks.shift();
      } else {
        this.#chunks[0] = chunk.subarray(part.byteLength);
      }
    }
    this.#held -= length;
    return taken;
  }
}
