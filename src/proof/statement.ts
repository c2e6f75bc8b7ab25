import type { Digest } from "../canonical/digest.js";
import { digestOf } from "../canonical/digest.js";
import { canonicalizeOwn, canonicalRevision } from "../canonical/jcs.js";
import {
  type MaterialRole,
  materialRoles,
  type Predicate,
  predicateType,
  type Statement,
  statementType,
} from "../contracts/bundle.js";
import { type Envelope, payloadTypes, signEnvelope } from "../contracts/dsse.js";
import { abiRevision, bundleRevision } from "../contracts/revisions.js";
import { policyRevision } from "../policy/evaluate.js";
import type { Signer } from "../ports.js";
import { safetyRevision } from "../safety/gate.js";
import { meterRevision } from "../wasm/fuel.js";

/** A material by role, as a statement names it. */
export type MaterialRef = { readonly role: MaterialRole; readonly digest: Digest };

/** Everything a statement says that is not the same for every bundle of this build. */
export type StatementFacts = Omit<Predicate, "revisions" | "materials"> & {
  readonly materials: readonly MaterialRef[];
};

/** Revisions of every numbered behaviour of this build. */
export const currentRevisions = {
  bundle: bundleRevision,
  canonical: canonicalRevision,
  meter: meterRevision,
  abi: abiRevision,
  policy: policyRevision,
  safety: safetyRevision,
} as const;

/** A signed statement: the envelope, and the digest of its payload bytes, which is the bundle's leaf in the log. */
export type SignedStatement = { readonly envelope: Envelope; readonly digest: Digest };

function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** Builds the in-toto statement of spec/bundle.md. A digest that occurs under two roles is named under both. */
export function buildStatement(facts: StatementFacts): Statement {
  const { materials, ...rest } = facts;
  const intent = materials.find((material) => material.role === "intent");
  const output = materials.find((material) => material.role === "output");
  if (intent === undefined) throw new TypeError("a statement needs the intent's material");
  return {
    _type: statementType,
    subject: [
      { name: "intent", digest: { sha256: hexOf(intent.digest) } },
      ...(output === undefined ? [] : [{ name: "output" as const, digest: { sha256: hexOf(output.digest) } }]),
    ],
    predicateType,
    predicate: {
      revisions: currentRevisions,
      ...rest,
      materials: materials.map(({ role, digest }) => ({ role, digest, salted: materialRoles[role].salted })),
    },
  };
}

/** Signs a statement's canonical bytes as DSSE with the runtime's key. */
export async function signStatement(statement: Statement, signer: Signer): Promise<SignedStatement> {
  const payload = canonicalizeOwn(statement);
  return { envelope: await signEnvelope(payloadTypes.statement, payload, signer), digest: digestOf(payload) };
}
