import { z } from "zod";
import { readJson } from "../canonical/read.js";
import { base64Schema } from "../contracts/common.js";

/** Longest line a signer program may send, in bytes without its newline. */
const maxLineBytes = 4096;

const hello = z.strictObject({ publicKey: base64Schema.length(44) });
const answer = z.union([
  z.strictObject({ id: z.number().int().min(1), signature: base64Schema.length(88) }),
  z.strictObject({ id: z.number().int().min(1), error: z.string().min(1).max(1000) }),
]);

/** The first line of a signer program: its raw public key in base64. */
export type Hello = z.infer<typeof hello>;

/** Any later line: the 64 bytes of a signature in base64, or why there is none. */
export type Answer = z.infer<typeof answer>;

/** Reads the first line of a signer program; undefined unless it is one. */
export function readHello(line: Uint8Array): Hello | undefined {
  return readLine(hello, line);
}

/** Reads a later line of a signer program; undefined unless it is an answer. */
export function readAnswer(line: Uint8Array): Answer | undefined {
  return readLine(answer, line);
}

function readLine<T>(schema: z.ZodType<T>, line: Uint8Array): T | undefined {
  try {
    const parsed = schema.safeParse(readJson(line, { maxBytes: maxLineBytes }));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Cuts a stream into lines. `take` gives the lines that are whole now, without their newlines, or undefined once a line is
 * longer than `maxLineBytes`: nothing after that can be trusted to be a line.
 */
export function createLineReader(): { take(chunk: Uint8Array): Uint8Array[] | undefined } {
  let rest: Uint8Array = new Uint8Array(0);
  return {
    take(chunk) {
      const bytes = Buffer.concat([rest, chunk]);
      const lines: Uint8Array[] = [];
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        lines.push(bytes.subarray(start, end));
        start = end + 1;
      }
      rest = bytes.subarray(start);
      return [rest, ...lines].some(({ length }) => length > maxLineBytes) ? undefined : lines;
    },
  };
}
