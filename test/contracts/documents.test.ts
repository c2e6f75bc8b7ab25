import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { canonicalize } from "../../src/canonical/jcs.js";
import { approvalGrantSchema } from "../../src/contracts/approval.js";
import { predicateSchema } from "../../src/contracts/bundle.js";
import { envelopeSchema, openEnvelope, parseEnvelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { eventHeaderSchema, eventPayloads } from "../../src/contracts/event.js";
import { executionStatuses, hostCallSchema, irreproducibleStatuses } from "../../src/contracts/execution.js";
import { intentDraftSchema, intentSchema, requesterSchema } from "../../src/contracts/intent.js";
import { defaultLimits, limitsSchema, manifestSchema } from "../../src/contracts/manifest.js";
import { killSwitchOrderSchema, resolutionOrderSchema } from "../../src/contracts/order.js";
import { policySchema } from "../../src/contracts/policy.js";
import { publishedSchemas } from "../../src/contracts/schemas.js";
import { trustSchema } from "../../src/contracts/trust.js";
import { signerNamed } from "../support/world.js";

const digest = `sha256:${"0".repeat(64)}`;
const ulid = "01HZZZZZZZZZZZZZZZZZZZZZZZ";
const time = "2026-01-31T09:00:00.000Z";
const salt = "A".repeat(43);
const keyId = "0".repeat(32);

const intent = {
  schema: "exoarmur.intent/v1",
  intentId: ulid,
  correlationId: "c",
  tenantId: "t",
  cellId: "l",
  actor: { id: "a", type: "agent" },
  action: "fs.read",
  parameters: {},
  idempotencyKey: "k",
  requestedAt: time,
  salt,
};
const fn = { name: "read", action: "fs.read", input: "parameters", output: "json", effects: "read", target: "/path" };
const manifest = {
  schema: "exoarmur.executor/v1",
  name: "fs",
  version: "1",
  wasm: { digest },
  functions: [fn],
  capabilities: [],
  limits: defaultLimits,
};
const grant = {
  schema: "exoarmur.approval-grant/v1",
  requestDigest: digest,
  decision: "approve",
  approver: { id: "a", keyId },
  nonce: salt,
  signedAt: time,
};
const policy = {
  schema: "exoarmur.policy/v1",
  policyId: "p",
  version: 1,
  rules: [{ id: "r", match: {}, verdict: "allow" }],
};
const header = {
  schema: "exoarmur.event/v1",
  eventId: ulid,
  eventType: "intent_received",
  actor: { id: "a", type: "agent" },
  correlationId: "c",
  sequence: 0,
  previous: null,
  cellId: "l",
  tenantId: "t",
  intentId: null,
  payloadDigest: digest,
  recordedAt: time,
};
const hostCall = {
  schema: "exoarmur.host-call/v1",
  seq: 0,
  capability: "fs_read",
  requestDigest: digest,
  request: "gA",
  outcome: "ok",
  responseDigest: digest,
  response: "gA",
  assurance: "local",
  fuel: 1,
};
const kill = {
  schema: "exoarmur.kill-switch/v1",
  cellId: "l",
  scope: "global",
  tenantId: null,
  on: true,
  operator: { id: "o", keyId },
  nonce: salt,
  signedAt: time,
};
const resolution = {
  schema: "exoarmur.resolution/v1",
  cellId: "l",
  intentId: ulid,
  outcome: "unknown",
  evidence: [digest],
  operator: { id: "o", keyId },
  nonce: salt,
  signedAt: time,
};
const trust = {
  schema: "exoarmur.trust/v1",
  logs: [],
  keys: [{ role: "approver", id: "a", publicKey: "A".repeat(43) + "=", from: null, until: null }],
  witnesses: { threshold: 0, vkeys: [] },
};

const documents: readonly [string, z.ZodType, { [name: string]: unknown }][] = [
  ["intent", intentSchema, intent],
  ["intent draft", intentDraftSchema, { actor: "a", action: "fs.read", parameters: {} }],
  ["requester", requesterSchema, { principal: "p", method: "token" }],
  ["manifest", manifestSchema, manifest],
  ["limits", limitsSchema, defaultLimits],
  ["grant", approvalGrantSchema, grant],
  ["policy", policySchema, policy],
  ["event header", eventHeaderSchema, header],
  ["host call", hostCallSchema, hostCall],
  ["kill switch", killSwitchOrderSchema, kill],
  ["resolution", resolutionOrderSchema, resolution],
  ["trust", trustSchema, trust],
  [
    "predicate revisions",
    predicateSchema.shape.revisions,
    { bundle: 1, canonical: 1, meter: 1, abi: 1, policy: 1, safety: 1 },
  ],
];

describe.each(documents)("%s", (_name, schema, good) => {
  test("is taken as it is", () => {
    const parsed = schema.safeParse(good);
    expect(parsed.success).toBe(true);
    expect(parsed.data).toEqual(good);
  });

  test("without any one of its members, or with one more, is refused", () => {
    for (const member of Object.keys(good)) {
      const { [member]: _gone, ...rest } = good;
      expect(schema.safeParse(rest).success, `without ${member}`).toBe(false);
    }
    expect(schema.safeParse({ ...good, extra: 1 }).success).toBe(false);
    expect(schema.safeParse([good]).success).toBe(false);
  });

  test("with any member of another type is refused", () => {
    for (const [member, value] of Object.entries(good)) {
      for (const other of [Symbol.iterator.toString(), { nested: { x: 1 } }, -1, [[]]]) {
        if (typeof other === typeof value && typeof value !== "object") continue;
        if (value === null && typeof other === "string") continue;
        if (member === "parameters" && typeof other === "object" && !Array.isArray(other)) continue;
        if (member === "actor" && typeof other === "string") continue;
        expect(schema.safeParse({ ...good, [member]: other }).success, `${member}: ${JSON.stringify(other)}`).toBe(
          false,
        );
      }
    }
  });
});

describe("rules across members", () => {
  test("a function that reads or writes names its target", () => {
    const { target: _target, ...bare } = fn;
    for (const effects of ["read", "write"]) {
      expect(manifestSchema.safeParse({ ...manifest, functions: [{ ...bare, effects }] }).success).toBe(false);
    }
    expect(manifestSchema.safeParse({ ...manifest, functions: [{ ...bare, effects: "none" }] }).success).toBe(true);
  });

  test.each(["a\u0000b", " read", "read\n", ""])(
    "a function named %j is refused: intents and records could not carry it",
    (name) => {
      expect(manifestSchema.safeParse({ ...manifest, functions: [{ ...fn, name }] }).success).toBe(false);
    },
  );

  test.each([undefined, "", "  \t"])("a deny with the reason %j is refused", (reason) => {
    const denied = { ...grant, decision: "deny", ...(reason === undefined ? {} : { reason }) };
    expect(approvalGrantSchema.safeParse(denied).success).toBe(false);
    expect(approvalGrantSchema.safeParse({ ...denied, reason: "because" }).success).toBe(true);
  });

  test("rule ids are unique, and `default` is nobody's", () => {
    const rules = [policy.rules[0], policy.rules[0]];
    expect(policySchema.safeParse({ ...policy, rules }).success).toBe(false);
    expect(policySchema.safeParse({ ...policy, rules: [{ ...policy.rules[0], id: "default" }] }).success).toBe(false);
    expect(policySchema.safeParse({ ...policy, version: 0 }).success).toBe(false);
    expect(policySchema.safeParse({ ...policy, rules: [{ ...policy.rules[0], verdict: "warn" }] }).success).toBe(false);
  });

  test("limits have their bounds", () => {
    for (const [name, value] of [
      ["fuel", 0],
      ["fuel", 2 ** 53],
      ["memoryPages", 16_385],
      ["stackBytes", 262_145],
      ["hostCalls", 1_000_001],
      ["timeoutMs", 0],
      ["timeoutMs", 600_001],
      ["outputBytes", 67_108_865],
      ["fuel", 1.5],
    ] as const) {
      expect(limitsSchema.safeParse({ ...defaultLimits, [name]: value }).success, `${name} ${value}`).toBe(false);
    }
  });

  test("statuses: twelve, of which three are never claimed to be reproducible", () => {
    expect(executionStatuses).toEqual([
      "completed",
      "guest_error",
      "trapped",
      "out_of_fuel",
      "out_of_memory",
      "stack_overflow",
      "output_limit",
      "host_call_limit",
      "capability_denied",
      "timed_out",
      "host_fault",
      "in_doubt",
    ]);
    expect([...irreproducibleStatuses]).toEqual(["timed_out", "host_fault", "in_doubt"]);
  });

  test("event types: twenty-five", () => {
    expect(Object.keys(eventPayloads)).toHaveLength(25);
  });

  test("every published schema is strict at its top", () => {
    for (const [name, schema] of Object.entries(publishedSchemas)) {
      expect(schema.safeParse({ unheard: "of" }).success, name).toBe(false);
    }
  });
});

describe("envelopes", () => {
  const signer = signerNamed("alice");
  const payload = canonicalize({ a: 1 });

  test("open under the right type and key alone", async () => {
    const envelope = await signEnvelope(payloadTypes.policy, payload, signer);
    expect(openEnvelope(envelope, payloadTypes.policy, [signer.publicKey])).toMatchObject({
      ok: true,
      value: { payload },
    });
    const code = (result: ReturnType<typeof openEnvelope>): string => (result.ok ? "ok" : result.error.code);
    expect(code(openEnvelope(envelope, payloadTypes.manifest, [signer.publicKey]))).toBe("EXO_ENVELOPE");
    expect(code(openEnvelope(envelope, payloadTypes.policy, []))).toBe("EXO_TRUST");
    expect(code(openEnvelope(envelope, payloadTypes.policy, [signerNamed("bob").publicKey]))).toBe("EXO_TRUST");
    expect(
      code(
        openEnvelope({ ...envelope, payloadType: payloadTypes.manifest }, payloadTypes.manifest, [signer.publicKey]),
      ),
    ).toBe("EXO_SIGNATURE");
    const [signature] = envelope.signatures;
    if (signature === undefined) throw new Error("no signature");
    expect(
      code(openEnvelope({ ...envelope, signatures: [signature, signature] }, payloadTypes.policy, [signer.publicKey])),
    ).toBe("EXO_ENVELOPE");
    expect(
      code(
        openEnvelope({ ...envelope, signatures: [{ ...signature, sig: "AAAA" }] }, payloadTypes.policy, [
          signer.publicKey,
        ]),
      ),
    ).toBe("EXO_SIGNATURE");
    expect(code(openEnvelope({ ...envelope, payload: "e30=" }, payloadTypes.policy, [signer.publicKey]))).toBe(
      "EXO_SIGNATURE",
    );
    expect(code(openEnvelope({ ...envelope, payload: "e30" }, payloadTypes.policy, [signer.publicKey]))).toBe(
      "EXO_ENVELOPE",
    );
    // One good signature does not make up for one that nobody trusts.
    const both = { ...envelope, signatures: [signature, { ...signature, keyid: "f".repeat(32) }] };
    expect(code(openEnvelope(both, payloadTypes.policy, [signer.publicKey]))).toBe("EXO_TRUST");
  });

  test("are read from canonical bytes alone", async () => {
    const envelope = await signEnvelope(payloadTypes.policy, payload, signer);
    expect(parseEnvelope(canonicalize(envelope))).toEqual({ ok: true, value: envelope });
    expect(() => parseEnvelope(new TextEncoder().encode(JSON.stringify(envelope, null, 1)))).toThrow(
      expect.objectContaining({ code: "EXO_JSON_NOT_CANONICAL" }),
    );
    expect(parseEnvelope(canonicalize({ ...envelope, extra: 1 })).ok).toBe(false);
    expect(parseEnvelope(canonicalize({ ...envelope, signatures: [] })).ok).toBe(false);
    expect(envelopeSchema.safeParse({ ...envelope, payload: "e30" }).success).toBe(false);
  });
});
