import { canonicalize } from "../../src/canonical/jcs.js";
import { payloadTypes } from "../../src/contracts/dsse.js";
import { preAuthEncode } from "../../src/crypto/dsse.js";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Signer } from "../../src/ports.js";
import { repack } from "../support/forge.js";
import { keys } from "../support/world.js";
import { type Forgery, forged, someDigest } from "./forgery.js";

function flipped(text: string): string {
  const bytes = decodeBase64(text) as Uint8Array;
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  return encodeBase64(bytes);
}

async function signatureBy(signer: Signer, payload: string): Promise<{ keyid: string; sig: string }> {
  const sig = await signer.sign(preAuthEncode(payloadTypes.statement, decodeBase64(payload) as Uint8Array));
  return { keyid: signer.keyId, sig: encodeBase64(sig) };
}

async function secondSignature(bytes: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const { envelope } = JSON.parse(new TextDecoder().decode(bytes)) as { envelope: { payload: string } };
  const added = await signatureBy(signer, envelope.payload);
  return repack(bytes, (bundle) => bundle.envelope.signatures.push(added));
}

export const signatureForgeries: readonly Forgery[] = [
  {
    check: "signature",
    name: "a bit of the signature",
    of: "executed",
    code: "EXO_SIGNATURE",
    make: (_forge, bytes) =>
      repack(bytes, (b) => (b.envelope.signatures[0].sig = flipped(b.envelope.signatures[0].sig))),
  },
  {
    check: "signature",
    name: "another runtime's key",
    of: "executed",
    code: "EXO_TRUST",
    make: (f) => f.pack({ runtime: keys.mallory }),
  },
  {
    check: "signature",
    name: "a trusted key of another role",
    of: "executed",
    code: "EXO_TRUST",
    make: (f) => f.pack({ runtime: keys.author }),
  },
  {
    check: "signature",
    name: "the log's key",
    of: "denied",
    code: "EXO_TRUST",
    make: (f) => f.pack({ runtime: keys.log }),
  },
  {
    check: "signature",
    name: "the signer twice",
    of: "denied",
    code: "EXO_ENVELOPE",
    make: (_f, bytes) => secondSignature(bytes, keys.runtime),
  },
  {
    check: "signature",
    name: "a second signer",
    of: "denied",
    code: "EXO_ENVELOPE",
    make: (_f, bytes) => secondSignature(bytes, keys.author),
  },
  {
    check: "signature",
    name: "another key's id on the signature",
    of: "denied",
    code: "EXO_TRUST",
    make: (_forge, bytes) => repack(bytes, (b) => (b.envelope.signatures[0].keyid = keys.mallory.keyId)),
  },
  forged({ check: "signature", name: "a listed key under another id", of: "denied", code: "EXO_KEY" }, (f) => {
    const [first] = f.predicate.keys;
    if (first !== undefined) first.keyId = "0".repeat(32);
  }),
];

export const shapeForgeries: readonly Forgery[] = [
  ...(
    [
      ["canonical", "intent events payloads policy-author policy safety verdict plugin inclusion"],
      ["meter", "plugin"],
      ["abi", ""],
      ["policy", "policy"],
      ["safety", "safety verdict"],
    ] as const
  ).map(([name, others]) =>
    forged(
      {
        check: "revisions",
        name: `unknown ${name} revision`,
        of: "denied",
        code: "EXO_REVISION",
        state: "unable",
        caught: ["revisions", ...others.split(" ").filter((id) => id !== "")],
      },
      (f) => {
        f.predicate.revisions[name] = 99;
      },
    ),
  ),
  forged({ check: "materials", name: "a material nobody names", of: "denied", code: "EXO_MATERIAL_SET" }, (f) => {
    f.add("resolution", encodeUtf8("{}"));
    f.predicate.materials = f.predicate.materials.filter((entry) => entry.role !== "resolution");
  }),
  forged({ check: "materials", name: "a material named twice", of: "denied", code: "EXO_MATERIAL_SET" }, (f) => {
    f.predicate.materials.push({
      role: "safety_config",
      digest: f.digests("safety_config")[0] ?? someDigest("0"),
      salted: true,
    });
  }),
  forged({ check: "materials", name: "salted said of a plain one", of: "denied", code: "EXO_MATERIAL_SET" }, (f) => {
    for (const entry of f.predicate.materials) if (entry.role === "manifest") entry.salted = true;
  }),
  forged(
    { check: "materials", name: "other bytes under a digest nobody reads", of: "denied", code: "EXO_MATERIAL_DIGEST" },
    (f) => {
      f.materials.set(f.add("resolution", encodeUtf8("{}")), encodeUtf8("[]"));
    },
  ),
  forged(
    {
      check: "materials",
      name: "a named material left out",
      of: "denied",
      code: "EXO_MATERIAL_MISSING",
      state: "unable",
    },
    (f) => {
      f.materials.delete(f.add("resolution", encodeUtf8("{}")));
    },
  ),
  forged({ check: "intent", name: "another first subject", of: "denied", code: "EXO_CHECK_FAILED" }, (f) => {
    f.statement.subject = [{ name: "intent", digest: { sha256: "0".repeat(64) } }];
  }),
  forged(
    { check: "intent", name: "the output as first subject", of: "executed", code: "EXO_CHECK_FAILED" },
    (f) => void f.statement.subject.reverse(),
  ),
  forged(
    { check: "intent", name: "no output among the subjects", of: "executed", code: "EXO_CHECK_FAILED" },
    (f) => void f.statement.subject.pop(),
  ),
  forged({ check: "intent", name: "two outputs", of: "executed", code: "EXO_MATERIAL_SET" }, (f) =>
    f.add("output", encodeUtf8("{}")),
  ),
  forged({ check: "intent", name: "another intent was received", of: "executed", code: "EXO_CHECK_FAILED" }, (f) =>
    f.payload("intent_received", (p) => (p.intentDigest = someDigest("1"))),
  ),
  forged(
    {
      check: "intent",
      name: "the statement of another tenant",
      of: "denied",
      code: "EXO_CHECK_FAILED",
      caught: ["intent", "events"],
    },
    (f) => {
      f.predicate.tenantId = "other";
    },
  ),
  forged({ check: "events", name: "recorded before an earlier one", of: "executed", code: "EXO_CHECK_FAILED" }, (f) =>
    f.header(-1, (h) => (h.recordedAt = "2020-01-01T00:00:00.000Z")),
  ),
  forged({ check: "events", name: "a broken link", of: "executed", code: "EXO_CHECK_FAILED" }, (f) =>
    f.header(-1, (h) => (h.previous = someDigest("2"))),
  ),
  forged(
    { check: "events", name: "a first event with a previous one", of: "executed", code: "EXO_CHECK_FAILED" },
    (f) => f.header(0, (h) => (h.previous = someDigest("2"))),
  ),
  forged(
    { check: "events", name: "a later event without a previous one", of: "executed", code: "EXO_CHECK_FAILED" },
    (f) => f.relink(7),
  ),
  forged({ check: "events", name: "of another tenant", of: "executed", code: "EXO_CHECK_FAILED" }, (f) =>
    f.header(2, (h) => (h.tenantId = "other")),
  ),
  forged({ check: "events", name: "of another intent", of: "executed", code: "EXO_CHECK_FAILED" }, (f, all) =>
    f.header(2, (h) => (h.intentId = all.intentIds.denied)),
  ),
  forged({ check: "events", name: "the last one removed", of: "denied", code: "EXO_CHECK_FAILED" }, (f) =>
    f.removeEvent(4),
  ),
  forged({ check: "events", name: "one after the end", of: "denied", code: "EXO_CHECK_FAILED" }, async (f) => {
    await f.insertEvent(
      5,
      { eventType: "intent_denied" },
      { reason: { code: "X", message: "", ruleIds: [], approvalCouldHelp: false, retrySafe: false } },
    );
  }),
  forged(
    {
      check: "events",
      name: "two in each other's place",
      of: "denied",
      code: "EXO_CHECK_FAILED",
      caught: ["events", "verdict"],
    },
    async (f) => {
      const [events, at] = [f.predicate.events, 2];
      events.splice(at, 2, ...events.slice(at, at + 2).reverse());
      await f.relink();
    },
  ),
  forged({ check: "events", name: "one twice", of: "denied", code: "EXO_CHECK_FAILED" }, (f) => {
    const [, second] = f.predicate.events;
    if (second !== undefined) f.predicate.events.splice(1, 0, second);
  }),
  forged(
    {
      check: "events",
      name: "of an unknown type",
      of: "denied",
      code: "EXO_REVISION",
      state: "unable",
      caught: ["events", "payloads"],
    },
    (f) => f.insertEvent(1, { eventType: "moon_phase_changed" }, { phase: "full" }),
  ),
  forged(
    { check: "events", name: "a type that is not the header's", of: "denied", code: "EXO_CHECK_FAILED", caught: ["*"] },
    (f) => {
      const last = f.predicate.events.at(-1);
      if (last !== undefined) last.eventType = "execution_completed";
    },
  ),
  forged({ check: "payloads", name: "not of its type's shape", of: "denied", code: "EXO_SCHEMA" }, (f) =>
    f.payload("intent_denied", (p) => (p.more = true)),
  ),
  forged({ check: "payloads", name: "not canonical", of: "denied", code: "EXO_JSON_NOT_CANONICAL" }, async (f) => {
    const text = new TextDecoder().decode(canonicalize(f.json("event_payload", 4)));
    await f.set("event_payload", encodeUtf8(`${text} `), 4);
  }),
];
