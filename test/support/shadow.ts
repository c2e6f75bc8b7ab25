import { unsalt } from "../../src/contracts/material.js";
import { type PolicyRule, policySchema } from "../../src/contracts/policy.js";
import { type ShadowStatement, shadowStatementSchema } from "../../src/contracts/shadow.js";
import { decodeUtf8 } from "../../src/crypto/encoding.js";
import { shadowPolicy } from "../../src/pipeline/shadow.js";
import { shadowKeys } from "../../src/pipeline/store-keys.js";
import type { ShadowPolicy } from "../../src/pipeline/types.js";
import type { StoreReader } from "../../src/ports.js";

/** A candidate of these rules. */
export function candidateOf(rules: readonly PolicyRule[], version = 9): ShadowPolicy {
  return shadowPolicy(policySchema.parse({ schema: "exoarmur.policy/v1", policyId: "candidate", version, rules }));
}

/** A candidate that denies everything. */
export const denyAll = candidateOf([]);

/** A candidate that allows everything. */
export const allowAll = candidateOf([{ id: "all", match: {}, verdict: "allow" }]);

/** Every stored shadow decision, as it lies there. */
export function storedShadows(store: StoreReader): { key: string; bytes: Uint8Array; statement: ShadowStatement }[] {
  return [...store.range(shadowKeys.all)].map(([key, bytes]) => {
    const statement = shadowStatementSchema.parse(JSON.parse(decodeUtf8(unsalt(bytes) ?? bytes) ?? ""));
    return { key, bytes, statement };
  });
}
