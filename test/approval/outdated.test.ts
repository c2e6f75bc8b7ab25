import { describe, expect, test } from "vitest";
import { countsStill, type OutdatedInput, outdatedRequest } from "../../src/approval/outdated.js";
import type { ApprovalDecision } from "../../src/approval/state.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import type { Signer } from "../../src/ports.js";
import { alice, aliceLaptop, bob, carol, digest, during, keyOf, mallory, request, trustOf } from "./helpers.js";

const desk = keyOf(alice, "alice");
const laptop = keyOf(aliceLaptop, "alice-laptop", { person: "alice" });
const all = [desk, laptop, keyOf(bob, "bob"), keyOf(carol, "carol")];

/** The trust file with some entries changed. */
const trusting = (...changes: [Signer, Partial<TrustedKey>][]): TrustedKey[] =>
  all.map((key) => ({ ...key, ...changes.find(([signer]) => keyOf(signer, "").publicKey === key.publicKey)?.[1] }));

const ended = { until: 10 };
const approved = (approver: string, { keyId }: Signer): ApprovalDecision => ({
  approver,
  keyId,
  decision: "approve",
  envelopeDigest: digest("9"),
  signedAt: during,
});

const look = (keys: TrustedKey[], decisions: ApprovalDecision[] = []): OutdatedInput => ({
  request,
  decisions,
  trust: trustOf(...keys),
  logSize: 10,
});
const codeOf = (...args: Parameters<typeof look>): string | undefined => outdatedRequest(look(...args))?.code;

describe("a request for two of alice, bob and carol", () => {
  test.each<[string, TrustedKey[], ApprovalDecision[]?]>([
    ["nothing changed", all],
    ["one person's key has ended", trusting([bob, ended])],
    ["one of two keys of a person, and another person's, have ended", trusting([alice, ended], [bob, ended])],
    ["a key ends later", trusting([alice, { until: 11 }], [aliceLaptop, { until: 11 }], [bob, { until: 11 }])],
    ["one has approved and another can", trusting([carol, ended]), [approved("alice", alice)]],
    [
      "the other key of who approved has ended",
      trusting([aliceLaptop, ended], [carol, ended]),
      [approved("alice", alice)],
    ],
  ])("can be approved while %s", (_name, keys, decisions) => {
    expect(codeOf(keys, decisions)).toBeUndefined();
  });

  test.each<[string, TrustedKey[], ApprovalDecision[]?]>([
    ["two people's keys have ended", trusting([bob, ended], [carol, ended])],
    ["two people's keys are gone", [desk, laptop]],
    ["two people's keys are another's now", trusting([bob, { id: "mallory" }], [carol, { id: "mallory" }])],
    ["two people's keys are not yet valid", trusting([bob, { from: 11 }], [carol, { from: 11 }])],
    ["two people's keys may act elsewhere only", trusting([bob, { tenants: ["x"] }], [carol, { tenants: ["x"] }])],
    ["two people's keys have another role", trusting([bob, { role: "operator" }], [carol, { role: "operator" }])],
    ["two people's keys are two people's", [...all, keyOf(bob, "eve"), keyOf(carol, "eve")]],
    ["new keys took their place", [desk, laptop, keyOf(mallory, "bob")]],
    ["a key that approved has ended, though others could", trusting([alice, ended]), [approved("alice", alice)]],
  ])("has to be asked again when %s", (_name, keys, decisions) => {
    expect(codeOf(keys, decisions)).toBe("EXO_APPROVAL_ROSTER");
  });

  test("says which keys no longer count", () => {
    const input = look(trusting([bob, ended], [carol, ended]));
    expect(outdatedRequest(input)?.message).toBe(
      `the request was made for keys that no longer count (bob's ${bob.keyId}, carol's ${carol.keyId}), so it cannot be approved any more; ask again: give the intent anew`,
    );
    expect(countsStill(input, "bob", bob.keyId)).toBe(false);
    expect(countsStill(input, "alice", bob.keyId)).toBe(false);
    expect(countsStill(input, "alice", alice.keyId)).toBe(true);
  });
});
