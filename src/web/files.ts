import { formatCount } from "../replay/story/format.js";
import { maxBytes } from "./check.js";

/** A file that was chosen. */
export type Named = { readonly name: string; readonly bytes: Uint8Array };

/** Reads one chosen file; says why when it is too large or cannot be read. */
export async function readFile(file: File): Promise<Named | string> {
  if (file.size > maxBytes)
    return `${file.name} has ${formatCount(file.size)} bytes, at most ${formatCount(maxBytes)} are read`;
  try {
    return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
  } catch (error) {
    return `${file.name} could not be read: ${String(error)}`;
  }
}
