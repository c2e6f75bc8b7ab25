import type { Digest } from "../canonical/digest.js";
import { digestOf, digestOfJson } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { type ExecutionRecord, type HostCall, hostCallSchema, runConfigSchema } from "../contracts/execution.js";
import { effectKeyOf, guestInput, readOutput } from "../contracts/invocation.js";
import { checkInput, checkOutput } from "../contracts/json-schema-check.js";
import { grantsSchema, type ManifestFunction, manifestSchema, sealingOf } from "../contracts/manifest.js";
import { isRecordedWrite } from "../contracts/recorded-call.js";
import { safetySnapshotSchema } from "../contracts/safety.js";
import { decodeBase64Url, equalBytes } from "../crypto/encoding.js";
import { transcriptRoot } from "../log/transcript.js";
import { type SealedModule, sealModule } from "../wasm/seal.js";
import type { Evidence } from "./evidence.js";
import { expect, fail, notApplicable } from "./report.js";

/**
 * The execution record of the bundle. The check does not apply when nothing was started, or when the process died and
 * left no record; a record, output or host call is then one too many.
 */
export function executionOf(evidence: Evidence): ExecutionRecord {
  const { execution } = evidence.predicate;
  const started = evidence.eventsOf("execution_started").length > 0;
  const doubt = evidence.eventsOf("execution_in_doubt")[0];
  if (started && execution !== undefined) return execution;
  const without = started ? "of a run that left no record" : "without a start";
  expect(execution === undefined, "EXO_CHECK_FAILED", "an execution record without a start");
  for (const role of ["output", "host_call"] as const) {
    expect(evidence.digestsOf(role).length === 0, "EXO_CHECK_FAILED", `a material of the role ${role} ${without}`);
  }
  if (!started) return notApplicable("nothing was executed");
  expect(doubt?.payload.execution === null, "EXO_CHECK_FAILED", "the statement leaves out the execution record");
  return notApplicable("the execution has no record: it ended in doubt");
}

const sealedByKey = new Map<string, SealedModule>();

/** Admits and meters the bundle's plugin again; kept by digest, since many bundles carry the same plugin. */
export function resealPlugin(evidence: Evidence): SealedModule {
  const digest = evidence.only("plugin");
  const { manifest } = evidence.invocation();
  const sealing = sealingOf(manifest);
  const bytes = evidence.content(digest, "plugin");
  const key = canonicalText([digest, sealing]);
  const known = sealedByKey.get(key);
  if (known !== undefined) return known;
  const sealed = sealModule(bytes, sealing);
  if (!sealed.ok) return fail(sealed.error.code, sealed.error.message);
  if (sealedByKey.size >= 64) sealedByKey.clear();
  sealedByKey.set(key, sealed.value);
  return sealed.value;
}

/** The plugin is the one its manifest names, is admitted again, and meters to the module that ran. */
export function checkPlugin(evidence: Evidence): string {
  const digest = evidence.only("plugin");
  const { manifest, fn } = evidence.invocation();
  expect(manifest.wasm.digest === digest, "EXO_PLUGIN_DIGEST", "the plugin is not the one its manifest names");
  const sealed = resealPlugin(evidence);
  expect(sealed.exports.includes(fn.name), "EXO_WASM_EXPORT", `the plugin does not export ${fn.name}`);
  const { execution } = evidence.predicate;
  if (execution !== undefined) {
    expect(execution.plugin.digest === digest, "EXO_PLUGIN_DIGEST", "the record names another plugin");
    expect(
      execution.plugin.meteredDigest === sealed.digest,
      "EXO_PLUGIN_DIGEST",
      "metering gives another module than the record names",
    );
    const { meter, abi } = evidence.predicate.revisions;
    expect(
      execution.plugin.meterRevision === meter && execution.plugin.abiRevision === abi,
      "EXO_CHECK_FAILED",
      "the record names other revisions than the statement",
    );
  }
  return `${manifest.name}@${manifest.version} ${digest.slice(0, 19)}...`;
}

function checkBindings(evidence: Evidence, execution: ExecutionRecord): void {
  const { payload } = evidence.started();
  const { manifest, fn, intent } = evidence.invocation();
  const bound: readonly (readonly [string, unknown, unknown])[] = [
    ["plugin", payload.pluginDigest, execution.plugin.digest],
    ["plugin of the manifest", payload.pluginDigest, manifest.wasm.digest],
    ["manifest", payload.manifestDigest, evidence.only("manifest")],
    ["input", payload.inputDigest, execution.inputDigest],
    ["configuration", payload.configDigest, execution.configDigest],
    ["function", fn.name, execution.function],
  ];
  for (const [name, expected, actual] of bound) {
    expect(expected === actual, "EXO_CHECK_FAILED", `the record and the start name another ${name}`);
  }
  const decision = evidence.eventsOf("policy_evaluated").at(-1)?.payload.decision;
  expect(
    payload.policyDigest === decision?.policyDigest,
    "EXO_CHECK_FAILED",
    "the start names another policy than decided",
  );
  const verdict = evidence.eventsOf("safety_evaluated").at(-1)?.payload.verdict;
  expect(payload.stateDigest === verdict?.stateDigest, "EXO_CHECK_FAILED", "the start names another safety snapshot");
  const { killSwitch } = evidence.document(payload.stateDigest, "safety_snapshot", safetySnapshotSchema);
  expect(payload.killSwitchEpoch === killSwitch.epoch, "EXO_CHECK_FAILED", "the start names another kill switch epoch");
  const input = guestInput(fn, intent);
  expect(
    input.ok && equalBytes(input.value, evidence.content(execution.inputDigest, "input")),
    "EXO_CHECK_FAILED",
    "the input is not what the manifest derives from the intent",
  );
  const fit = checkInput(fn, intent.parameters);
  if (!fit.ok) fail(fit.error.code, fit.error.message);
  evidence.document(execution.configDigest, "config", runConfigSchema);
  const { timeoutMs: _guard, ...limits } = evidence.document(payload.grantsDigest, "grants", grantsSchema).limits;
  expect(
    canonicalText(limits) === canonicalText(execution.limits),
    "EXO_CHECK_FAILED",
    "the run had other limits than granted",
  );
}

/** The execution record agrees with the start, the input, the limits, the output and the terminal event. */
export function checkExecution(evidence: Evidence): string {
  const execution = executionOf(evidence);
  checkBindings(evidence, execution);
  const last = evidence.events().at(-1);
  const recorded =
    last?.header.eventType === "execution_completed"
      ? evidence.payloadOf(last, "execution_completed").execution
      : last?.header.eventType === "execution_failed"
        ? evidence.payloadOf(last, "execution_failed").execution
        : evidence.eventsOf("execution_in_doubt")[0]?.payload.execution;
  expect(
    canonicalText(recorded ?? null) === canonicalText(execution),
    "EXO_CHECK_FAILED",
    "the terminal event holds another record",
  );
  const failed = evidence.eventsOf("execution_failed")[0]?.payload.reason.code;
  expect(
    failed === undefined || failed === execution.error?.code,
    "EXO_CHECK_FAILED",
    `the reason says ${failed ?? ""}, the record ${execution.error?.code ?? "nothing"}`,
  );
  const completed = execution.status === "completed";
  const ended = last?.header.eventType;
  expect(
    ended === "execution_resolved" || completed === (ended === "execution_completed"),
    "EXO_CHECK_FAILED",
    `status ${execution.status} under ${ended ?? "no event"}`,
  );
  expect(completed === (execution.error === undefined), "EXO_CHECK_FAILED", "an error with completion, or the reverse");
  expect(
    completed === (execution.outputDigest !== undefined),
    "EXO_CHECK_FAILED",
    "an output without completion, or the reverse",
  );
  expect(execution.fuel.used <= execution.fuel.limit, "EXO_CHECK_FAILED", "more fuel used than the limit");
  expect(execution.fuel.limit === execution.limits.fuel, "EXO_CHECK_FAILED", "the fuel limit is not the one granted");
  const output = execution.outputDigest;
  if (output !== undefined) {
    expect(output === evidence.digestsOf("output")[0], "EXO_CHECK_FAILED", "the record names another output");
    const content = evidence.content(output, "output");
    expect(content.length <= execution.limits.outputBytes, "EXO_CHECK_FAILED", "the output is over its limit");
    checkDeclared(evidence.invocation().fn, content);
  }
  const claimed = execution.error?.code === "EXO_OUTPUT_SCHEMA";
  const declared = evidence.invocation().fn.outputSchema !== undefined;
  expect(!claimed || declared, "EXO_CHECK_FAILED", "the record names an output schema that the manifest has not");
  return `${execution.status}, ${execution.fuel.used} fuel`;
}

/** A completed run's output is of the type and of the schema its manifest declares. */
function checkDeclared(fn: ManifestFunction, output: Uint8Array): void {
  const value = readOutput(fn.output, output);
  if (value === undefined) fail("EXO_CHECK_FAILED", "the output is not of its declared type");
  const fit = checkOutput(fn, value);
  if (!fit.ok) fail(fit.error.code, fit.error.message);
}

/** Every host call is whole, in order, inside the granted capabilities, and under the recorded root. */
export function checkTranscript(evidence: Evidence): string {
  const execution = executionOf(evidence);
  const granted = new Set<string>(
    evidence
      .document(evidence.started().payload.grantsDigest, "grants", grantsSchema)
      .capabilities.map((grant) => grant.name),
  );
  const entries = evidence.digestsOf("host_call");
  expect(
    entries.length === execution.transcript.size,
    "EXO_CHECK_FAILED",
    `${entries.length} calls, recorded are ${execution.transcript.size}`,
  );
  expect(
    transcriptRoot(entries) === execution.transcript.root,
    "EXO_CHECK_FAILED",
    "the calls have another Merkle root",
  );
  let fuel = 0;
  const calls = entries.map((digest) => evidence.document(digest, "host_call", hostCallSchema));
  for (const [seq, call] of calls.entries()) {
    expect(call.seq === seq, "EXO_CHECK_FAILED", `call ${seq} is numbered ${call.seq}`);
    checkBytes(call.request, call.requestDigest, `request of call ${seq}`);
    checkBytes(call.response, call.responseDigest, `response of call ${seq}`);
    const performed = call.outcome === "ok" || call.outcome === "unknown";
    expect(
      !performed || call.capability === "log" || granted.has(call.capability),
      "EXO_CHECK_FAILED",
      `call ${seq} was performed without a grant for ${call.capability}`,
    );
    expect(
      call.fuel >= fuel && call.fuel <= execution.fuel.limit,
      "EXO_CHECK_FAILED",
      `call ${seq} was made at a fuel out of order`,
    );
    fuel = call.fuel;
  }
  checkEffects(evidence, calls, execution.status === "in_doubt");
  return `${entries.length} host calls`;
}

/** Every write that was performed was journaled before, and every journaled one is the call it names, under its own id. */
function checkEffects(evidence: Evidence, calls: readonly HostCall[], doubtful: boolean): void {
  const journaled = new Set<number>();
  const base = evidence.eventsOf("effect_started").length === 0 ? null : effectBaseOf(evidence);
  for (const { payload } of evidence.eventsOf("effect_started")) {
    const call = calls[payload.seq];
    const same = call?.capability === payload.capability && call.requestDigest === payload.requestDigest;
    // A host that broke down during a write leaves the journal's record and no entry.
    expect(
      same || (call === undefined && doubtful),
      "EXO_CHECK_FAILED",
      `effect ${payload.seq} is not the call it names`,
    );
    expect(!journaled.has(payload.seq), "EXO_CHECK_FAILED", `effect ${payload.seq} is journaled twice`);
    expect(
      payload.effectId === digestOfJson([base, payload.seq]),
      "EXO_CHECK_FAILED",
      `effect ${payload.seq} has another id than the action gives it`,
    );
    journaled.add(payload.seq);
  }
  for (const call of calls) {
    const { seq, outcome } = call;
    if ((outcome !== "ok" && outcome !== "unknown") || !isRecordedWrite(call)) continue;
    expect(journaled.has(seq), "EXO_CHECK_FAILED", `call ${seq} wrote and was not journaled before`);
  }
}

/** What effect ids are made from: the effect key where the function has one, else the intent. */
function effectBaseOf(evidence: Evidence): Digest {
  const { functions } = evidence.document(evidence.only("manifest"), "manifest", manifestSchema);
  const ran = evidence.predicate.execution?.function;
  // Without an effect key the intent's digest is enough, and the intent may be withheld.
  if (functions.every(({ name, effectKey }) => name !== ran || effectKey === undefined)) return evidence.only("intent");
  const { fn, intent } = evidence.invocation();
  const key = effectKeyOf(fn, intent);
  if (!key.ok) return fail(key.error.code, key.error.message);
  return key.value ?? evidence.only("intent");
}

function checkBytes(text: string, digest: Digest, what: string): void {
  const bytes = decodeBase64Url(text);
  expect(bytes !== undefined && digestOf(bytes) === digest, "EXO_CHECK_FAILED", `the ${what} has another digest`);
}
