import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { agreementSchema } from "../../src/contracts/agreement.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { openReExecution, type ReExecutionStatement, reExecutionSchema } from "../../src/contracts/re-execution.js";
import type { Trust, TrustedKey } from "../../src/contracts/trust.js";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { ok, refuse } from "../../src/errors.js";
import type { Signer } from "../../src/ports.js";
import { agreementOf, type HandedIn, majorityOf, verifierKeys } from "../../src/replay/agreement.js";
import { attestReplay } from "../../src/replay/attest-replay.js";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { forgedFaults } from "../support/bundle-faults.js";
import type { Loose } from "../support/forge.js";
import { realPool } from "../support/real.js";
import { faulty, handedIn, recorded, recordedTrust, signerOf } from "../support/verifiers.js";
import { loadCedar, makeCedarBundle } from "../web/cedar-bundle.js";

const sandbox = realPool({ size: 1 });
const bundleDigest = digestOf(recorded);
let statement: ReExecutionStatement;

/** What a verifier signs when it finds this. */
async function signed(by: Signer, change: (statement: Loose) => unknown = () => undefined): Promise<Uint8Array> {
  const changed = structuredClone(statement) as Loose;
  change(changed);
  return canonicalize(await signEnvelope(payloadTypes.statement, canonicalize(changed), by));
}

async function say(name: string, change?: (statement: Loose) => unknown): Promise<HandedIn> {
  return handedIn(name, ok(await signed(signerOf(name), change)));
}

const otherwise =
  (at: number) =>
  ({ predicate }: Loose) => {
    predicate.resultDigest = `sha256:${String(at).padStart(64, "0")}`;
  };

const failing = ({ predicate }: Loose): void => {
  Object.assign(predicate.checks.at(-1), { state: "fail", code: "EXO_REPLAY_DIVERGED" });
  predicate.levels.execution = "fail";
  predicate.result = "failure";
  predicate.divergence = { level: "execution", step: "fuel", kind: "fuel_mismatch", fuelDelta: 1 };
  predicate.resultDigest = `sha256:${"f".repeat(64)}`;
};

const hiding = ({ predicate }: Loose): void => {
  Object.assign(predicate.checks.at(-1), { state: "unable", code: "EXO_MATERIAL_MISSING" });
  predicate.levels.execution = "unable";
  predicate.result = "partial";
  predicate.resultDigest = `sha256:${"e".repeat(64)}`;
};

beforeAll(async () => {
  const options = { sandbox, trust: recordedTrust, signer: signerOf("a") };
  const { envelope } = await attestReplay(recorded, options);
  const opened = openReExecution(envelope, [signerOf("a").publicKey]);
  if (!opened.ok) throw new Error(opened.error.message);
  statement = opened.value.statement;
});

describe("a signed re-execution report", () => {
  it("says what the replay found of exactly these bytes, and is the same every time", async () => {
    const options = { sandbox, trust: recordedTrust, signer: signerOf("a") };
    const [{ report, envelope }, again] = [
      await attestReplay(recorded, options),
      await attestReplay(recorded, options),
    ];
    expect(again.envelope).toEqual(envelope);
    expect(report).toEqual(await new ReplayEngine({ sandbox, trust: recordedTrust }).replayBundle(recorded));
    expect(statement.subject).toEqual([{ name: "bundle", digest: { sha256: bundleDigest.slice(7) } }]);
    expect(statement.predicate).toMatchObject({
      result: "success",
      resultDigest: resultDigest(report),
      trustMode: "pinned",
      levels: report.levels,
      divergence: null,
    });
    expect(statement.predicate.checks.map(({ id, state }) => [id, state])).toEqual(
      report.checks.map(({ id, state }) => [id, state]),
    );
  });

  it("repeats nothing of the bundle's content, not even where the replay parts from it", async () => {
    const copy = await faulty(forgedFaults.transcript, "content");
    const { report, envelope } = await attestReplay(copy, { sandbox, trust: recordedTrust, signer: signerOf("a") });
    const opened = openReExecution(envelope, [signerOf("a").publicKey]);
    if (!opened.ok || report.divergence === null) throw new Error("expected a divergence, attested");
    const { level, step, kind, offset, fuelDelta, expected, actual, bytes } = report.divergence;
    expect(opened.value.statement.predicate.divergence).toEqual({ level, step, kind, offset, fuelDelta });
    const text = JSON.stringify(opened.value.statement);
    const hidden = [expected, actual, bytes?.expected, bytes?.actual, ...report.checks.map(({ message }) => message)];
    for (const words of hidden.filter((one) => (one ?? "").length > 8)) expect(text).not.toContain(words);
    expect(hidden.length).toBeGreaterThan(20);
  });

  it("of a decision under Cedar is partial without its engine, and a success with it", async () => {
    const { rig, bytes } = await makeCedarBundle(sandbox);
    const options = { sandbox, trust: rig.trust, signer: signerOf("a") };
    const without = await attestReplay(bytes, options);
    const within = await attestReplay(bytes, { ...options, cedar: loadCedar });
    const told = [without, within].map(({ envelope }) => openReExecution(envelope, [signerOf("a").publicKey]));
    expect(told).toMatchObject([
      { value: { statement: { predicate: { result: "partial", levels: { governance: "unable" } } } } },
      { value: { statement: { predicate: { result: "success", levels: { governance: "pass" } } } } },
    ]);
  });

  it("of a file that is no bundle is a failure, about that file", async () => {
    const { report, envelope } = await attestReplay(encodeUtf8("{}"), { sandbox, signer: signerOf("a") });
    expect(report.result).toBe("failure");
    const opened = openReExecution(envelope, [signerOf("a").publicKey]);
    expect(opened).toMatchObject({ value: { statement: { predicate: { intentId: null, result: "failure" } } } });
    expect(agreementOf(digestOf(encodeUtf8("{}")), [handedIn("a", ok(envelope))], 1).result).toBe("failure");
  });

  it.each<[string, (predicate: Loose) => unknown, string]>([
    ["a success with a failed check", (it) => (it.checks[3].state = "fail"), "levels"],
    ["a success with a failed level", (it) => (it.levels.structure = "fail"), "levels"],
    ["a success with what could not be made", (it) => (it.checks[3].state = "unable"), "levels"],
    [
      "a failure called a success",
      (it) => {
        it.checks[3].state = "fail";
        it.levels.structure = "fail";
      },
      "result",
    ],
    [
      "a partial one called a success",
      (it) => {
        it.checks[3].state = "unable";
        it.levels.structure = "unable";
      },
      "result",
    ],
    [
      "a success with a divergence",
      (it) => (it.divergence = { level: "execution", step: "x", kind: "fuel_mismatch" }),
      "divergence",
    ],
    ["a success of which nothing was re-executed", (it) => it.checks.pop(), "checks"],
    ["a pinned replay without a trust file", (it) => (it.trustDigest = null), "trustDigest"],
    ["no checks at all", (it) => (it.checks = []), "checks"],
    ["no engine", (it) => (it.engine = null), "engine"],
    ["an unknown result", (it) => (it.result = "no_audit_records"), "result"],
    ["a message", (it) => (it.checks[0].message = "x"), "checks"],
    ["a counterfactual", (it) => (it.counterfactual = true), ""],
  ])("is refused, though signed, when it holds %s", async (_what, change, place) => {
    const bytes = await signed(signerOf("a"), ({ predicate }) => change(predicate));
    const opened = openReExecution(bytes, [signerOf("a").publicKey]);
    expect(opened).toMatchObject({ ok: false, error: { code: "EXO_SCHEMA" } });
    if (opened.ok) return;
    expect(opened.error.message).toContain(`statement: /predicate${place === "" ? "" : `/${place}`}`);
  });

  it.each<[string, (envelope: Envelope) => unknown, string]>([
    ["another payload", (it) => (it.payload = encodeBase64(canonicalize({}))), "EXO_SIGNATURE"],
    ["another payload type", (it) => (it.payloadType = payloadTypes.policy), "EXO_ENVELOPE"],
    ["a changed signature", (it) => (it.signatures[0]!.sig = encodeBase64(new Uint8Array(64))), "EXO_SIGNATURE"],
    ["no signature", (it) => (it.signatures = []), "EXO_ENVELOPE"],
    ["the same signature twice", (it) => it.signatures.push(it.signatures[0]!), "EXO_ENVELOPE"],
    ["a stranger's key id", (it) => (it.signatures[0]!.keyid = "0".repeat(32)), "EXO_TRUST"],
  ])("is refused with %s", async (_what, change, code) => {
    const envelope = JSON.parse(decodeUtf8(await signed(signerOf("a"))) ?? "") as Envelope;
    change(envelope);
    expect(openReExecution(canonicalize(envelope), [signerOf("a").publicKey])).toMatchObject({ error: { code } });
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ["not canonical", (bytes) => new Uint8Array([...bytes, 10]), "EXO_JSON_NOT_CANONICAL"],
    ["cut off", (bytes) => bytes.slice(0, -1), "EXO_JSON_SYNTAX"],
    ["too large", () => new Uint8Array(1_048_577), "EXO_ENVELOPE"],
    ["empty", () => new Uint8Array(0), "EXO_JSON_SYNTAX"],
  ])("is refused when it is %s", async (_what, change, code) => {
    const bytes = change(await signed(signerOf("a")));
    expect(openReExecution(bytes, [signerOf("a").publicKey])).toMatchObject({ ok: false, error: { code } });
  });

  it("is not signed by two", async () => {
    const envelope = JSON.parse(decodeUtf8(await signed(signerOf("a"))) ?? "") as Envelope;
    const other = JSON.parse(decodeUtf8(await signed(signerOf("b"))) ?? "") as Envelope;
    envelope.signatures.push(...other.signatures);
    const keys = [signerOf("a").publicKey, signerOf("b").publicKey];
    const error = { code: "EXO_ENVELOPE", message: "expected one signature" };
    expect(openReExecution(canonicalize(envelope), keys)).toEqual({ ok: false, error });
  });
});

describe("agreement", () => {
  it("is what enough of them found alike; engines, builds and trust files may differ", async () => {
    const elsewhere = ({ predicate }: Loose): void => {
      Object.assign(predicate, { engine: "another", trustDigest: `sha256:${"1".repeat(64)}` });
      predicate.revisions.meter = 2;
    };
    const agreement = agreementOf(bundleDigest, [await say("a"), await say("b", elsewhere)], 2);
    expect(agreementSchema.parse(agreement)).toEqual(agreement);
    expect(agreement).toMatchObject({
      result: "success",
      resultDigest: statement.predicate.resultDigest,
      trustMode: "pinned",
      counts: { agrees: 2, differs: 0, refused: 0 },
    });
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
  ])("of %i needs %i by default", (count, threshold) => expect(majorityOf(count)).toBe(threshold));

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("has no threshold of %s", (threshold) => {
    expect(() => agreementOf(bundleDigest, [], threshold)).toThrow(/expected a threshold of at least 1/);
  });

  it("of nobody is none", () => expect(agreementOf(bundleDigest, [], 1).result).toBe("no_consensus"));

  it("on a failure is a failure, on a partial replay partial", async () => {
    const failed = agreementOf(bundleDigest, [await say("a", failing), await say("b", failing), await say("c")], 2);
    expect(failed).toMatchObject({ result: "failure", counts: { agrees: 2, differs: 1 } });
    const partial = agreementOf(bundleDigest, [await say("a", hiding), await say("b", hiding)], 2);
    expect(partial.result).toBe("partial");
  });

  it("is not reached by one short of it, and the one who differs is named", async () => {
    const agreement = agreementOf(bundleDigest, [await say("a"), await say("b"), await say("c", failing)], 3);
    expect(agreement).toMatchObject({ result: "no_consensus", resultDigest: null, trustMode: null, levels: null });
    const most = agreementOf(bundleDigest, [await say("a"), await say("b"), await say("c", failing)], 2);
    expect(most.voices[2]).toMatchObject({
      state: "differs",
      difference: { what: "execution, re-execution", expected: "pass", actual: "fail EXO_REPLAY_DIVERGED" },
      divergence: { step: "fuel", fuelDelta: 1 },
    });
  });

  it("is none when two findings reach a low threshold", async () => {
    const agreement = agreementOf(bundleDigest, [await say("a"), await say("b", failing)], 1);
    expect(agreement).toMatchObject({ result: "no_consensus", counts: { agrees: 0, differs: 2 } });
  });

  it("asks for the same findings, not for the same digest alone", async () => {
    const lying = (found: Loose): void => {
      failing(found);
      found.predicate.resultDigest = statement.predicate.resultDigest;
    };
    const agreement = agreementOf(bundleDigest, [await say("a"), await say("b", lying)], 2);
    expect(agreement.result).toBe("no_consensus");
  });

  it("and for the same digest, not for the same findings alone", async () => {
    const agreement = agreementOf(bundleDigest, [await say("a"), await say("b"), await say("c", otherwise(1))], 2);
    expect(agreement.voices[2]).toMatchObject({ state: "differs", difference: { what: "result digest" } });
    expect(agreementOf(bundleDigest, [await say("a"), await say("c", otherwise(1))], 2).result).toBe("no_consensus");
  });

  it("is not on another bundle, whoever says so", async () => {
    const other = ({ subject }: Loose): void => {
      subject[0].digest.sha256 = "0".repeat(64);
    };
    const agreement = agreementOf(bundleDigest, [await say("a", other), await say("b", other), await say("c")], 2);
    expect(agreement).toMatchObject({ result: "no_consensus", counts: { agrees: 1, refused: 2 } });
    const message = `is about sha256:${"0".repeat(64)}, not about ${bundleDigest}`;
    expect(agreement.voices[0]).toMatchObject({ state: "refused", code: "EXO_REPLAY_SUBJECT", message });
  });

  it("counts nobody under another's key, and says whose it was", async () => {
    const stolen = handedIn("b", ok(await signed(signerOf("a"))));
    const agreement = agreementOf(bundleDigest, [await say("a"), stolen], 2);
    expect(agreement).toMatchObject({ result: "no_consensus", counts: { agrees: 1, refused: 1 } });
    expect(agreement.voices[1]).toMatchObject({
      code: "EXO_TRUST",
      message: "is signed with the key of a",
      keyId: null,
    });
  });

  it("counts no stranger, no refusal and no junk", async () => {
    const stranger = handedIn("b", ok(await signed(signerOf("z"))));
    const crashed = handedIn("c", refuse("EXO_VERIFIER", "ended with exit code 70"));
    const junk = handedIn("d", ok(encodeUtf8("hello")));
    const agreement = agreementOf(bundleDigest, [await say("a"), stranger, crashed, junk], 2);
    expect(agreement.result).toBe("no_consensus");
    expect(agreement.voices.map(({ code }) => code)).toEqual([
      undefined,
      "EXO_TRUST",
      "EXO_VERIFIER",
      "EXO_JSON_SYNTAX",
    ]);
  });

  it("counts a person once: the same file twice, and two keys of one person", async () => {
    const twice = agreementOf(bundleDigest, [await say("a"), await say("a")], 2);
    expect(twice).toMatchObject({ result: "no_consensus", counts: { agrees: 1, refused: 1 } });
    expect(twice.voices[1]).toMatchObject({ code: "EXO_VERIFIER_TWICE", message: "a is counted once, for a" });
    const keys = ["a", "b"].map((id) => ({ id, person: "anna", publicKey: signerOf(id).publicKey }));
    const both = [await say("a"), await say("b")].map((one) => ({ ...one, keys }));
    expect(agreementOf(bundleDigest, both, 2).result).toBe("no_consensus");
  });

  it("believes nobody who has signed two different things about the bundle, in neither order", async () => {
    const [one, other, third] = [await say("a"), await say("a", failing), await say("b")];
    for (const handed of [
      [one, other, third],
      [other, one, third],
    ]) {
      const agreement = agreementOf(bundleDigest, handed, 1);
      expect(agreement).toMatchObject({ result: "success", counts: { agrees: 1, refused: 2 } });
      expect(agreement.voices[0]).toMatchObject({
        code: "EXO_VERIFIER_TWICE",
        message: "a has signed different findings about this bundle",
      });
    }
  });

  it("does not depend on the order in which they come", async () => {
    const handed = [await say("a"), await say("b", failing), await say("c"), await say("d", otherwise(1))];
    const one = agreementOf(bundleDigest, handed, 2);
    const other = agreementOf(bundleDigest, handed.toReversed(), 2);
    expect({ ...other, voices: other.voices.toReversed() }).toEqual(one);
  });
});

describe("the verifiers of a trust file", () => {
  const entry = (id: string, more: Partial<TrustedKey> = {}): TrustedKey => ({
    role: "verifier",
    id,
    publicKey: encodeBase64(signerOf(id).publicKey),
    from: null,
    until: null,
    ...more,
  });
  const idsOf = (keys: readonly TrustedKey[], tenant: string | null): string[] => {
    const trust: Trust = { ...recordedTrust, keys: [...recordedTrust.keys, ...keys] };
    return verifierKeys(trust, tenant).map(({ id }) => id);
  };

  it("are those that have not ended and act for the bundle's tenant", () => {
    const keys = [
      entry("a"),
      entry("b", { until: 1_000_000 }),
      entry("c", { tenants: ["other"] }),
      entry("d", { tenants: ["default"], from: 5 }),
    ];
    expect(idsOf(keys, "default")).toEqual(["a", "d"]);
    expect(idsOf(keys, null)).toEqual(["a"]);
  });

  it("are none of its keys in another role", () => {
    expect(idsOf([], "default")).toEqual([]);
    expect(idsOf([entry("a", { role: "attester" })], "default")).toEqual([]);
  });

  it("know a key by all of it", () => {
    const [key] = verifierKeys({ ...recordedTrust, keys: [entry("a", { person: "anna" })] }, "default");
    expect(key).toEqual({ id: "a", person: "anna", publicKey: decodeBase64(entry("a").publicKey) });
  });
});

it("the statement's schema is closed", () => {
  expect(reExecutionSchema.safeParse({ ...statement, more: 1 }).success).toBe(false);
  expect(reExecutionSchema.safeParse({ ...statement, predicateType: "urn:x" }).success).toBe(false);
  expect(
    reExecutionSchema.safeParse({ ...statement, subject: [...statement.subject, ...statement.subject] }).success,
  ).toBe(false);
});
