import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/canonical/digest.js";
import { canonicalize } from "../../src/canonical/jcs.js";
import { type MaterialRole, materialRoles, type Predicate } from "../../src/contracts/bundle.js";
import { saltedMaterial } from "../../src/contracts/material.js";
import { allRoles, coverOf } from "../../src/contracts/redaction.js";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { type RedactChoice, redactBundle } from "../../src/proof/redact.js";
import { Evidence } from "../../src/verify/evidence.js";
import type { CheckResult } from "../../src/verify/report.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { type Bundles, type Ending, makeBundles } from "../support/bundles.js";
import { Forge, repack } from "../support/forge.js";
import { draft, openRig } from "../support/rig.js";

let all: Bundles;
let endings: Ending[];
/** Of each ending: what its statement names, and the checks with their states. */
let honest: Record<Ending, { predicate: Predicate; checks: readonly CheckResult[] }>;
beforeAll(async () => {
  all = await makeBundles();
  endings = Object.keys(all.bytes) as Ending[];
  const facts = endings.map((ending) => {
    const { predicate } = Evidence.open(all.bytes[ending]);
    return [ending, { predicate, checks: report(all.bytes[ending]).checks }] as const;
  });
  honest = Object.fromEntries(facts) as typeof honest;
});

const hideable = allRoles.filter((role) => "cover" in coverOf(role));

/** Checks that read the materials of a role. */
const readers: Readonly<Partial<Record<MaterialRole, string>>> = {
  intent: "intent policy safety target grants approvals plugin publisher execution resolution",
  policy: "policy-author policy",
  policy_input: "policy",
  attestation: "attestations",
  safety_config: "safety",
  safety_snapshot: "safety execution",
  preview: "approvals",
  grants: "grants approvals execution transcript",
  plugin: "plugin",
  config: "execution",
  input: "execution",
  output: "execution",
  host_call: "transcript answers",
  event_payload: "intent payloads policy-author policy safety verdict target grants approvals resolution",
};

const report = (bytes: Uint8Array) => verifyBundle(bytes, { trust: all.trust });

const inState = (bytes: Uint8Array, state: string): string[] =>
  report(bytes)
    .checks.filter((check) => check.state === state)
    .map(({ id }) => id);

function rolesOf(ending: Ending): MaterialRole[] {
  const { predicate } = honest[ending];
  return hideable.filter((role) => predicate.materials.some((entry) => entry.role === role));
}

/** What must become unable when these roles are hidden, and nothing else. */
function lostBy(ending: Ending, roles: readonly MaterialRole[]): string[] {
  const { predicate, checks } = honest[ending];
  const has = (type: string): boolean => predicate.events.some(({ eventType }) => eventType === type);
  const started = has("execution_started");
  const passed = checks.filter(({ state }) => state === "pass").map(({ id }) => id);
  const lost = new Set(["materials"]);
  for (const role of roles) {
    for (const id of (readers[role] ?? "").split(" ")) {
      // Preview and grants are compared with what ran, which is nothing when nothing was started.
      const early = id === "approvals" && !started && (role === "preview" || role === "grants");
      // An intent that was refused before it was judged has no verdict to read.
      const unread = early || (id === "verdict" && !has("policy_evaluated"));
      if (passed.includes(id) && !unread) lost.add(id);
    }
    // Whether any attestation came is told by the first payload and by what the policy judged.
    if (role === "event_payload" || role === "policy_input") lost.add("attestations");
    // Whether these apply is told by the payload of the start.
    if (role === "event_payload" && started) {
      for (const id of ["approvals", "execution", "transcript", "answers"]) lost.add(id);
    }
  }
  return checks.map(({ id }) => id).filter((id) => lost.has(id));
}

function expectLost(ending: Ending, roles: readonly MaterialRole[]): void {
  const { bytes, hidden } = redactBundle(all.bytes[ending], { hide: roles });
  const name = `${ending} without ${roles.join(", ")}`;
  const after = report(bytes);
  const ids = (state: string) => after.checks.filter((check) => check.state === state).map(({ id }) => id);
  expect(ids("fail"), name).toEqual([]);
  expect(ids("unable"), name).toEqual(lostBy(ending, roles));
  expect(after.result, name).toBe("unable");
  expect(after.hidden, name).toEqual(hidden);
  expect(
    after.hidden.map(({ role }) => role),
    name,
  ).toEqual(allRoles.filter((role) => roles.includes(role)));
}

describe("what is left of a bundle", () => {
  it("each role hidden alone, over every ending: its readers become unable and nothing fails", () => {
    const tried = endings.flatMap((ending) => rolesOf(ending).map((role) => [ending, role] as const));
    expect(tried.length).toBeGreaterThan(100);
    expect(new Set(tried.map(([, role]) => role))).toEqual(new Set(hideable));
    for (const [ending, role] of tried) expectLost(ending, [role]);
  });

  it("every two roles hidden, and all of them", () => {
    const roles = rolesOf("approved");
    for (const [at, one] of roles.entries()) for (const two of roles.slice(at + 1)) expectLost("approved", [one, two]);
    for (const ending of endings) expectLost(ending, rolesOf(ending));
  });

  it("a whole bundle hides nothing, and a digest chooses one material of several", () => {
    for (const ending of endings) expect(report(all.bytes[ending]).hidden).toEqual([]);
    const [, second] = Evidence.open(all.bytes.approved).digestsOf("policy_input");
    const { bytes, hidden } = redactBundle(all.bytes.approved, { hide: [second ?? ""] });
    expect(hidden).toEqual([{ role: "policy_input", cover: "salt", count: 1, digests: [second] }]);
    expect(inState(bytes, "unable")).toEqual(["materials", "policy", "attestations"]);
  });

  it("--keep leaves out every salted material but the kept, and keeps what is public", () => {
    const { hidden, bytes } = redactBundle(all.bytes.approved, { keep: ["intent", "output"] });
    const covered = rolesOf("approved").filter((role) => !["intent", "output", "policy", "plugin"].includes(role));
    expect(hidden.map(({ role }) => role)).toEqual(covered);
    expect(hidden.every(({ cover }) => cover === "salt")).toBe(true);
    expect(inState(bytes, "pass")).toContain("events");
  });

  it("what was left out before counts as hidden as well", () => {
    const once = redactBundle(all.bytes.executed, { hide: ["input"] });
    const twice = redactBundle(once.bytes, { hide: ["output"] });
    expect(twice.hidden.map(({ role }) => role)).toEqual(["input", "output"]);
    expect(twice.bytes).toEqual(redactBundle(all.bytes.executed, { hide: ["output", "input"] }).bytes);
  });

  it("changes nothing of envelope and log proof, and does not touch what it was given", () => {
    const before = all.bytes.executed.slice();
    const { bytes } = redactBundle(all.bytes.executed, { hide: ["output"] });
    expect(all.bytes.executed).toEqual(before);
    const [whole, left] = [Evidence.open(before), Evidence.open(bytes)];
    expect(left.bundle.envelope).toEqual(whole.bundle.envelope);
    expect(left.bundle.logProof).toBe(whole.bundle.logProof);
    expect(left.materials.size).toBe(whole.materials.size - 1);
    expect(canonicalize(left.bundle)).toEqual(bytes);
  });
});

describe("refused", () => {
  const choices: readonly (readonly [string, RedactChoice, RegExp])[] = [
    ...allRoles
      .filter((role) => !hideable.includes(role))
      .map((role) => [role, { hide: [role] }, new RegExp(`^${role} stays in every bundle: `)] as const),
    ["a role that is none", { hide: ["outputs"] }, /^"outputs" cannot be chosen: the roles are intent, /],
    ["a name of every object", { hide: ["constructor"] }, /^"constructor" cannot be chosen/],
    ["a kept role that is none", { keep: ["x"] }, /^"x" cannot be chosen/],
    ["a material of another bundle", { hide: [digestOf(encodeUtf8("x"))] }, /the statement names no such material$/],
    ["what the bundle does not have", { hide: ["preview"] }, /^the bundle holds nothing of what is to be hidden$/],
    ["nothing", { hide: [] }, /^the bundle holds nothing/],
    ["nothing but what is kept", { keep: [...allRoles] }, /^the bundle holds nothing/],
  ];
  it.each(choices)("%s", (_name, choice, message) => {
    expect(() => redactBundle(all.bytes.executed, choice)).toThrow(
      expect.objectContaining({ code: "EXO_REDACT", message: expect.stringMatching(message) }),
    );
  });

  it("the digest of a material that must stay", () => {
    const [manifest = ""] = Evidence.open(all.bytes.executed).digestsOf("manifest");
    expect(() => redactBundle(all.bytes.executed, { hide: [manifest] })).toThrow(
      expect.objectContaining({ code: "EXO_REDACT", message: expect.stringMatching(/^manifest stays/) }),
    );
  });

  it.each([
    ["no JSON", encodeUtf8("{"), "EXO_JSON_SYNTAX"],
    ["another document", canonicalize({ a: 1 }), "EXO_SCHEMA"],
    ["spaces", encodeUtf8('{ "a":1}'), "EXO_JSON_NOT_CANONICAL"],
  ])("%s", (_name, bytes, code) => {
    expect(() => redactBundle(bytes, { hide: ["output"] })).toThrow(expect.objectContaining({ code }));
  });

  it("only salted roles, the intent with its own salt, and two public ones may be hidden at all", () => {
    const salted = allRoles.filter((role) => materialRoles[role].salted);
    expect(new Set(hideable)).toEqual(new Set([...salted, "intent", "policy", "plugin"]));
    for (const role of salted) expect(coverOf(role)).toEqual({ cover: "salt" });
  });
});

describe("a removed material that is replaced", () => {
  const wrong = (bytes: Uint8Array): string[] =>
    report(bytes).checks.flatMap(({ id, state, code }) => (state === "fail" ? [`${id} ${code ?? ""}`] : []));
  const outputOf = (bytes: Uint8Array) => {
    const [digest = ""] = Evidence.open(bytes).digestsOf("output");
    return { digest, text: Evidence.open(bytes).bundle.materials[digest] ?? "" };
  };
  const redacted = (): Uint8Array => redactBundle(all.bytes.executed, { hide: ["output"] }).bytes;

  it("by itself: the file is the old one", () => {
    const { digest, text } = outputOf(all.bytes.executed);
    const back = repack(redacted(), (bundle) => (bundle.materials[digest] = text));
    expect(back).toEqual(all.bytes.executed);
  });

  it("by other bytes under its digest", () => {
    const { digest, text } = outputOf(all.bytes.executed);
    const bytes = decodeBase64(text) as Uint8Array;
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const forged = repack(redacted(), (bundle) => (bundle.materials[digest] = encodeBase64(bytes)));
    expect(wrong(forged)).toEqual(["materials EXO_MATERIAL_DIGEST", "execution EXO_MATERIAL_DIGEST"]);
  });

  it("by its content without the salt, or under another salt", () => {
    const { digest, text } = outputOf(all.bytes.executed);
    const content = (decodeBase64(text) as Uint8Array).slice(32);
    const bare = repack(redacted(), (bundle) => (bundle.materials[digest] = encodeBase64(content)));
    expect(wrong(bare)[0]).toBe("materials EXO_MATERIAL_DIGEST");
    const other = saltedMaterial(new Uint8Array(32), "output", all.intentIds.executed, content);
    const named = repack(redacted(), (bundle) => (bundle.materials[other.digest] = encodeBase64(other.bytes)));
    expect(wrong(named)).toEqual(["materials EXO_MATERIAL_SET"]);
    expect(report(named).hidden.map(({ role }) => role)).toEqual(["output"]);
  });

  it("by the same role's material of another run", () => {
    const { digest, text } = outputOf(all.bytes.written);
    const forged = repack(redacted(), (bundle) => (bundle.materials[digest] = text));
    expect(wrong(forged)).toEqual(["materials EXO_MATERIAL_SET"]);
  });

  it("by a statement that does not name it any more", async () => {
    const forge = new Forge(all.bytes.executed);
    const { envelope } = Evidence.open(all.bytes.executed).bundle;
    forge.drop("output");
    const payload = encodeBase64(canonicalize(forge.statement));
    const forged = repack(await forge.pack(), (bundle) => (bundle.envelope = { ...envelope, payload }));
    expect(wrong(forged)).toContain("signature EXO_SIGNATURE");
  });
});

/** Every SHA-256 that a file shows anywhere: in its members, the statement and the materials that are left. */
function digestsIn(bytes: Uint8Array): Set<string> {
  const { bundle, payload, materials } = Evidence.open(bytes);
  const texts = [JSON.stringify(bundle), ...[payload, ...materials.values()].map((one) => Buffer.from(one).toString())];
  return new Set(texts.flatMap((text) => text.match(/[0-9a-f]{64}/g) ?? []).map((hex) => `sha256:${hex}`));
}

describe("guessing what is hidden", () => {
  it("one hidden byte of output is not found among its 256 values", async () => {
    const rig = await openRig({
      rules: [{ id: "all", match: { action: "fs.read" }, verdict: "allow" }],
      seed: "one byte",
    });
    rig.sandbox.scripts["read"] = () => Promise.resolve(7);
    const { intentId } = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    const whole = rig.pipeline.bundle(intentId)?.bytes() ?? new Uint8Array();
    const [output] = Evidence.open(whole).digestsOf("output");
    const bytes = Evidence.open(whole).content(output ?? "sha256:", "output");
    expect(bytes).toEqual(encodeUtf8("7"));
    const hide = rolesOf("executed").filter((role) => materialRoles[role].salted);
    const shown = digestsIn(redactBundle(whole, { hide }).bytes);
    // The search sees the commitment, and would see a bare digest: the plugin's is one.
    expect(shown).toContain(output);
    expect(shown).toContain(digestOf(Evidence.open(whole).materials.get(pluginOf(whole)) ?? new Uint8Array()));
    const salts = [new Uint8Array(0), new Uint8Array(32), encodeUtf8(`output\0${intentId}\0`)];
    for (let guess = 0; guess < 256; guess += 1) {
      for (const salt of salts) expect(shown).not.toContain(digestOf(new Uint8Array([...salt, guess])));
    }
  });

  it("the request of a hidden write is found by its digest as long as event payloads are there, as the report says", () => {
    const host = Evidence.open(all.bytes.written);
    const [call = "sha256:"] = host.digestsOf("host_call");
    const { requestDigest } = JSON.parse(new TextDecoder().decode(host.content(call as "sha256:", "host_call"))) as {
      requestDigest: string;
    };
    const half = redactBundle(all.bytes.written, { hide: ["host_call"] });
    expect(digestsIn(half.bytes)).toContain(requestDigest);
    expect(half.readable.map(({ role }) => role)).toEqual(["host_call"]);
    const both = redactBundle(all.bytes.written, { hide: ["host_call", "event_payload"] });
    expect(digestsIn(both.bytes)).not.toContain(requestDigest);
    expect(both.readable).toEqual([]);
  });

  it.each<[Ending, MaterialRole[], string[]]>([
    ["executed", ["output"], ["output from input, host_call"]],
    ["executed", ["output", "input"], ["input from intent", "output from input, host_call"]],
    ["executed", ["output", "input", "intent"], []],
    ["executed", ["output", "host_call"], []],
    ["executed", ["plugin", "output"], ["output from input, host_call"]],
    ["executed", ["intent"], ["intent from input"]],
    ["executed", ["intent", "input"], []],
    ["approved", ["intent", "input"], ["intent from preview", "input from preview"]],
    ["approved", ["intent", "input", "preview"], []],
    ["approved", ["grants"], ["grants from preview"]],
    ["denied", ["policy_input"], ["policy_input from event_payload"]],
    ["denied", ["policy_input", "event_payload"], []],
  ])("%s without %j says what can be told all the same", (ending, hide, expected) => {
    const { readable } = redactBundle(all.bytes[ending], { hide });
    expect(readable.map(({ role, from }) => `${role} from ${from.join(", ")}`)).toEqual(expected);
  });
});

function pluginOf(bytes: Uint8Array): string {
  return Evidence.open(bytes).digestsOf("plugin")[0] ?? "";
}
