import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { formatTime } from "../canonical/time.js";
import type { Envelope } from "../contracts/dsse.js";
import { maxComparedBytes } from "../contracts/policy-change.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { ExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import type { StoreReader } from "../ports.js";
import { type ActivePolicy, type Proposal, readState, writeState } from "./documents.js";
import { runtimeActor } from "./intent-work.js";
import { appendSystemEvent } from "./orders.js";
import { openPolicy, requireRising } from "./signed-policy.js";
import { proposalKeys, stateKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/** Proposals that wait at once. */
const maxProposals = 16;

/**
 * Keeps a signed policy as a proposal (spec/control-plane.md, Policies): what could be put in force now, and is not. One
 * that waits already stays as it was proposed.
 *
 * @returns the proposal, and whether it is new
 * @throws ExoArmurError EXO_JSON_SIZE, EXO_POLICY_UNSIGNED, EXO_SCHEMA, EXO_CEDAR_ENGINE, EXO_POLICY_VERSION,
 * EXO_POLICY_PROPOSALS
 */
export async function propose(
  tx: LedgerTx,
  envelope: Envelope,
  ports: PipelinePorts,
): Promise<{ readonly proposal: Proposal; readonly added: boolean }> {
  const { inForce, policy, authors } = await openPolicy(envelope, ports, tx.size);
  const { document, envelope: signed } = inForce;
  if (document.bytes.length > maxComparedBytes) {
    const got = document.bytes.length;
    throw new ExoArmurError("EXO_JSON_SIZE", `a proposed policy has at most ${maxComparedBytes} bytes, got ${got}`);
  }
  const known = readProposal(tx, document.digest);
  if (known !== undefined) return { proposal: known, added: false };
  const active = readState<ActivePolicy>(tx, stateKeys.policy);
  if (active?.digest === document.digest) {
    throw new ExoArmurError("EXO_POLICY_VERSION", `the policy ${document.digest} is in force already`);
  }
  requireRising(active, policy);
  if ([...tx.range(proposalKeys.all)].length >= maxProposals) {
    throw new ExoArmurError("EXO_POLICY_PROPOSALS", `${maxProposals} policies are proposed; withdraw one first`);
  }
  const { policyId, version } = policy;
  const named = { policyId, version, envelopeDigest: signed.digest };
  const proposedAt = formatTime(ports.clock.now());
  const proposal: Proposal = { digest: document.digest, ...named, authors, proposedAt, envelope };
  writeState(tx, proposalKeys.one(document.digest), proposal);
  appendSystemEvent(tx, ports, "policy_proposed", { policyDigest: document.digest, ...named }, runtimeActor);
  return { proposal, added: true };
}

/** Takes a proposal back. `credential` is the id of the key whose session asks. EXO_POLICY_UNKNOWN. */
export function withdraw(tx: LedgerTx, digest: Digest, credential: string, ports: PipelinePorts): void {
  const { policyId, version } = requireProposal(tx, digest);
  tx.delete(proposalKeys.one(digest));
  const withdrawn = { policyDigest: digest, policyId, version, credential };
  appendSystemEvent(tx, ports, "policy_withdrawn", withdrawn, runtimeActor);
}

/** The proposals that wait, by digest. EXO_STORE_DAMAGED. */
export function listProposals(reader: Pick<StoreReader, "range" | "get">): Proposal[] {
  return [...reader.range(proposalKeys.all)].map(([key]) => {
    const found = readProposal(reader, `sha256:${key.slice("r/".length)}`);
    if (found === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `the proposal ${key} is gone`);
    return found;
  });
}

/** As readProposal. EXO_POLICY_UNKNOWN when there is none. */
export function requireProposal(reader: Pick<StoreReader, "get">, digest: Digest): Proposal {
  const found = readProposal(reader, digest);
  if (found !== undefined) return found;
  throw new ExoArmurError("EXO_POLICY_UNKNOWN", `no policy with the digest ${digest} is proposed`);
}

/** The bytes of a proposal's document. */
export function proposedBytes({ envelope }: Proposal): Uint8Array {
  return decodeBase64(envelope.payload) ?? new Uint8Array();
}

/** Drops the proposals that can no longer be activated, now that this version is in force. */
export function dropOvertaken(tx: LedgerTx, version: number): void {
  // Only what is named is read: a proposal that was damaged must not keep another policy from its place.
  const overtaken = [...tx.range(proposalKeys.all)]
    .map(([key]) => key)
    .filter((key) => (readState<Proposal>(tx, key)?.version ?? 0) <= version);
  for (const key of overtaken) tx.delete(key);
}

/** A stored proposal. EXO_STORE_DAMAGED unless document and envelope have the digests it names them by. */
function readProposal(reader: Pick<StoreReader, "get">, digest: Digest): Proposal | undefined {
  const found = readState<Proposal>(reader, proposalKeys.one(digest));
  if (found === undefined) return undefined;
  const whole =
    found.digest === digest &&
    digestOf(proposedBytes(found)) === digest &&
    digestOf(canonicalize(found.envelope)) === found.envelopeDigest;
  if (whole) return found;
  throw new ExoArmurError("EXO_STORE_DAMAGED", `the proposed policy ${digest} has other bytes`);
}
