import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type ErrorCode, ExoArmurError } from "../errors.js";
import { readBounded, writeAtomic } from "../home/atomic.js";
import type { CliContext } from "./context.js";
import { formatCount } from "./output.js";

/** What is read, and how much of it at most. `code` is the error of a larger one. */
export type InputKind = { readonly what: string; readonly maxBytes: number; readonly code: ErrorCode };

/** Bounds of everything the command reads from outside the home. */
export const inputs = {
  intent: { what: "intent", maxBytes: 1_048_576, code: "EXO_JSON_SIZE" },
  bundle: { what: "bundle", maxBytes: 536_870_912, code: "EXO_BUNDLE" },
  attestation: { what: "attestation", maxBytes: 16_777_216, code: "EXO_ATTESTATION" },
  answer: { what: "answer", maxBytes: 67_108_864, code: "EXO_OVERRIDE" },
  reExecution: { what: "re-execution report", maxBytes: 1_048_576, code: "EXO_ENVELOPE" },
  module: { what: "module", maxBytes: 67_108_864, code: "EXO_WASM_SIZE" },
  document: { what: "document", maxBytes: 67_108_864, code: "EXO_JSON_SIZE" },
  note: { what: "note", maxBytes: 1_048_576, code: "EXO_NOTE" },
  evidence: { what: "evidence", maxBytes: 536_870_912, code: "EXO_FILE" },
} as const satisfies Record<string, InputKind>;

/** Name of an input for messages. */
export function inputName(path: string): string {
  return path === "-" ? "standard input" : path;
}

/** True for the path of a folder, or of a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Reads a file, or standard input for `-`. A file that is too large is refused by its size, before it is read. EXO_FILE
 * for one that is missing, unreadable or no plain file.
 */
export async function readInput(context: CliContext, path: string, kind: InputKind): Promise<Uint8Array> {
  const { what, maxBytes, code } = kind;
  if (path === "-") {
    const bytes = await context.readStdin(maxBytes);
    if (bytes !== undefined) return bytes;
    throw new ExoArmurError(code, `the ${what} on standard input is larger than ${formatCount(maxBytes)} bytes`);
  }
  const file = resolve(context.cwd, path);
  const size = (await stat(file).catch(() => undefined))?.size ?? 0;
  if (size > maxBytes) {
    const message = `the ${what} ${path} has ${formatCount(size)} bytes, at most ${formatCount(maxBytes)} are read`;
    throw new ExoArmurError(code, message, { file });
  }
  const read = await readBounded(file, { maxBytes });
  if (read === undefined) throw new ExoArmurError("EXO_FILE", `${path} does not exist`, { file });
  return read.bytes;
}

/**
 * Writes a result to a file: the old content or the new is there at any instant. What stands there is replaced, unless
 * it is no plain file (a device, a folder) or the file `input` that the result was made from: EXO_FILE. Also EXO_FILE or
 * EXO_HOME_READ_ONLY when it cannot be written.
 */
export async function writeOutput(context: CliContext, path: string, bytes: Uint8Array, input?: string): Promise<void> {
  const file = resolve(context.cwd, path);
  const there = await stat(file).catch(() => undefined);
  if (there !== undefined && !there.isFile()) {
    throw new ExoArmurError("EXO_FILE", `${path} is no plain file, and is left as it is`, { file });
  }
  const source = input === undefined || input === "-" ? undefined : await stat(resolve(context.cwd, input));
  if (there !== undefined && source?.ino === there.ino && source.dev === there.dev) {
    throw new ExoArmurError("EXO_FILE", `${path} is the input itself, and is left as it is`, { file });
  }
  await writeAtomic(file, bytes);
}
