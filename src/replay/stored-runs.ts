import type { z } from "zod";
import { type Digest, digestOf } from "../canonical/digest.js";
import { decodeAbi, isAbiMap } from "../canonical/msgpack.js";
import { parseCanonical } from "../canonical/read.js";
import { transcriptBytes } from "../capabilities/bounds.js";
import { parseContract } from "../contracts/common.js";
import { type HostCall, hostCallSchema } from "../contracts/execution.js";
import { type Grants, grantsSchema } from "../contracts/manifest.js";
import { unsalt } from "../contracts/material.js";
import { decodeBase64Url } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { blobKey } from "../pipeline/store-keys.js";
import type { AbiValue, StoreReader } from "../ports.js";

/** The grants a run had, by the digest its start names. EXO_STORE_DAMAGED, EXO_JSON_*, EXO_SCHEMA. */
export function storedGrants(store: StoreReader, digest: Digest): Grants {
  return storedDocument(store, digest, grantsSchema, "stored grants");
}

/** The host calls of a run in order, one at a time: a transcript may be large. EXO_STORE_DAMAGED, EXO_JSON_*, EXO_SCHEMA. */
export function* storedCalls(store: StoreReader, { materials }: IntentRecord): Generator<HostCall> {
  for (const { role, digest } of materials) {
    if (role === "host_call") yield storedDocument(store, digest, hostCallSchema, "stored host call");
  }
}

/** A map that is written as msgpack in base64url, as requests and answers are; null when it is none. */
export function mapOf(text: string): Readonly<Record<string, AbiValue>> | null {
  const bytes = decodeBase64Url(text);
  if (bytes === undefined) return null;
  const value = decodeAbi(bytes, { maxBytes: transcriptBytes });
  return isAbiMap(value) ? value : null;
}

function storedDocument<T>(store: StoreReader, digest: Digest, schema: z.ZodType<T>, what: string): T {
  const bytes = store.get(blobKey(digest));
  const content = bytes !== undefined && digestOf(bytes) === digest ? unsalt(bytes) : undefined;
  if (content === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `${what} ${digest} are missing or altered`);
  return parseContract(schema, parseCanonical(content), what);
}
