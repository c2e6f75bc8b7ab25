import type { Trust } from "../contracts/trust.js";
import { type ErrorCode, isExoArmurError } from "../errors.js";
import { compareCheckpoint } from "../log/audit.js";
import { openCheckpoint, readCheckpoint } from "../log/checkpoint.js";
import type { StoreReader } from "../ports.js";
import type { LogCheck } from "../replay/audit-log.js";
import { trustedVkeys } from "../verify/check-log.js";

const since = { id: "since", title: "begins with the earlier checkpoint" } as const;

/** The check that a log begins with an earlier checkpoint: failed with what contradicts it, or passed. */
export function sinceCheck(failed: { code: ErrorCode; message: string } | undefined, passed: string): LogCheck {
  return failed === undefined ? { ...since, state: "pass", message: passed } : { ...since, state: "fail", ...failed };
}

/**
 * Compares a store with an earlier checkpoint, which a key of that log in the trust file must have signed. Fails with
 * EXO_NOTE, EXO_SIGNATURE, EXO_STORE_ROLLED_BACK for a store with fewer leaves, EXO_LOG_FORK for another root or log.
 */
export function checkSince(store: StoreReader, note: Uint8Array, trust: Trust): LogCheck {
  try {
    const { origin, size } = readCheckpoint(note);
    openCheckpoint(note, trustedVkeys(trust, origin));
    const found = compareCheckpoint(store, note);
    const [code, message] = contradictions[found];
    return sinceCheck(code === undefined ? undefined : { code, message }, `${size} leaves, as then`);
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return sinceCheck({ code: error.code, message: error.message }, "");
  }
}

const contradictions: Readonly<Record<ReturnType<typeof compareCheckpoint>, readonly [ErrorCode | undefined, string]>> =
  {
    consistent: [undefined, ""],
    behind: ["EXO_STORE_ROLLED_BACK", "the store has fewer leaves than the earlier checkpoint"],
    inconsistent: ["EXO_LOG_FORK", "the earlier checkpoint is of another log, or of another tree of its size"],
  };
