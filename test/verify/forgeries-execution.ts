import { canonicalize } from "../../src/canonical/jcs.js";
import { encodeBase64, encodeUtf8 } from "../../src/crypto/encoding.js";
import { repositoryFile } from "../support/rig.js";
import { keys } from "../support/world.js";
import { type Forgery, forged, someDigest } from "./forgery.js";

const wrong = "EXO_CHECK_FAILED";
const executed = { check: "execution", of: "executed" } as const;
const answers = { check: "answers", of: "executed" } as const;
const transcript = { check: "transcript", of: "executed" } as const;

export const executionForgeries: readonly Forgery[] = [
  forged({ check: "plugin", of: "executed", name: "another metered module", code: "EXO_PLUGIN_DIGEST" }, (f) =>
    f.execution((record) => (record.plugin.meteredDigest = someDigest("7"))),
  ),
  forged({ check: "plugin", of: "executed", name: "another meter revision", code: wrong }, (f) =>
    f.execution((record) => (record.plugin.meterRevision = 9)),
  ),
  forged({ check: "plugin", of: "executed", name: "another plugin altogether", code: "EXO_WASM_EXPORT" }, (f) =>
    f.set("plugin", repositoryFile("test/fixtures/echo.wasm")),
  ),
  forged({ check: "plugin", of: "executed", name: "a plugin that is no module", code: "EXO_WASM_INVALID" }, (f) =>
    f.set("plugin", encodeUtf8("\0asm?")),
  ),
  forged(
    {
      check: "plugin",
      of: "denied",
      name: "a manifest of another module",
      code: "EXO_PLUGIN_DIGEST",
      caught: ["policy", "plugin"],
    },
    (f) => f.edit("manifest", (manifest) => (manifest.wasm.digest = someDigest("7"))),
  ),
  forged({ ...executed, name: "the statement holds another record", code: wrong }, (f) => {
    if (f.predicate.execution !== undefined) f.predicate.execution.fuel.used += 1;
  }),
  forged({ ...executed, name: "more fuel than the limit", code: wrong }, (f) =>
    f.execution((record) => (record.fuel.used = record.fuel.limit + 1)),
  ),
  forged({ ...executed, name: "another fuel limit than granted", code: wrong }, (f) =>
    f.execution((record) => (record.fuel.limit -= 1)),
  ),
  forged({ ...executed, name: "wider limits than granted", code: wrong }, (f) =>
    f.execution((record) => (record.limits.memoryPages += 1)),
  ),
  forged({ ...executed, name: "another input", code: wrong }, (f) =>
    f.set("input", canonicalize({ path: "data/other.csv" })),
  ),
  forged({ ...executed, name: "another input than the parameters", code: wrong }, (f) =>
    f.edit("intent", (intent) => (intent.parameters.encoding = "base64")),
  ),
  forged({ ...executed, name: "an output that is not JSON", code: wrong }, (f) => f.set("output", encodeUtf8("{"))),
  forged({ ...executed, name: "an output over the limit", code: wrong }, (f) =>
    f.set("output", encodeUtf8(`"${"x".repeat(4_194_303)}"`)),
  ),
  forged({ ...executed, name: "parameters that break the input schema", code: "EXO_INPUT_SCHEMA" }, (f) =>
    f.edit("manifest", (manifest) => (manifest.functions[0].inputSchema = { required: ["other"] })),
  ),
  forged({ ...executed, name: "an output that breaks the output schema", code: "EXO_OUTPUT_SCHEMA" }, (f) =>
    f.edit("manifest", (manifest) => (manifest.functions[0].outputSchema = { type: "null" })),
  ),
  forged({ ...executed, of: "failed", name: "a broken output schema where there is none", code: wrong }, async (f) => {
    await f.execution((record) => (record.error.code = "EXO_OUTPUT_SCHEMA"));
    await f.payload("execution_failed", (p) => (p.reason.code = "EXO_OUTPUT_SCHEMA"));
  }),
  forged({ ...executed, name: "a failure under a completion", code: wrong }, (f) =>
    f.execution((record) => Object.assign(record, { status: "trapped", error: { code: "EXO_TRAPPED" } })),
  ),
  forged({ ...executed, name: "a completion with an error", code: wrong }, (f) =>
    f.execution((record) => (record.error = { code: "EXO_TRAPPED" })),
  ),
  forged({ ...executed, name: "a completion without output", code: wrong }, (f) =>
    f.execution((record) => delete record.outputDigest),
  ),
  forged({ ...executed, of: "failed", name: "a completion under a failure", code: wrong }, (f) =>
    f.execution((record) => (record.status = "completed")),
  ),
  forged({ ...executed, of: "failed", name: "a reason that is not the record's", code: wrong }, (f) =>
    f.payload("execution_failed", (p) => (p.reason.code = "EXO_OUT_OF_FUEL")),
  ),
  forged({ ...executed, name: "another function", code: wrong }, (f) =>
    f.execution((record) => (record.function = "write")),
  ),
  forged({ ...executed, name: "a start with another kill switch epoch", code: wrong }, (f) =>
    f.payload("execution_started", (p) => (p.killSwitchEpoch += 1)),
  ),
  forged({ ...executed, name: "a start with another snapshot", code: "EXO_CHECK_FAILED" }, (f) =>
    f.payload("execution_started", (p) => (p.stateDigest = someDigest("8"))),
  ),
  forged({ ...executed, name: "a start under another policy", code: wrong }, (f) =>
    f.payload("execution_started", (p) => (p.policyDigest = someDigest("8"))),
  ),
  forged({ ...executed, name: "a start with another plugin", code: wrong }, (f) =>
    f.payload("execution_started", (p) => (p.pluginDigest = someDigest("8"))),
  ),
  forged({ ...executed, name: "a start with another configuration", code: wrong }, (f) =>
    f.payload("execution_started", (p) => (p.configDigest = someDigest("8"))),
  ),
  forged({ ...executed, name: "a configuration that is none", code: "EXO_SCHEMA" }, (f) =>
    f.edit("config", (config) => (config.config = { debug: true })),
  ),
  forged({ ...executed, name: "the record left out", code: wrong, caught: ["execution", "transcript"] }, (f) => {
    delete f.predicate.execution;
  }),
  forged(
    { ...executed, of: "denied", name: "a record without a start", code: wrong, caught: ["execution", "transcript"] },
    (f, all) => {
      const record = all.rig.pipeline.status(all.intentIds.failed);
      if ("execution" in record) f.predicate.execution = record.execution;
    },
  ),
  forged(
    {
      ...transcript,
      of: "denied",
      name: "host calls without a start",
      code: wrong,
      caught: ["execution", "transcript"],
    },
    (f) => f.add("host_call", encodeUtf8("{}")),
  ),
  forged({ ...executed, name: "another output than recorded", code: wrong, caught: ["intent", "execution"] }, (f) => {
    f.add("output", encodeUtf8("[]"), new Uint8Array(32).fill(9));
    f.predicate.materials = f.predicate.materials.filter(
      (entry) => entry.digest !== f.predicate.execution?.outputDigest,
    );
    f.materials.delete(f.predicate.execution?.outputDigest ?? "");
  }),
  forged({ ...answers, name: "a file that a certificate vouches for", code: wrong }, (f) =>
    f.hostCall((call) => (call.assurance = { tls: { spkiDigest: someDigest("5") } })),
  ),
  forged({ ...answers, name: "a file that nobody vouches for", code: wrong }, (f) =>
    f.hostCall((call) => (call.assurance = "unauthenticated")),
  ),
  forged({ ...answers, name: "a file that somebody signed", code: wrong }, (f) =>
    f.hostCall((call) => (call.assurance = { signed: { scheme: "dsse", keyId: "k", payloadType: "text/plain" } })),
  ),
  forged({ ...transcript, name: "a call numbered wrongly", code: wrong }, (f) => f.hostCall((call) => (call.seq = 1))),
  forged({ ...transcript, name: "a request that is not its digest's", code: wrong }, (f) =>
    f.hostCall((call) => (call.requestDigest = someDigest("9"))),
  ),
  forged({ ...transcript, name: "a response that is not its digest's", code: wrong }, (f) =>
    f.hostCall((call) => (call.response = "AAAA")),
  ),
  forged({ ...transcript, name: "a capability nobody granted", code: wrong }, (f) =>
    f.hostCall((call) => (call.capability = "clock_now")),
  ),
  forged({ ...transcript, name: "a call at more fuel than there was", code: wrong }, (f) =>
    f.hostCall((call) => (call.fuel = 10 ** 12)),
  ),
  forged({ ...transcript, name: "another root", code: wrong }, (f) =>
    f.execution((record) => (record.transcript.root = someDigest("9"))),
  ),
  forged({ ...transcript, name: "another size", code: wrong }, (f) =>
    f.execution((record) => (record.transcript.size = 2)),
  ),
  forged({ ...transcript, name: "a call left out", code: wrong }, (f) => f.drop("host_call")),
  forged({ ...transcript, name: "a call too many", code: wrong }, (f) =>
    f.add("host_call", canonicalize(f.json("host_call"))),
  ),
  forged({ ...transcript, name: "two calls in each other's place", code: wrong }, async (f) => {
    f.add("host_call", canonicalize({ ...f.json("host_call"), seq: 1 }));
    await f.retranscribe();
    const { materials } = f.predicate;
    const at = materials.findIndex((entry) => entry.role === "host_call");
    materials.splice(at, 2, ...materials.slice(at, at + 2).reverse());
  }),
  forged({ ...transcript, name: "fuel that goes back", code: wrong }, async (f) => {
    f.add("host_call", canonicalize({ ...f.json("host_call"), seq: 1, fuel: 0 }));
    await f.retranscribe();
  }),
  forged({ ...transcript, of: "written", name: "a write that was never journaled", code: wrong }, (f) =>
    f.removeEvent(5),
  ),
  forged({ ...transcript, of: "written", name: "a journaled write that is another call", code: wrong }, (f) =>
    f.payload("effect_started", (p) => (p.requestDigest = someDigest("9"))),
  ),
  forged({ ...transcript, of: "written", name: "a journaled write under another id", code: wrong }, (f) =>
    f.payload("effect_started", (p) => (p.effectId = someDigest("9"))),
  ),
  forged({ ...transcript, of: "written", name: "a journaled write that never was", code: wrong }, (f) =>
    f.payload("effect_started", (p) => (p.seq = 7)),
  ),
  forged({ ...transcript, of: "written", name: "a write journaled twice", code: wrong }, async (f) => {
    const [effect] = f.headers().filter((header) => header.eventType === "effect_started");
    const payload = f.json(
      "event_payload",
      f.digests("event_payload").indexOf(effect?.payloadDigest ?? someDigest("0")),
    );
    await f.insertEvent(6, { eventType: "effect_started" }, payload);
  }),
  forged({ check: "resolution", of: "resolved", name: "by a stranger", code: "EXO_TRUST" }, (f) =>
    f.resign("resolution", keys.mallory),
  ),
  forged({ check: "resolution", of: "resolved", name: "by a key of another role", code: "EXO_TRUST" }, (f) =>
    f.resign("resolution", keys.alice),
  ),
  forged({ check: "resolution", of: "resolved", name: "with another outcome", code: wrong }, (f) =>
    f.payload("execution_resolved", (p) => (p.outcome = "not_executed")),
  ),
  forged({ check: "resolution", of: "resolved", name: "with other evidence", code: wrong }, (f) =>
    f.payload("execution_resolved", (p) => (p.evidence = [someDigest("a")])),
  ),
  forged({ check: "resolution", of: "resolved", name: "of another intent", code: wrong }, (f, all) =>
    f.resign("resolution", keys.operator, (order) => (order.intentId = all.intentIds.denied)),
  ),
  forged({ check: "resolution", of: "resolved", name: "recorded of another operator", code: wrong }, (f) =>
    f.payload("execution_resolved", (p) => (p.resolver = "carol")),
  ),
  forged({ check: "resolution", of: "resolved", name: "signed in another operator's name", code: wrong }, async (f) => {
    await f.resign("resolution", keys.operator, (order) => (order.operator.id = "carol"));
    await f.payload("execution_resolved", (p) => (p.resolver = "carol"));
  }),
  forged({ check: "resolution", of: "resolved", name: "naming another key", code: "EXO_ORDER" }, (f) =>
    f.resign("resolution", keys.operator, (order) => (order.operator.keyId = keys.alice.keyId)),
  ),
  forged({ check: "resolution", of: "resolved", name: "by the requester", code: "EXO_ORDER" }, async (f) => {
    await f.payload("intent_received", (p) => (p.requester.principal = "ops"));
    await f.edit("policy_input", (input) => (input.requester.principal = "ops"));
  }),
  forged(
    {
      check: "resolution",
      of: "resolved",
      name: "by the person who holds the actor's key",
      code: "EXO_ORDER",
      trust: (trust) => ({
        ...trust,
        keys: [
          ...trust.keys.map((key) => (key.role === "operator" ? { ...key, person: "olga" } : key)),
          {
            role: "approver",
            id: "agent",
            publicKey: encodeBase64(keys.mallory.publicKey),
            person: "olga",
            from: null,
            until: null,
          },
        ],
      }),
    },
    async (f) => {
      await f.payload("intent_received", (p) => (p.requester.principal = "agent"));
      await f.edit("policy_input", (input) => (input.requester.principal = "agent"));
    },
  ),
  forged({ check: "resolution", of: "crashed", name: "of another start", code: wrong }, (f) =>
    f.payload("execution_in_doubt", (p) => (p.startedDigest = someDigest("a"))),
  ),
  forged({ check: "resolution", of: "resolved", name: "with writes left out", code: wrong }, (f) =>
    f.payload("execution_in_doubt", (p) => (p.effects = [])),
  ),
];
