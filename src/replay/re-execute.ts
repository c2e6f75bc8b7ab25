import { digestOf } from "../canonical/digest.js";
import { firstDifference } from "../capabilities/byte-difference.js";
import { checkGrant } from "../capabilities/grant-check.js";
import { readRequest } from "../capabilities/schemas.js";
import { createPlayer, describeDivergence, type TranscriptPlayer } from "../capabilities/transcript-player.js";
import { type ExecutionRecord, type HostCall, hostCallSchema, irreproducibleStatuses } from "../contracts/execution.js";
import { isCapabilityName } from "../contracts/imports.js";
import { loadSchemaChecks } from "../contracts/json-schema-loading.js";
import { grantsSchema } from "../contracts/manifest.js";
import type { Divergence, ExecutionComparison, ExecutionFigures } from "../contracts/replay-report.js";
import { decodeBase64Url } from "../crypto/encoding.js";
import { refuse } from "../errors.js";
import { endOf, type RunEnd } from "../pipeline/outcome.js";
import type { SandboxHost, SandboxOutcome } from "../ports.js";
import { executionOf, resealPlugin } from "../verify/check-execution.js";
import type { Evidence } from "../verify/evidence.js";
import { unable } from "../verify/report.js";
import type { SealedModule } from "../wasm/seal.js";

/** An absent output is compared as an empty one. */
const none = new Uint8Array(0);

/** Least wall-clock guard of a replay: a slower machine than the recording one must not look like a divergence. */
const guardMs = 120_000;

/** Figures of a re-execution beside the recorded ones, and the first difference. */
export type ReExecution = { readonly comparison: ExecutionComparison; readonly divergence: Divergence | null };

/** Seals another module for the run of a bundle; ends the check when it is refused there. */
export type SealCandidate = (evidence: Evidence) => Pick<SealedModule, "digest" | "bytes">;

/** In what a run that is made again may depart from the record; its fuel may then be another when it calls. */
export type Departure = {
  /** Seals this module instead of the recorded one. */
  readonly seal?: SealCandidate;
  /** Stands in for the recorded call of the same number. */
  readonly replaced?: HostCall;
};

type Rerun = {
  readonly calls: readonly HostCall[];
  readonly player: TranscriptPlayer;
  readonly outcome: SandboxOutcome;
  readonly end: RunEnd;
};

/**
 * Runs a bundle's plugin again on the recorded input, with every host call answered from the transcript; no capability
 * is constructed. Ends the running check as not_applicable when nothing was executed, as unable (EXO_REPLAY_UNABLE)
 * when the recorded end was the infrastructure's or this machine could not carry the run.
 */
export async function reExecute(
  evidence: Evidence,
  sandbox: SandboxHost,
  departure: Departure = {},
): Promise<ReExecution> {
  if (evidence.predicate.execution === undefined && evidence.eventsOf("execution_in_doubt").length > 0) {
    return unable("EXO_REPLAY_UNABLE", "the run ended in doubt and left no record");
  }
  const execution = executionOf(evidence);
  const { intentId } = evidence.predicate;
  if (irreproducibleStatuses.has(execution.status)) {
    return unable("EXO_REPLAY_UNABLE", `the run ended ${execution.status}, which is not claimed to be reproducible`);
  }
  const rerun = await runAgain(evidence, execution, sandbox, departure);
  const { end, outcome, player } = rerun;
  if (player.divergence() === null && irreproducibleStatuses.has(end.status)) {
    return unable("EXO_REPLAY_UNABLE", `this machine ended the replay ${end.status}: ${end.error?.code ?? ""}`);
  }
  const recordedOutput =
    execution.outputDigest === undefined ? null : evidence.content(execution.outputDigest, "output");
  const recorded: ExecutionFigures = {
    status: execution.status,
    errorCode: execution.error?.code ?? null,
    errorMessage: execution.error?.message ?? null,
    output: recordedOutput === null ? null : digestOf(recordedOutput),
    fuel: execution.fuel.used,
    memoryPeakPages: execution.memoryPeakPages,
    hostCalls: execution.transcript.size,
  };
  const replayed: ExecutionFigures = {
    status: end.status,
    errorCode: end.error?.code ?? null,
    errorMessage: end.error?.message ?? null,
    output: end.output === undefined ? null : digestOf(end.output),
    fuel: outcome.fuelUsed,
    memoryPeakPages: outcome.memoryPeakPages,
    hostCalls: player.position(),
  };
  const base = { level: "execution", intentId, fuelDelta: replayed.fuel - recorded.fuel } as const;
  const divergence =
    callDivergence(rerun, base) ??
    grantDivergence(evidence, rerun.calls, base) ??
    figureDivergence(recorded, replayed, recordedOutput, end.output ?? null, base);
  return { comparison: { intentId, recorded, replayed }, divergence };
}

async function runAgain(
  evidence: Evidence,
  execution: ExecutionRecord,
  sandbox: SandboxHost,
  { seal = resealPlugin, replaced }: Departure,
): Promise<Rerun> {
  const { fn, manifest } = evidence.invocation();
  await loadSchemaChecks(manifest);
  const sealed = seal(evidence);
  const { limits } = evidence.document(evidence.started().payload.grantsDigest, "grants", grantsSchema);
  const recorded = evidence.digestsOf("host_call");
  const calls = recorded.map((digest, seq) =>
    replaced?.seq === seq ? replaced : evidence.document(digest, "host_call", hostCallSchema),
  );
  const player = createPlayer(calls, { anyFuel: seal !== resealPlugin || replaced !== undefined });
  const outcome = await sandbox.run({
    module: { digest: sealed.digest, bytes: sealed.bytes },
    function: fn.name,
    input: evidence.content(execution.inputDigest, "input"),
    limits: { ...limits, timeoutMs: Math.max(limits.timeoutMs, guardMs) },
    call: (call) => player.call(call),
  });
  return { calls, player, outcome, end: endOf(outcome, fn, calls.slice(0, player.position())) };
}

type Base = Pick<Divergence, "level" | "intentId"> & { readonly fuelDelta: number };

function callDivergence({ calls, player }: Rerun, base: Base): Divergence | null {
  const found = player.divergence();
  if (found !== null) {
    const { seq: _seq, kind: _kind, ...parted } = found;
    return { ...base, ...parted, step: describeDivergence(found), kind: "host_call_mismatch" };
  }
  if (player.position() === calls.length) return null;
  const missing = calls[player.position()];
  return {
    ...base,
    step: `host call ${player.position()}`,
    kind: "host_call_mismatch",
    expected: missing?.capability ?? "",
    actual: "no further call",
  };
}

/** A call that was performed though its request lies outside the recorded grants, which the broker would have denied. */
function grantDivergence(evidence: Evidence, calls: readonly HostCall[], base: Base): Divergence | null {
  const grants = evidence.document(evidence.started().payload.grantsDigest, "grants", grantsSchema);
  const { manifest } = evidence.invocation();
  for (const { seq, capability, request, outcome } of calls) {
    if (outcome !== "ok" && outcome !== "unknown") continue;
    const bytes = decodeBase64Url(request);
    const known = isCapabilityName(capability) && bytes !== undefined;
    const parsed = known
      ? readRequest(capability, bytes)
      : refuse("EXO_CAPABILITY_REQUEST", `no capability ${capability}`);
    const granted = known && parsed.ok ? checkGrant(grants, capability, parsed.value, manifest.name) : parsed;
    if (granted.ok) continue;
    const { code, message } = granted.error;
    const actual = `${outcome}, outside the grant: ${code}: ${message}`;
    return { ...base, step: `host call ${seq}`, kind: "host_call_mismatch", expected: "denied", actual };
  }
  return null;
}

function figureDivergence(
  recorded: ExecutionFigures,
  replayed: ExecutionFigures,
  recordedOutput: Uint8Array | null,
  output: Uint8Array | null,
  base: Base,
): Divergence | null {
  const compared = [
    ["status", "execution_status_mismatch"],
    ["errorCode", "execution_status_mismatch"],
    ["errorMessage", "execution_status_mismatch"],
    ["output", "executor_output_mismatch"],
    ["fuel", "fuel_mismatch"],
    ["memoryPeakPages", "memory_mismatch"],
  ] as const;
  for (const [name, kind] of compared) {
    if (recorded[name] === replayed[name]) continue;
    const place = name === "output" ? firstDifference(recordedOutput ?? none, output ?? none) : {};
    return { ...base, step: name, kind, expected: String(recorded[name]), actual: String(replayed[name]), ...place };
  }
  return null;
}
