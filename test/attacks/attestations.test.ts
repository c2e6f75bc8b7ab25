import { describe, expect, it } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import {
  altered,
  artifact,
  attest,
  attesterKey,
  attesterNamed,
  builder,
  provenance,
  tester,
} from "../support/attestation.js";
import { draft, endOf, openRig, type Rig, type RigOptions } from "../support/rig.js";
import { keys, trusted, usualKeys } from "../support/world.js";

const stranger = attesterNamed("stranger");
const rules: readonly PolicyRule[] = [{ id: "all", match: {}, verdict: "allow" }];
const withKeys = (...more: readonly TrustedKey[]): RigOptions => ({ rules, trustKeys: [...usualKeys, ...more] });
const open = (): Promise<Rig> => openRig(withKeys(attesterKey(builder), attesterKey(tester)));
const read = (): never => draft("fs.read", "data/orders.csv", { parameters: { artifact } });
const reportOf = (rig: Rig, intentId: string): ReturnType<typeof verifyBundle> =>
  verifyBundle(rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array(), { trust: rig.trust });

describe("an attestation that does not verify denies the intent, whatever the policy says", () => {
  const good = attest([builder]);
  const duplicate = provenance();
  const sha256 = "AB".repeat(32);
  const cases: readonly (readonly [string, readonly Uint8Array[], string, RegExp])[] = [
    ["by nobody trusted", [attest([stranger])], "EXO_ATTESTATION_SIGNATURE", /^attestation 1 of 1: no signature of it/],
    [
      "by nobody trusted, beside a good one",
      [good, attest([stranger], "{}")],
      "EXO_ATTESTATION",
      /^attestation 2 of 2/,
    ],
    [
      "the payload changed after it was signed",
      [
        altered(
          good,
          (e) => (e.payload = Buffer.from(JSON.stringify(provenance({ predicate: 1 }))).toString("base64")),
        ),
      ],
      "EXO_ATTESTATION_SIGNATURE",
      /no signature of it verifies/,
    ],
    [
      "a signature cut short",
      [altered(good, (e) => (e.signatures[0].sig = e.signatures[0].sig.slice(0, 84)))],
      "EXO_ATTESTATION_SIGNATURE",
      /no signature/,
    ],
    ["no signature at all", [altered(good, (e) => (e.signatures = []))], "EXO_ATTESTATION", /envelope: \/signatures/],
    [
      "another payload type",
      [attest([builder], provenance(), { payloadType: "text/plain" })],
      "EXO_ATTESTATION",
      /payloadType/,
    ],
    ["no JSON", [new Uint8Array([0xff, 0x00])], "EXO_ATTESTATION", /^attestation 1 of 1: envelope: /],
    ["empty", [new Uint8Array()], "EXO_ATTESTATION", /envelope/],
    ["a member twice", [attest([builder], '{"_type":1,"_type":2}')], "EXO_ATTESTATION", /statement: /],
    ["no statement", [attest([builder], "{}")], "EXO_ATTESTATION", /statement: \/_type/],
    [
      "another statement type",
      [attest([builder], provenance({ _type: "https://in-toto.io/Statement/v2" }))],
      "EXO_ATTESTATION",
      /_type/,
    ],
    ["no subject", [attest([builder], provenance({ subject: [] }))], "EXO_ATTESTATION", /subject/],
    [
      "a digest in upper case",
      [attest([builder], provenance({ subject: [{ digest: { sha256 } }] }))],
      "EXO_ATTESTATION",
      /sha256/,
    ],
    ["base64 without padding", [altered(good, (e) => (e.payload = "e30"))], "EXO_ATTESTATION", /padded base64/],
    ["the same twice", [good, good], "EXO_ATTESTATION", /has the statement of another one/],
    [
      "the same statement in two envelopes",
      [attest([builder], duplicate), attest([builder, tester], duplicate)],
      "EXO_ATTESTATION",
      /has the statement of another one/,
    ],
    [
      "too large",
      [attest([builder], provenance({ predicate: "x".repeat(1_048_576) }))],
      "EXO_ATTESTATION",
      /at most 1048576/,
    ],
  ];
  it.each(cases)("%s", async (_name, attestations, code, message) => {
    const rig = await open();
    const result = await rig.pipeline.execute(read(), { attestations });
    expect(endOf(result)).toBe(`denied ${code}`);
    expect("reason" in result && result.reason.message).toMatch(message);
    const [received] = rig.pipeline.trace(result.intentId);
    expect(received?.payload["attestations"]).toHaveLength(attestations.length);
    const report = reportOf(rig, result.intentId);
    expect(report.result).toBe("pass");
    expect(report.checks.find(({ id }) => id === "attestations")?.state).toBe("not_applicable");
  });

  it.each([
    ["no attester at all", []],
    [
      "its key in another role",
      [trusted("publisher", "builder", { ...keys.publisher, publicKey: Buffer.from(builder.publicKey, "base64") })],
    ],
    ["its key ended", [attesterKey(builder, { until: 1 })]],
    ["its key not begun", [attesterKey(builder, { from: 1_000_000 })]],
    ["its key for another tenant", [attesterKey(builder, { tenants: ["other"] })]],
  ] as const)("%s", async (_name, more) => {
    const rig = await openRig(withKeys(...more));
    const result = await rig.pipeline.execute(read(), { attestations: [attest([builder])] });
    expect(endOf(result)).toBe("denied EXO_ATTESTATION_SIGNATURE");
  });

  it("more than 16, or something that is no bytes, is the caller's mistake", async () => {
    const rig = await open();
    const many = Array.from({ length: 17 }, () => attest([builder]));
    await expect(rig.pipeline.execute(read(), { attestations: many })).rejects.toThrow(/at most 16 attestations/);
    await expect(rig.pipeline.execute(read(), { attestations: ["{}"] as never })).rejects.toThrow(/as bytes/);
  });
});
