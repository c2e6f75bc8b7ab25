import { parseCanonical } from "../canonical/read.js";
import { type DeniedCall, findDenied } from "../capabilities/answers.js";
import { parseContract } from "../contracts/common.js";
import { type HostCall, hostCallSchema } from "../contracts/execution.js";
import { unsalt } from "../contracts/material.js";
import type { StoreReader } from "../ports.js";
import type { IntentRecord } from "./documents.js";
import { blobKey } from "./store-keys.js";

/**
 * The first call outside its grant of a run that ended for it, from the recorded transcript; null for other ends, and once
 * that call was dropped from the store.
 */
export function deniedCallOf(reader: StoreReader, record: IntentRecord): DeniedCall | null {
  if (record.execution?.status !== "capability_denied") return null;
  const calls = record.materials.flatMap(({ role, digest }): HostCall[] => {
    const stored = role === "host_call" ? reader.get(blobKey(digest)) : undefined;
    const content = stored === undefined ? undefined : unsalt(stored);
    return content === undefined ? [] : [parseContract(hostCallSchema, parseCanonical(content), "stored host call")];
  });
  return findDenied(calls);
}
