import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import type { Agreement } from "../../src/contracts/agreement.js";
import { type KeyFile, type Trust, trustSchema } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { generateKey } from "../../src/home/keys.js";
import type { Signer } from "../../src/ports.js";
import { agreementOf, type HandedIn, majorityOf } from "../../src/replay/agreement.js";
import { type Random, randomOf } from "../wasm/generate/random.js";
import type { FaultOf } from "./bundle-faults.js";

const folder = new URL("../histories/bundle1-canonical1-meter1-abi1-policy1-safety1/", import.meta.url);

/** A recorded bundle of a run that read a file. */
export const recorded: Uint8Array = new Uint8Array(readFileSync(new URL("fs-read.proof.json", folder)));

/** The trust file it was recorded under. */
export const recordedTrust: Trust = trustSchema.parse(
  JSON.parse(readFileSync(new URL("trust-70661de4.json", folder), "utf8")),
);

/** Names of five nodes. */
export const nodeNames = ["a", "b", "c", "d", "e"] as const;

/** How many of five nodes are faulty. */
export const scenarios = { clean: 0, single: 1, partial: 2, majority: 3 } as const;

/** The most that are. */
export const mostFaulty = Math.max(...Object.values(scenarios));

/** A node's key. */
export const signerOf = (name: string): Signer => signerFromSeed(seedOf(name));

const seedOf = (name: string): Uint8Array => sha256(encodeUtf8(`verifier ${name}`));

/** The file of a node's key. */
export function keyFileOf(name: string): KeyFile {
  return generateKey("verifier", name, { bytes: () => seedOf(name) });
}

/** The nodes in an order of their own for every seed: the first ones are the faulty ones. */
export function shuffledNodes(seed: string): string[] {
  const random = randomOf(seed);
  return nodeNames
    .map((name) => ({ name, at: random.bits() }))
    .sort((one, other) => one.at - other.at)
    .map(({ name }) => name);
}

/** What a node hands in under its own key. */
export function handedIn(name: string, answer: HandedIn["answer"]): HandedIn {
  return { from: name, answer, keys: [{ id: name, person: name, publicKey: signerOf(name).publicKey }] };
}

/** A fault injected with a seed; the copy differs from the bundle. */
export async function faulty(fault: FaultOf, seed: string): Promise<Uint8Array> {
  const copy = await fault(recorded, randomOf(seed) satisfies Random);
  expect(digestOf(copy)).not.toBe(digestOf(recorded));
  return copy;
}

/**
 * Counts five nodes of which some were handed a faulty copy, all of them the same one, and expects of it: consensus exactly
 * where the honest are more than half, on what they found; every faulty node named and not counted; no honest one touched.
 */
export function judge(
  faultyFirst: readonly string[],
  count: number,
  answers: { readonly honest: (name: string) => HandedIn; readonly faulty: (name: string) => HandedIn },
): Agreement {
  const bad = new Set(faultyFirst.slice(0, count));
  const handed = nodeNames.map((name) => (bad.has(name) ? answers.faulty(name) : answers.honest(name)));
  const agreement = agreementOf(digestOf(recorded), handed, majorityOf(nodeNames.length));
  const honest = agreement.voices.filter(({ from }) => !bad.has(from));
  for (const voice of honest) {
    expect(voice).toMatchObject({ state: "agrees", result: "success", difference: null, verifier: voice.from });
    expect(voice.resultDigest).toBe(honest[0]?.resultDigest);
  }
  for (const voice of agreement.voices.filter(({ from }) => bad.has(from))) {
    expect(voice).toMatchObject({ state: "refused", code: "EXO_REPLAY_SUBJECT", verifier: voice.from });
  }
  const isMost = honest.length >= agreement.threshold;
  expect(agreement.result).toBe(isMost ? "success" : "no_consensus");
  expect(agreement.resultDigest).toBe(isMost ? honest[0]?.resultDigest : null);
  return agreement;
}
