import { type Digest, digestOf } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { unsalt } from "../contracts/material.js";
import { type ShadowStatement, shadowStatementSchema } from "../contracts/shadow.js";
import { ExoArmurError, isExoArmurError, type Refusal } from "../errors.js";
import type { EventRef } from "../pipeline/documents.js";
import { shadowKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";

/** One stored shadow decision: its key, the digest of its leaf, and what it says or why it cannot be read. */
export type RecordedShadow = { readonly key: string; readonly digest: Digest } & (
  | { readonly statement: ShadowStatement; readonly damage?: never }
  | { readonly statement?: never; readonly damage: Refusal }
);

/** Every stored shadow decision, by intent and then by the enforced decision it stands beside. */
export function* recordedShadows(store: StoreReader): Generator<RecordedShadow> {
  for (const [key, bytes] of store.range(shadowKeys.all)) yield readOne(key, bytes);
}

function readOne(key: string, bytes: Uint8Array): RecordedShadow {
  const digest = digestOf(bytes);
  try {
    return { key, digest, statement: readShadow(key, bytes) };
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return { key, digest, damage: { code: error.code, message: error.message } };
  }
}

/** The shadow decision beside an enforced one, or undefined when no candidate was asked. */
export function shadowBeside(store: StoreReader, intentId: string, { sequence }: EventRef): RecordedShadow | undefined {
  const key = shadowKeys.one(intentId, sequence);
  const bytes = store.get(key);
  return bytes === undefined ? undefined : readOne(key, bytes);
}

/** Reads a stored shadow decision. EXO_STORE_DAMAGED, EXO_JSON_*, EXO_SCHEMA; also when it lies under another key. */
function readShadow(key: string, bytes: Uint8Array): ShadowStatement {
  const content = unsalt(bytes);
  if (content === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `the shadow decision ${key} is cut short`);
  const statement = parseContract(shadowStatementSchema, parseCanonical(content), "shadow decision");
  const { intentId, enforced } = statement.predicate;
  if (shadowKeys.one(intentId, enforced.sequence) !== key)
    throw new ExoArmurError("EXO_STORE_DAMAGED", `the shadow decision ${key} is about another decision`);
  return statement;
}
