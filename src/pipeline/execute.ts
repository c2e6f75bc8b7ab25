import { clipText } from "../canonical/clip-text.js";
import type { Digest } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { type Broker, createBroker } from "../capabilities/broker.js";
import { createKvPerformers } from "../capabilities/kv/performers.js";
import type { KeyValueView } from "../capabilities/kv/view.js";
import { adviceOn } from "../contracts/advice.js";
import type { Reason } from "../contracts/event.js";
import type { ExecutionRecord } from "../contracts/execution.js";
import { type Material, saltedMaterial } from "../contracts/material.js";
import { abiRevision } from "../contracts/revisions.js";
import { isExoArmurError } from "../errors.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { transcriptRoot } from "../log/transcript.js";
import type { SandboxOutcome } from "../ports.js";
import type { BundleHandle } from "../proof/bundle.js";
import { settle } from "../safety/budget.js";
import { type EffectHolder, writeState } from "./documents.js";
import { finish } from "./finish.js";
import type { IntentWork } from "./intent-work.js";
import { readBudget } from "./judge.js";
import { judgedOf } from "./judged.js";
import { openKeyValues, settleKeys } from "./key-values.js";
import { tellDoubt } from "./notices.js";
import { endOf, type RunEnd, statusCodes } from "./outcome.js";
import { chainTime } from "./recorder.js";
import type { Start } from "./start.js";
import { budgetKey, effectKeyName } from "./store-keys.js";
import type { ExecutionResult } from "./types.js";

/** How a started run ended, before it is recorded. */
type Ran = {
  readonly outcome: SandboxOutcome;
  readonly end: RunEnd;
  readonly broker: Broker;
  readonly keys: KeyValueView;
};

/**
 * Runs a started intent in the sandbox and records how it ended. The start is durable before this is called, every
 * write-effect before it is performed, and the outcome before the result is returned.
 */
export async function runStarted(started: Start): Promise<ExecutionResult> {
  const ran = await runGuest(started);
  const { work } = started;
  const { ledger } = work.ports;
  const doubtful = ran.broker.writes() === "unknown";
  return await ledger
    .transact((tx) => (doubtful ? recordDoubt(tx, started, ran) : recordEnd(tx, started, ran)))
    .then((result) => result());
}

async function runGuest(started: Start): Promise<Ran> {
  const { work, resolved, judgement, input } = started;
  const { ports, record } = work;
  const keys = openKeyValues(ports.store, started.keys);
  const { executor, fn } = resolved;
  const broker = createBroker({
    grants: judgement.grants,
    performers: { ...ports.performers, ...createKvPerformers(keys) },
    executor: executor.manifest.name,
    effectBase: record.effectKey ?? work.intentDigest,
    journal: async (effect) => {
      const undo = work.mark();
      try {
        await ports.ledger.transact((tx) => {
          const now = chainTime(tx, record, ports.clock.now());
          work.append(tx, "effect_started", effect, now);
          record.effects.push(effect);
          work.save(tx);
        });
      } catch (error) {
        // The run goes on to its end, whose record must name what is in the log and nothing else.
        undo();
        throw error;
      }
    },
  });
  const { memoryPages: _pages, tableElements: _elements, ...limits } = judgement.grants.limits;
  let outcome: SandboxOutcome;
  try {
    outcome = await ports.sandbox.run({
      tenant: record.tenantId,
      module: { digest: executor.sealed.digest, bytes: executor.sealed.bytes },
      function: fn.name,
      input,
      limits,
      call: (call, signal) => broker.call(call, signal),
    });
  } catch (error) {
    // A full queue or a closed sandbox: nothing ran, and the start must not be left open.
    const code = isExoArmurError(error) ? error.code : "EXO_HOST_FAULT";
    ports.logger.log("error", "the sandbox refused a started run", { code, intentId: record.intentId });
    outcome = { status: "host_fault", error: { code }, fuelUsed: 0, memoryPeakPages: 0, hostCalls: 0 };
  }
  await broker.settle();
  return { outcome, broker, keys, end: endOf(outcome, fn, broker.transcript()) };
}

/** Attaches output and transcript and builds the execution record. */
function recordExecution(
  tx: LedgerTx,
  { work, resolved, judgement, inputDigest, configDigest }: Start,
  ran: Ran,
  status: RunEnd["status"],
): ExecutionRecord {
  const { executor, fn } = resolved;
  const { intentId } = work.record;
  const { saltKey } = work.ports;
  const calls = ran.broker.transcript().map((call): Digest => {
    const material: Material = saltedMaterial(saltKey, "host_call", intentId, canonicalize(call));
    return work.attach(tx, "host_call", material);
  });
  const { timeoutMs: _guard, ...limits } = judgement.grants.limits;
  const { output } = ran.end;
  const withOutput =
    status === "completed" && output !== undefined
      ? { outputDigest: work.attach(tx, "output", saltedMaterial(saltKey, "output", intentId, output)) }
      : {};
  const error = status === "in_doubt" ? { code: statusCodes.in_doubt } : ran.end.error;
  return {
    schema: "exoarmur.execution/v1",
    status,
    plugin: {
      digest: executor.plugin.digest,
      meteredDigest: executor.sealed.digest,
      meterRevision: executor.sealed.meterRevision,
      abiRevision,
    },
    function: fn.name,
    inputDigest,
    ...withOutput,
    ...(error === undefined ? {} : { error }),
    fuel: { limit: limits.fuel, used: ran.outcome.fuelUsed },
    memoryPeakPages: ran.outcome.memoryPeakPages,
    transcript: { root: transcriptRoot(calls), size: calls.length },
    limits,
    configDigest,
  };
}

/** Settles what the start reserved, and decides what becomes of the effect key: null frees it. */
export function settleRun(
  tx: LedgerTx,
  work: IntentWork,
  fuel: number,
  holder: EffectHolder["state"] | null,
  now: number,
): void {
  const { record, ports } = work;
  const { budgets } = ports.deployment.safety;
  const entries = settle(readBudget(tx, record.tenantId), { id: record.intentId, runs: 1, fuel }, budgets, now);
  writeState(tx, budgetKey(record.tenantId), entries);
  record.reserved = null;
  if (record.effectKey === null) return;
  const key = effectKeyName(record.tenantId, record.effectKey);
  if (holder === null) tx.delete(key);
  else writeState(tx, key, { intentId: record.intentId, state: holder } satisfies EffectHolder);
}

async function recordEnd(tx: LedgerTx, started: Start, ran: Ran): Promise<() => ExecutionResult> {
  const { work, judgement } = started;
  const { record, ports } = work;
  const { end, outcome, broker, keys } = ran;
  const now = chainTime(tx, record, ports.clock.now());
  const execution = recordExecution(tx, started, ran, end.status);
  record.execution = execution;
  const wrote = broker.writes() === "committed";
  const completed = end.status === "completed";
  settleKeys(tx, started.keys, keys, completed);
  // A function that declares write effects but made none left nothing: its effect key is free again.
  const changed = wrote || (completed && keys.changed);
  settleRun(tx, work, outcome.fuelUsed, changed ? "committed" : null, now);
  const judged = judgedOf(record, judgement);
  if (completed) {
    const bundle = await finish(tx, work, "execution_completed", { execution }, now);
    return () => ({
      ...judged,
      status: "executed",
      output: end.value ?? null,
      fuel: execution.fuel,
      hostCalls: execution.transcript.size,
      bundle: bundle(),
    });
  }
  const reason = failureReason(end, execution, !wrote);
  record.reason = reason;
  const bundle: () => BundleHandle = await finish(tx, work, "execution_failed", { execution, reason }, now);
  const advice = adviceOn("failed", reason, end.status === "capability_denied" ? broker.denied() : null);
  return () => ({ ...judged, status: "failed", reason, advice, execution, bundle: bundle() });
}

function recordDoubt(tx: LedgerTx, started: Start, ran: Ran): () => ExecutionResult {
  const { work, judgement, startedDigest } = started;
  const { record, ports } = work;
  const now = chainTime(tx, record, ports.clock.now());
  const execution = recordExecution(tx, started, ran, "in_doubt");
  record.execution = execution;
  settleKeys(tx, started.keys, ran.keys, false);
  settleRun(tx, work, ran.outcome.fuelUsed, "unknown", now);
  work.append(
    tx,
    "execution_in_doubt",
    { startedDigest, cause: ran.end.status, effects: record.effects, execution },
    now,
  );
  record.reason = doubtReason(record.intentId);
  tellDoubt(tx, work, now);
  work.save(tx);
  const reason = record.reason;
  return () => ({ ...judgedOf(record, judgement), status: "in_doubt", reason, advice: adviceOn("in_doubt", reason) });
}

/** What an in-doubt intent tells its caller. */
export function doubtReason(intentId: string): Reason {
  return {
    code: "EXO_IN_DOUBT",
    message: `a write began and its outcome is not known; an operator closes it with: exoarmur resolve ${intentId}`,
    ruleIds: [],
    approvalCouldHelp: false,
    retrySafe: false,
  };
}

function failureReason(end: RunEnd, execution: ExecutionRecord, retrySafe: boolean): Reason {
  const code = end.error?.code ?? "EXO_INTERNAL";
  const words: Partial<Record<RunEnd["status"], string>> = {
    out_of_fuel: `used all its fuel (${execution.fuel.limit})`,
    out_of_memory: `asked for more than its ${execution.limits.memoryPages} pages of memory or ${execution.limits.kernelBytes} bytes of blocks`,
    stack_overflow: `nested calls deeper than its ${execution.limits.stackBytes} bytes of stack`,
    output_limit: `gave more than its ${execution.limits.outputBytes} bytes of output`,
    host_call_limit: `made more than its ${execution.limits.hostCalls} host calls`,
    trapped: "trapped",
  };
  const message = end.error?.message ?? words[end.status] ?? end.status;
  return { code, message: clipText(message, 1024), ruleIds: [], approvalCouldHelp: false, retrySafe };
}
