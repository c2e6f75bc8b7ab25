import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import type { TrustedKey } from "../../src/contracts/trust.js";
import { trustSchema } from "../../src/contracts/trust.js";
import { readPreview } from "../../src/pipeline/present.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import {
  altered,
  artifact,
  attest,
  attesterKey,
  attesterNamed,
  builder,
  provenance,
  provenanceType,
  tester,
} from "../support/attestation.js";
import { checkStore, draft, endOf, openRig, type Rig, type RigOptions, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys, trustOf, usualKeys } from "../support/world.js";

const stranger = attesterNamed("stranger");

const { EXOARMUR_NO_SKIP: noSkip } = process.env;
const lacksOpenssl = spawnSync("openssl", ["version"]).status !== 0;
const skipsOpenssl = lacksOpenssl && noSkip !== "1";
if (skipsOpenssl) process.stderr.write("attestations: one test skipped, install openssl (Debian: openssl)\n");

/** Read only what our builder attests to: the artifact named in the parameters. */
const rules: readonly PolicyRule[] = [
  {
    id: "built-by-us",
    match: {
      action: "fs.read",
      attestation: { predicateType: provenanceType, attester: "builder", subject: { parameter: "/artifact" } },
    },
    verdict: "allow",
  },
  {
    id: "removal",
    match: { action: "fs.remove", attestation: { predicateType: provenanceType } },
    verdict: "require_approval",
    obligations: { approvals: 1 },
  },
];

const withKeys = (...more: readonly TrustedKey[]): RigOptions => ({ rules, trustKeys: [...usualKeys, ...more] });
const open = (): Promise<Rig> => openRig(withKeys(attesterKey(builder), attesterKey(tester)));
const read = (parameters: object = { artifact }, more: object = {}): never =>
  draft("fs.read", "data/orders.csv", { parameters, ...more });

const reportOf = (rig: Rig, intentId: string, trust = rig.trust): ReturnType<typeof verifyBundle> =>
  verifyBundle(rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array(), { trust });

describe("an artifact that the builder attests to", () => {
  it("runs, and the bundle shows the attestation and verifies", async () => {
    const rig = await open();
    const result = await rig.pipeline.execute(read(), { attestations: [attest([builder])] });
    expect(endOf(result)).toBe("executed");
    const report = reportOf(rig, result.intentId);
    expect(report.result).toBe("pass");
    expect(report.checks.find(({ id }) => id === "attestations")).toMatchObject({
      state: "pass",
      message: "1 attached, by builder",
    });
    checkStore(rig);
  });

  it("also when others signed beside the builder, in URL-safe base64, or under in-toto v0.1", async () => {
    const urlSafe = altered(attest([builder]), (envelope) => {
      envelope.payload = envelope.payload.replaceAll("+", "-").replaceAll("/", "_");
      envelope.signatures[0].sig = envelope.signatures[0].sig.replaceAll("+", "-").replaceAll("/", "_");
    });
    const old = attest([builder], provenance({ _type: "https://in-toto.io/Statement/v0.1" }));
    for (const attestation of [attest([stranger, builder]), urlSafe, old]) {
      const rig = await open();
      expect(endOf(await rig.pipeline.execute(read(), { attestations: [attestation] }))).toBe("executed");
    }
  });

  it.skipIf(skipsOpenssl)("as openssl signs it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "exoarmur-attest-"));
    try {
      const at = (name: string): string => join(folder, name);
      const openssl = (...args: string[]): Buffer =>
        execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
      openssl("genpkey", "-algorithm", "ed25519", "-out", at("key.pem"));
      const publicKey = openssl("pkey", "-in", at("key.pem"), "-pubout", "-outform", "DER").subarray(-32);
      const payload = Buffer.from(JSON.stringify(provenance()));
      const type = "application/vnd.in-toto+json";
      writeFileSync(at("pae"), Buffer.concat([Buffer.from(`DSSEv1 28 ${type} ${payload.length} `), payload]));
      openssl("pkeyutl", "-sign", "-inkey", at("key.pem"), "-rawin", "-in", at("pae"), "-out", at("sig"));
      const envelope = {
        payloadType: type,
        payload: payload.toString("base64"),
        signatures: [{ keyid: "", sig: readFileSync(at("sig")).toString("base64") }],
      };
      const key: TrustedKey = { ...attesterKey(builder), publicKey: publicKey.toString("base64") };
      const rig = await openRig(withKeys(key));
      const attestations = [new Uint8Array(Buffer.from(JSON.stringify(envelope)))];
      const result = await rig.pipeline.execute(read(), { attestations });
      expect(endOf(result)).toBe("executed");
      expect(reportOf(rig, result.intentId).result).toBe("pass");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what the policy does not find", () => {
  const about = (digest: string): Uint8Array =>
    attest([builder], provenance({ subject: [{ digest: { sha256: digest.repeat(64) } }] }));
  it.each([
    ["no attestation", [], { artifact }],
    ["another artifact in the parameters", [attest([builder])], { artifact: `sha256:${"cd".repeat(32)}` }],
    ["another artifact in the attestation", [about("c")], { artifact }],
    ["no artifact in the parameters", [attest([builder])], {}],
    ["a digest without its algorithm", [attest([builder])], { artifact: "ab".repeat(32) }],
    [
      "another kind of statement",
      [attest([builder], provenance({ predicateType: "https://example.com/x" }))],
      { artifact },
    ],
    ["an attester that the rule does not name", [attest([tester])], { artifact }],
    ["subject and attester in two attestations", [about("c"), attest([tester])], { artifact }],
  ] as const)("%s: denied by default", async (_name, attestations, parameters) => {
    const rig = await open();
    const result = await rig.pipeline.execute(read(parameters), { attestations });
    expect(endOf(result)).toBe("denied EXO_POLICY_DENIED");
    expect("reason" in result && result.reason.ruleIds).toEqual(["default"]);
    expect(reportOf(rig, result.intentId).result).toBe("pass");
  });
});

describe("attestations are part of the request", () => {
  it("the same idempotency key with other attestations is a conflict, with the same ones a retry", async () => {
    const rig = await open();
    const once = read({ artifact }, { idempotencyKey: "k" });
    const first = await rig.pipeline.execute(once, { attestations: [attest([builder])] });
    const again = await rig.pipeline.execute(once, { attestations: [attest([builder])] });
    expect(again.intentId).toBe(first.intentId);
    await expect(rig.pipeline.execute(once)).rejects.toMatchObject({ code: "EXO_IDEMPOTENCY_CONFLICT" });
    await expect(rig.pipeline.execute(once, { attestations: [attest([tester])] })).rejects.toMatchObject({
      code: "EXO_IDEMPOTENCY_CONFLICT",
    });
  });

  it("bytes that change after the call are not what is recorded", async () => {
    const rig = await open();
    const bytes = attest([builder]);
    const running = rig.pipeline.execute(read(), { attestations: [bytes] });
    bytes.fill(0);
    expect(endOf(await running)).toBe("executed");
  });
});

describe("an approval", () => {
  it("shows what was attested, and the run that it starts is bound to that", async () => {
    const rig = await open();
    rig.disk.files.set("data/a.txt", "a");
    const { intentId } = await rig.pipeline.execute(draft("fs.remove", "data/a.txt"), {
      attestations: [attest([builder])],
    });
    const request = requestOf(rig.pipeline.status(intentId));
    expect(readPreview(rig.store, request).attestations).toMatchObject([
      { predicateType: provenanceType, subjects: [{ digest: artifact }], signers: [{ attester: "builder" }] },
    ]);
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe("executed");
    expect(reportOf(rig, intentId).result).toBe("pass");
  });

  it("of an attestation whose key ended while it waited starts nothing", async () => {
    const first = await openRig(withKeys(attesterKey(builder)));
    const { intentId } = await first.pipeline.execute(draft("fs.remove", "data/a.txt"), {
      attestations: [attest([builder])],
    });
    const request = requestOf(first.pipeline.status(intentId));
    const rig = await openRig({
      ...withKeys(attesterKey(builder, { until: first.ledger.size })),
      store: first.store,
      clock: first.clock,
      seed: "later",
    });
    expect(endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)))).toBe(
      "denied EXO_ATTESTATION_SIGNATURE",
    );
  });
});

describe("a verifier", () => {
  const run = async (): Promise<{ rig: Rig; intentId: string }> => {
    const rig = await open();
    const { intentId } = await rig.pipeline.execute(read(), { attestations: [attest([builder])] });
    return { rig, intentId };
  };

  it.each([
    ["does not know the attester", []],
    ["knows the key under another id", [attesterKey(builder, { id: "other" })]],
    ["knows that its key had ended", [attesterKey(builder, { until: 1 })]],
    ["has it for another tenant", [attesterKey(builder, { tenants: ["other"] })]],
  ] as const)("that %s is unable to say", async (_name, more) => {
    const { rig, intentId } = await run();
    const report = reportOf(rig, intentId, trustOf([...usualKeys, ...more]));
    expect(report.result).toBe("unable");
    expect(report.checks.find(({ id }) => id === "attestations")).toMatchObject({ code: "EXO_ATTESTATION_KEY" });
  });

  it("without a trust file does not verify who attested", async () => {
    const { rig, intentId } = await run();
    const report = verifyBundle(rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array());
    expect(report.checks.find(({ id }) => id === "attestations")).toMatchObject({ state: "not_applicable" });
  });
});

it("an attester's key serves no other role", () => {
  const trust = trustOf([...usualKeys, attesterKey(builder)]);
  expect(trustSchema.safeParse(trust).success).toBe(true);
  for (const role of ["runtime", "approver", "publisher"] as const) {
    const twice = { ...trust, keys: [...trust.keys, { ...attesterKey(builder), role }] };
    expect(trustSchema.safeParse(twice).error?.issues[0]?.message).toMatch(/keys of the role attester/);
  }
});
