import type { Digest } from "../canonical/digest.js";
import type { Trust } from "../contracts/trust.js";
import { encodeHex } from "../crypto/encoding.js";
import { type NoteKey, noteKey, parseVkey } from "../crypto/note-key.js";
import { isExoArmurError } from "../errors.js";
import { openCheckpoint, readCheckpoint } from "../log/checkpoint.js";
import { type LeafKind, leafBytes } from "../log/leaf.js";
import { type ProofFile, parseProofFile } from "../log/proof-file.js";
import { leafHash, verifyInclusion } from "../log/tree.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable, unable } from "./report.js";

/** The bundle's own log proof. Ends the check: unable when it carries none, failed when it is malformed. */
export function proofOf(evidence: Evidence): ProofFile {
  if (evidence.bundle.logProof === "") return unable("EXO_MATERIAL_MISSING", "the bundle carries no log proof");
  return readProof(evidence.bundle.logProof);
}

/** Reads a log proof; ends the check as failed when it is none. */
export function readProof(text: string): ProofFile {
  try {
    return parseProofFile(text);
  } catch (error) {
    if (isExoArmurError(error)) return fail(error.code, error.message);
    throw error;
  }
}

/** The statement's leaf is in the tree that the checkpoint names. */
export function checkInclusion(evidence: Evidence): string {
  return checkLeaf(proofOf(evidence), "bundle", evidence.digest, "the statement");
}

/** A leaf is where its proof says, in the tree that the proof's checkpoint names. */
export function checkLeaf(proof: ProofFile, kind: LeafKind, digest: Digest, what: string): string {
  const { size, root } = readCheckpoint(proof.checkpoint);
  expect(proof.extra === undefined, "EXO_LOG_PROOF", "the log proof carries extra data that nothing signs");
  const included = verifyInclusion({
    leafHash: leafHash(leafBytes(kind, digest)),
    index: proof.index,
    size,
    proof: proof.proof,
    root,
  });
  expect(included, "EXO_LOG_PROOF", `${what} is not leaf ${proof.index} of the checkpoint's ${size}`);
  return `log position ${proof.index} of ${size}`;
}

/** The checkpoint is signed by the log's key. */
export function checkCheckpoint(evidence: Evidence, keys: KeySource): string {
  const { checkpoint } = proofOf(evidence);
  return `log ${requireLogSignature(checkpoint, keys)}`;
}

/** Fails unless a trusted log signed the checkpoint; gives the log's origin. */
export function requireLogSignature(checkpoint: string, keys: KeySource): string {
  const { origin } = readCheckpoint(checkpoint);
  const vkeys =
    keys.trust === null
      ? keys.keysFor("log").map((key) => noteKey(origin, key.publicKey))
      : trustedVkeys(keys.trust, origin);
  return checkNote(checkpoint, vkeys);
}

/** Keys a trust file has for a log. */
export function trustedVkeys(trust: Trust, origin: string): NoteKey[] {
  return trust.logs.filter((log) => log.origin === origin).map((log) => parseVkey(log.vkey));
}

/** A checkpoint carries a signature by one of these keys. */
export function checkNote(checkpoint: string, vkeys: readonly NoteKey[]): string {
  const { origin } = readCheckpoint(checkpoint);
  expect(vkeys.length > 0, "EXO_TRUST", `no key is trusted for the log ${origin}`);
  const opened = openCheckpoint(checkpoint, vkeys);
  expect(opened.signatures.length > 0, "EXO_NOTE", `the checkpoint carries no signature of ${origin}`);
  return origin;
}

/** Enough trusted witnesses cosigned the checkpoint, where the trust file asks for them. */
export function checkWitnesses(evidence: Evidence, { trust }: KeySource): string {
  return countWitnesses(trust, () => proofOf(evidence).checkpoint);
}

/** Do the witnesses a trust file asks for stand behind a checkpoint? */
export function countWitnesses(trust: Trust | null, checkpointOf: () => string): string {
  const threshold =
    trust === null ? 0 : Math.max(trust.witnesses.threshold, trust.require?.includes("witnessed") ? 1 : 0);
  if (trust === null || threshold === 0) return notApplicable("the trust file asks for no witnesses");
  const vkeys = trust.witnesses.vkeys.map((vkey) => parseVkey(vkey));
  const opened = openCheckpoint(checkpointOf(), vkeys);
  // By key: one witness can be listed under two names.
  const distinct = new Set(opened.signatures.map((signature) => encodeHex(signature.publicKey)));
  expect(distinct.size >= threshold, "EXO_TRUST", `${distinct.size} of ${threshold} witnesses cosigned the checkpoint`);
  return `${distinct.size} of ${threshold} witnesses`;
}

/**
 * True when as many trusted witnesses as the trust file asks for, at least one, cosigned a checkpoint that has the
 * statement, at or before `until` (milliseconds since 1970) by their own clocks. Says nothing where the proof is wrong:
 * that is for the checks of the log.
 */
export function isWitnessedBy(evidence: Evidence, { trust }: KeySource, until: number): boolean {
  if (trust === null || evidence.bundle.logProof === "") return false;
  try {
    const { index, proof, checkpoint } = parseProofFile(evidence.bundle.logProof);
    const vkeys = trust.witnesses.vkeys.map((vkey) => parseVkey(vkey));
    const { size, root, signatures } = openCheckpoint(checkpoint, vkeys);
    const leaf = leafHash(leafBytes("bundle", evidence.digest));
    if (!verifyInclusion({ leafHash: leaf, index, size, proof, root })) return false;
    const intime = signatures.filter(({ time = 0 }) => time > 0 && time * 1000 <= until);
    const distinct = new Set(intime.map(({ publicKey }) => encodeHex(publicKey)));
    return distinct.size >= Math.max(trust.witnesses.threshold, 1);
  } catch (error) {
    if (isExoArmurError(error)) return false;
    throw error;
  }
}

/** What only the whole log can show. Made by `log check`, not from one file. */
export function checkLogScope(_evidence: Evidence, keys: KeySource): string {
  if (keys.trust?.require?.includes("log"))
    return unable("EXO_MATERIAL_MISSING", "the trust file requires the log, and none was given");
  return notApplicable("approval spent once, one end, nothing after it: needs the log");
}
