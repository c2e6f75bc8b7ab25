import { errorSet, inputLength, loadInput, outputSet, storeBlock } from "./kernel";

/** The call's input: canonical JSON of the intent's parameters unless the manifest says otherwise. */
export function readInput(): Uint8Array {
  const bytes = new Uint8Array(<i32>inputLength());
  loadInput(bytes.dataStart, bytes.length);
  return bytes;
}

/** The input decoded as UTF-8. */
export function inputText(): string {
  const bytes = readInput();
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** Sets the output and returns 0, the exported function's success code: `return writeOutput(bytes);`. */
export function writeOutput(bytes: Uint8Array): i32 {
  return writeOutputFrom(bytes.dataStart, bytes.length);
}

/** Sets the output to the text's UTF-8 form; returns 0. */
export function writeOutputText(text: string): i32 {
  const utf8 = String.UTF8.encode(text);
  return writeOutputFrom(changetype<usize>(utf8), utf8.byteLength);
}

/** Sets the output to bytes at an address; returns 0. */
export function writeOutputFrom(start: usize, length: usize): i32 {
  outputSet(storeBlock(start, length), length);
  return 0;
}

/** Sets the error message and returns 1, the exported function's failure code: `return fail("...");`. */
export function fail(message: string): i32 {
  const utf8 = String.UTF8.encode(message);
  errorSet(storeBlock(changetype<usize>(utf8), utf8.byteLength));
  return 1;
}

/**
 * Stands in for AssemblyScript's imported `abort` (`--use abort=plugins/sdk/assembly/io/abortRun`): a broken invariant of
 * the plugin or its runtime, such as an index out of range, sets a short error text and traps.
 */
export function abortRun(message: string | null, file: string | null, line: u32, _column: u32): void {
  const what = message === null ? "aborted" : message;
  const where = file === null ? "" : " (" + file + ":" + line.toString() + ")";
  fail(what + where);
  unreachable();
}
