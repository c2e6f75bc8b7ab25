import { isExoArmurError, type Refusal } from "../errors.js";
import { readBounded } from "../home/atomic.js";
import { maxDocumentBytes } from "../home/document.js";
import { shadowPolicy } from "../pipeline/shadow.js";
import type { ShadowPolicy } from "../pipeline/types.js";
import { readPolicy } from "../policy/read.js";
import type { World } from "./system.js";

/** A candidate that can be asked, or why it cannot. */
type Candidate =
  | { readonly candidate: ShadowPolicy; readonly problem?: never }
  | { readonly candidate?: never; readonly problem: Refusal };

/** Reads a candidate's file: a policy in JSON or YAML, signed by nobody. EXO_FILE, EXO_JSON_*, EXO_YAML, EXO_SCHEMA as values. */
export async function readCandidate(file: string): Promise<Candidate> {
  try {
    const read = await readBounded(file, { maxBytes: maxDocumentBytes });
    if (read === undefined) return { problem: { code: "EXO_FILE", message: `${file} does not exist` } };
    return { candidate: shadowPolicy(readPolicy(read.bytes, file)) };
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return { problem: { code: error.code, message: error.message } };
  }
}

/**
 * A home's candidate for shadow mode. One that is missing or broken must not keep the home from its work: the runtime
 * starts without it and says so at the level `warn`, `doctor` shows it, and `policy shadow` counts the decisions it was
 * not asked about (spec/what-if.md).
 */
export async function readShadow(file: string | null, { logger }: World): Promise<ShadowPolicy | undefined> {
  if (file === null) return undefined;
  try {
    const { candidate, problem } = await readCandidate(file);
    if (problem !== undefined)
      logger.log("warn", `shadow mode is off, its policy cannot be used: ${problem.code}: ${problem.message}`);
    return candidate;
  } catch (error) {
    // A fault of reading it is none of the home's either.
    logger.log("warn", "shadow mode is off, reading its policy failed", { error: String(error) });
    return undefined;
  }
}
