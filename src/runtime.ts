import type { JsonValue } from "./canonical/jcs.js";
import type { Envelope } from "./contracts/dsse.js";
import type { IntentDraft } from "./contracts/intent.js";
import type { ReplayReport } from "./contracts/replay-report.js";
import type { Trust } from "./contracts/trust.js";
import { ExoArmurError } from "./errors.js";
import type { ApprovalView } from "./pipeline/present.js";
import type { ProxyPipeline } from "./pipeline/proxy-pipeline.js";
import type { ExecutionResult } from "./pipeline/types.js";
import type { BundleHandle } from "./proof/bundle.js";
import { storeAuditSource } from "./replay/audit-source.js";
import { ReplayEngine } from "./replay/replay-engine.js";
import { loadCedar } from "./runtime/cedar.js";
import type { HomeCore } from "./runtime/home-runtime.js";
import type { MemoryCore, RuntimeParts } from "./runtime/memory-runtime.js";
import { type World, type WorldPorts, worldOf } from "./runtime/system.js";

/** Options of createRuntime: a home made by `exoarmur init`, or the parts; and ports to replace the machine's own. */
export type RuntimeOptions = ({ readonly home: string } | RuntimeParts) & WorldPorts;

/** Options of one call. */
export type CallOptions = {
  readonly idempotencyKey?: string;
  readonly correlationId?: string;
  /** Before the execution starts: withdraws the intent. After: ends the wait, the run goes on to its record. */
  readonly signal?: AbortSignal;
};

/** An actor bound to a runtime. */
export type BoundActor = {
  /** Executes an action as the bound actor. A tool call's id belongs in `idempotencyKey`. */
  call(action: string, parameters: { [key: string]: JsonValue }, options?: CallOptions): Promise<ExecutionResult>;
};

/** A governed executor runtime (spec/library.md). */
export interface Runtime extends AsyncDisposable {
  /** Takes an intent through policy, safety, approval and sandbox. See ProxyPipeline.execute for what it throws. */
  execute(
    draft: IntentDraft | Uint8Array,
    options?: { readonly signal?: AbortSignal; readonly attestations?: readonly Uint8Array[] },
  ): Promise<ExecutionResult>;
  /** The same with the actor bound: one actor, many calls. A bare string is an agent. */
  as(actor: string | { id: string; type: string }): BoundActor;
  /** Waits until an intent is neither pending nor running. EXO_CLOSED when the runtime is closed before that. */
  wait(intentId: string, options?: { readonly signal?: AbortSignal }): Promise<ExecutionResult>;
  /** The present state of an intent. EXO_INTENT_UNKNOWN. */
  status(intentId: string): ExecutionResult;
  /** Counts a signed approval grant; the one that completes the threshold starts the run. */
  decide(grant: Envelope): Promise<ExecutionResult>;
  /** Every approval request and where it stands, oldest first. */
  approvals(): readonly ApprovalView[];
  /** Re-executes a bundle, or everything recorded under a correlation id. No side effect is performed. */
  replay(what: BundleHandle | Uint8Array | string): Promise<ReplayReport>;
  /** The newest signed checkpoint of the log, a C2SP note. */
  checkpoint(): string;
  /** Public keys that verify this runtime's bundles. */
  readonly trust: Trust;
  /** Intents that were found in doubt when the runtime opened. */
  readonly inDoubt: readonly string[];
  /** The execution boundary itself. */
  readonly pipeline: ProxyPipeline;
  /** Waits for what runs, then closes. Later calls throw EXO_CLOSED. */
  close(): Promise<void>;
}

const keepAliveMs = 60_000;

// Loaded on first use: importing the package starts no worker, opens no file and loads no store driver.
async function openHome(dir: string, world: World): Promise<{ core: HomeCore; trust: Trust }> {
  const { openHomeCore } = await import("./runtime/home-runtime.js");
  const core = await openHomeCore(dir, world);
  return { core, trust: core.home.trust };
}

async function openParts(parts: RuntimeParts, world: World): Promise<{ core: MemoryCore; trust: Trust }> {
  const { openPartsCore } = await import("./runtime/memory-runtime.js");
  const core = await openPartsCore(parts, world);
  return { core, trust: core.trust };
}

/**
 * Opens a runtime as the only writer of its home or store.
 *
 * @throws ExoArmurError EXO_FLAG, EXO_HOME_*, EXO_STORE*, EXO_POLICY_*, EXO_SCHEMA, EXO_JSON_*
 */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const world = worldOf(options);
  const { core, trust } = "home" in options ? await openHome(options.home, world) : await openParts(options, world);
  const { pipeline, ledger } = core;
  const auditStore = storeAuditSource(core.store, ledger);
  const replay = new ReplayEngine({ auditStore, sandbox: core.sandbox, trust, cedar: loadCedar });
  const waits = new Set<AbortController>();
  let closing: Promise<void> | undefined;
  const open = (): void => {
    if (closing !== undefined) throw new ExoArmurError("EXO_CLOSED", "the runtime is closed");
  };
  const runtime: Runtime = {
    execute: async (draft, callOptions = {}) => {
      open();
      return await pipeline.execute(draft, callOptions);
    },
    as: (actor) => ({
      call: async (action, parameters, { signal, ...given } = {}) =>
        await runtime.execute({ actor, action, parameters, ...given }, signal === undefined ? {} : { signal }),
    }),
    wait: async (intentId, waitOptions = {}) => {
      open();
      // The watchers of a home do not keep a process alive, but somebody who waits for a person does.
      const alive = setInterval(() => undefined, keepAliveMs);
      // A run ends before its runtime does; a request that nobody decides does not.
      const closed = new AbortController();
      waits.add(closed);
      try {
        const { signal = closed.signal } = waitOptions;
        return await pipeline.wait(intentId, { signal: AbortSignal.any([signal, closed.signal]) });
      } finally {
        clearInterval(alive);
        waits.delete(closed);
      }
    },
    status: (intentId) => {
      open();
      return pipeline.status(intentId);
    },
    decide: async (grant) => {
      open();
      return await pipeline.decide(grant);
    },
    approvals: () => {
      open();
      return pipeline.approvals();
    },
    replay: async (what) => {
      open();
      if (typeof what === "string") return await replay.replayCorrelation(what);
      return await replay.replayBundle(what instanceof Uint8Array ? what : what.bytes());
    },
    checkpoint: () => ledger.checkpoint(),
    trust,
    inDoubt: core.inDoubt,
    pipeline,
    close: async () => {
      closing ??= core.close().finally(() => {
        const reason = new ExoArmurError("EXO_CLOSED", "the runtime was closed before the intent ended");
        for (const wait of waits) wait.abort(reason);
      });
      await closing;
    },
    [Symbol.asyncDispose]: async () => await runtime.close(),
  };
  return runtime;
}
