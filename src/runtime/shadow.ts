import { readBounded } from "../home/atomic.js";
import { maxDocumentBytes } from "../home/document.js";
import { shadowPolicy } from "../pipeline/shadow.js";
import type { ShadowPolicy } from "../pipeline/types.js";
import { readPolicy } from "../policy/read.js";
import type { World } from "./system.js";

/**
 * Reads a home's candidate for shadow mode. One that is missing or broken must not keep the home from its work: the
 * runtime starts without it and says so at the level `warn`, and `policy shadow` counts the decisions it was not asked
 * about (spec/what-if.md).
 */
export async function readShadow(file: string | null, { logger }: World): Promise<ShadowPolicy | undefined> {
  if (file === null) return undefined;
  try {
    const read = await readBounded(file, { maxBytes: maxDocumentBytes });
    if (read === undefined) throw new Error(`${file} is missing`);
    return shadowPolicy(readPolicy(read.bytes, file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    logger.log("warn", `shadow mode is off, its policy cannot be used: ${why}`);
    return undefined;
  }
}
