import type { Digest } from "../canonical/digest.js";
import { digestOf } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { type ExecutionRecord, hostCallSchema, runConfigSchema } from "../contracts/execution.js";
import { guestInput } from "../contracts/invocation.js";
import { grantsSchema } from "../contracts/manifest.js";
import { decodeBase64Url, decodeUtf8, equalBytes } from "../crypto/encoding.js";
import { isExoArmurError } from "../errors.js";
import { transcriptRoot } from "../log/transcript.js";
import { type SealedModule, sealModule } from "../wasm/seal.js";
import type { Evidence } from "./evidence.js";
import { expect, fail, notApplicable } from "./report.js";

/** The execution record of the bundle; the check does not apply when nothing was executed. */
export function executionOf(evidence: Evidence): ExecutionRecord {
  evidence.started();
  return evidence.predicate.execution ?? notApplicable("the execution has no record: it ended in doubt");
}

const sealedByKey = new Map<string, SealedModule>();

/** Admits and meters the bundle's plugin again; kept by digest, since many bundles carry the same plugin. */
export function resealPlugin(evidence: Evidence): SealedModule {
  const digest = evidence.only("plugin");
  const { manifest } = evidence.invocation();
  const { memoryPages, tableElements } = manifest.limits;
  const capabilities = manifest.capabilities.map((capability) => capability.name);
  const bytes = evidence.content(digest, "plugin");
  const key = canonicalText([digest, memoryPages, tableElements, capabilities]);
  const known = sealedByKey.get(key);
  if (known !== undefined) return known;
  const sealed = sealModule(bytes, { capabilities, memoryPages, tableElements });
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
    expect(execution.plugin.meteredDigest === sealed.digest, "EXO_PLUGIN_DIGEST", "metering gives another module than the record names");
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
  expect(payload.policyDigest === decision?.policyDigest, "EXO_CHECK_FAILED", "the start names another policy than decided");
  const verdict = evidence.eventsOf("safety_evaluated").at(-1)?.payload.verdict;
  expect(payload.stateDigest === verdict?.stateDigest, "EXO_CHECK_FAILED", "the start names another safety snapshot");
  const input = guestInput(fn, intent);
  expect(
    input.ok && equalBytes(input.value, evidence.content(execution.inputDigest, "input")),
    "EXO_CHECK_FAILED",
    "the input is not what the manifest derives from the intent",
  );
  evidence.document(execution.configDigest, "config", runConfigSchema);
  const { timeoutMs: _guard, ...limits } = evidence.document(payload.grantsDigest, "grants", grantsSchema).limits;
  expect(canonicalText(limits) === canonicalText(execution.limits), "EXO_CHECK_FAILED", "the run had other limits than granted");
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
  expect(canonicalText(recorded ?? null) === canonicalText(execution), "EXO_CHECK_FAILED", "the terminal event holds another record");
  const completed = execution.status === "completed";
  const ended = last?.header.eventType;
  expect(
    ended === "execution_resolved" || completed === (ended === "execution_completed"),
    "EXO_CHECK_FAILED",
    `status ${execution.status} under ${ended ?? "no event"}`,
  );
  expect(completed === (execution.outputDigest !== undefined), "EXO_CHECK_FAILED", "an output without completion, or the reverse");
  expect(execution.fuel.used <= execution.fuel.limit, "EXO_CHECK_FAILED", "more fuel used than the limit");
  expect(execution.fuel.limit === execution.limits.fuel, "EXO_CHECK_FAILED", "the fuel limit is not the one granted");
  const output = execution.outputDigest;
  if (output !== undefined) {
    expect(output === evidence.digestsOf("output")[0], "EXO_CHECK_FAILED", "the record names another output");
    const content = evidence.content(output, "output");
    expect(content.length <= execution.limits.outputBytes, "EXO_CHECK_FAILED", "the output is over its limit");
    expect(isOutputOf(evidence.invocation().fn.output, content), "EXO_CHECK_FAILED", "the output is not of its declared type");
  }
  return `${execution.status}, ${execution.fuel.used} fuel`;
}

/** True when a guest's output has the form its manifest declares. */
export function isOutputOf(type: "json" | "text" | "bytes", content: Uint8Array): boolean {
  if (type === "bytes") return true;
  if (type === "text") return decodeUtf8(content) !== undefined;
  try {
    readJson(content);
    return true;
  } catch (error) {
    if (isExoArmurError(error)) return false;
    throw error;
  }
}

/** Every host call is whole, in order, inside the granted capabilities, and under the recorded root. */
export function checkTranscript(evidence: Evidence): string {
  const execution = executionOf(evidence);
  const granted = new Set<string>(
    evidence.document(evidence.started().payload.grantsDigest, "grants", grantsSchema).capabilities.map((grant) => grant.name),
  );
  const entries = evidence.digestsOf("host_call");
  expect(entries.length === execution.transcript.size, "EXO_CHECK_FAILED", `${entries.length} calls, recorded are ${execution.transcript.size}`);
  expect(transcriptRoot(entries) === execution.transcript.root, "EXO_CHECK_FAILED", "the calls have another Merkle root");
  let fuel = 0;
  for (const [seq, digest] of entries.entries()) {
    const call = evidence.document(digest, "host_call", hostCallSchema);
    expect(call.seq === seq, "EXO_CHECK_FAILED", `call ${seq} is numbered ${call.seq}`);
    checkBytes(call.request, call.requestDigest, `request of call ${seq}`);
    checkBytes(call.response, call.responseDigest, `response of call ${seq}`);
    const performed = call.outcome === "ok" || call.outcome === "unknown";
    expect(
      !performed || call.capability === "log" || granted.has(call.capability),
      "EXO_CHECK_FAILED",
      `call ${seq} was performed without a grant for ${call.capability}`,
    );
    expect(call.fuel >= fuel && call.fuel <= execution.fuel.limit, "EXO_CHECK_FAILED", `call ${seq} was made at a fuel out of order`);
    fuel = call.fuel;
  }
  return `${entries.length} host calls`;
}

function checkBytes(text: string, digest: Digest, what: string): void {
  const bytes = decodeBase64Url(text);
  expect(bytes !== undefined && digestOf(bytes) === digest, "EXO_CHECK_FAILED", `the ${what} has another digest`);
}
