import type { Digest } from "../canonical/digest.js";
import type { Envelope } from "../contracts/dsse.js";
import type { CanonicalEvent } from "../contracts/event.js";
import { type IntentDraft, type Requester, requesterSchema } from "../contracts/intent.js";
import { loadSchemaChecks } from "../contracts/json-schema-loading.js";
import type { ExecutorManifest } from "../contracts/manifest.js";
import type { TrustScoreOrder } from "../contracts/order.js";
import { ExoArmurError, ok, type Refusal, type Result } from "../errors.js";
import type { BundleHandle } from "../proof/bundle.js";
import { type DeniedAccess, recordDeniedAccess } from "./access.js";
import { initialiseKillSwitches } from "./activation.js";
import { admitSigned } from "./admission.js";
import { takeAttestations } from "./attestations.js";
import { decide } from "./decide.js";
import type { KillSwitchState } from "./documents.js";
import { runStarted } from "./execute.js";
import { recordKeyChanges } from "./key-changes.js";
import { applyKillSwitch, applyResolution, applyTrustScore } from "./orders.js";
import { Policies } from "./policies.js";
import { type ApprovalView, approvalViews, presentBundle, presentResult, readIntentRecord } from "./present.js";
import { readEvent } from "./recorder.js";
import { expirePending, isApprovalPast, markInDoubt, openIntents } from "./recovery.js";
import { admitExecutor, ExecutorRegistry } from "./registry.js";
import { type ResolvedIntent, readDraft, resolveIntent } from "./resolve-intent.js";
import { type DropCounts, dropPart } from "./retention.js";
import { keepCandidate } from "./shadow.js";
import { readEnvelope, snapshot } from "./snapshot.js";
import { eventKeys } from "./store-keys.js";
import { type Admission, admit } from "./submit.js";
import { type Turn, Turns } from "./turns.js";
import type { ExecutionResult, PipelinePorts } from "./types.js";

/** What a caller may say beside the intent. */
export type ExecuteOptions = {
  /** Who hands the intent in, as the authenticating layer saw it. Default: the process itself, method `library`. */
  readonly requester?: Requester;
  /**
   * DSSE envelopes around in-toto statements, made by others. Each must be signed by an attester of the trust file, else
   * the intent is denied; policies may ask for them (spec/policy.md, Attestations). At most 16.
   */
  readonly attestations?: readonly Uint8Array[];
  /** Withdraws the intent before its execution starts; after that, only ends the wait. */
  readonly signal?: AbortSignal;
};

const libraryRequester: Requester = { principal: "library", method: "library" };

/**
 * The sole execution boundary: every action goes through here, and nothing else can start an executor (spec/pipeline.md).
 * Construct one per store, over ports; call `open` before anything else.
 */
export class ProxyPipeline {
  readonly #ports: PipelinePorts;
  readonly #registry = new ExecutorRegistry();
  /** Calls that may yet start a run. */
  readonly #calls = new Set<Promise<unknown>>();
  /** Runs of this process, by intent. */
  readonly #running = new Map<string, Promise<ExecutionResult>>();
  /** Runs of this process whose outcome could not be recorded, with the error; the next start-up finds them in doubt. */
  readonly #lost = new Map<string, unknown>();
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #turns = new Turns();
  /** The policy in force, and those that are proposed. */
  readonly policies: Policies;

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
    this.policies = new Policies(ports);
  }

  /**
   * Takes the store up: kill switches of a new store are set off, runs that died with their process become in doubt,
   * requests that expired meanwhile are closed.
   *
   * @returns ids of the intents found in doubt now
   */
  async open(): Promise<string[]> {
    const { ledger, store } = this.#ports;
    await ledger.transact((tx) => {
      for (const write of [initialiseKillSwitches, recordKeyChanges, keepCandidate]) write(tx, this.#ports);
    });
    const inDoubt: string[] = [];
    for (const intentId of openIntents(store)) {
      // A run of this very process is not one that died.
      if (this.#running.has(intentId)) continue;
      if (await ledger.transact((tx) => markInDoubt(tx, intentId, this.#ports))) inDoubt.push(intentId);
    }
    await this.expireApprovals();
    return inDoubt;
  }

  /**
   * Puts a signed policy in force. EXO_POLICY_UNSIGNED, EXO_POLICY_VERSION, EXO_SCHEMA, EXO_CEDAR_ENGINE.
   *
   * @param file digest of the document of the home's file, where the policy is another that took its place
   */
  async activatePolicy(envelope: Envelope, file?: Digest): Promise<void> {
    await this.policies.activate(envelope, file);
  }

  /**
   * Admits an executor and registers it in place of the one of its name, or registers why it was refused. Every admission
   * is an event of the log.
   *
   * @param signed the manifest as its publisher signed it
   */
  async addExecutor(manifest: ExecutorManifest, wasm: Uint8Array, signed?: Envelope): Promise<Result<void>> {
    const { name } = manifest;
    const envelope = signed === undefined ? undefined : readEnvelope(signed, "signed manifest");
    const sealed = await admitExecutor(manifest, wasm);
    const admitted = sealed.ok ? await admitSigned(sealed.value, envelope, this.#ports) : sealed;
    if (!admitted.ok) {
      this.#registry.addRefused(name, admitted.error);
      return admitted;
    }
    await loadSchemaChecks(admitted.value.manifest);
    this.#registry.add(admitted.value);
    return ok(undefined);
  }

  /** Takes an executor away: from now on no intent finds it. A run that has started keeps it to its end. */
  removeExecutor(name: string): void {
    this.#registry.remove(name);
  }

  /** Registers that a plugin could not even be read, so that intents that name it are told why. */
  refuseExecutor(name: string, refusal: Refusal): void {
    this.#registry.addRefused(name, refusal);
  }

  /** The registered executors. */
  get executors(): ExecutorRegistry {
    return this.#registry;
  }

  /**
   * Takes an intent through the pipeline. Everything a well-formed intent can meet is a value.
   *
   * @param draft an intent, or its bytes as JSON
   * @throws ExoArmurError EXO_JSON_*, EXO_SCHEMA, EXO_IDEMPOTENCY_CONFLICT, EXO_INTENT_REUSED, EXO_STORE, EXO_CLOSED
   */
  async execute(draft: IntentDraft | Uint8Array, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    const ports = this.#ports;
    const read = draft instanceof Uint8Array ? readDraft(draft) : draft;
    let intent = resolveIntent(read, ports, this.#registry);
    if (intent.intent.correlationId === "system") {
      throw new ExoArmurError("EXO_SCHEMA", "the correlation id system is the runtime's own", {
        pointer: "/correlationId",
      });
    }
    const requester = snapshot(requesterSchema, options.requester ?? libraryRequester, "requester");
    const attestations = takeAttestations(options.attestations ?? []);
    const { signal } = options;
    const cancelled = (): boolean => signal?.aborted ?? false;
    return await this.#call(async () => {
      const { value, turn } = await this.#turns.admitInTurn(async (keep) => {
        await ports.governor.takeOrders();
        return await ports.ledger.transact(async (tx) => {
          const policy = this.policies.inForce(tx);
          // A plugin that was replaced or taken away since is not the one to judge.
          if (!isPresent(intent, this.#registry)) intent = resolveAgain(intent, ports, this.#registry);
          const admission = await admit(tx, { intent, requester, policy, attestations, cancelled }, ports);
          keep(admission);
          return admission;
        });
      }, signal);
      return await this.#settle(value, signal, turn);
    });
  }

  /** Like `execute`, with the intent's events in order. */
  async executeWithTrace(
    draft: IntentDraft | Uint8Array,
    options: ExecuteOptions = {},
  ): Promise<{ result: ExecutionResult; trace: CanonicalEvent[] }> {
    const result = await this.execute(draft, options);
    return { result, trace: this.trace(result.intentId) };
  }

  /** Events of an intent in order, from the store. EXO_INTENT_UNKNOWN. */
  trace(intentId: string): CanonicalEvent[] {
    const { store } = this.#ports;
    const record = readIntentRecord(store, intentId);
    return record.events.map((event) => {
      const packed = store.get(eventKeys.one(record.tenantId, record.correlationId, event.sequence));
      if (packed === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", `event ${event.digest} is missing`);
      return readEvent(packed);
    });
  }

  /**
   * Counts a signed grant. The grant that completes the threshold starts the run, and its result is returned.
   *
   * @throws ExoArmurError EXO_APPROVAL_*, EXO_ENVELOPE, EXO_TRUST, EXO_SIGNATURE: the grant is refused
   */
  async decide(envelope: Envelope): Promise<ExecutionResult> {
    const ports = this.#ports;
    const signed = readEnvelope(envelope, "approval grant");
    return await this.#call(async () => {
      const { value, turn } = await this.#turns.admitInTurn((keep) =>
        ports.ledger.transact(async (tx) => {
          const decision = await decide(tx, signed, {
            ports,
            registry: this.#registry,
            policy: this.policies.inForce(tx),
          });
          keep(decision.admission);
          return decision;
        }),
      );
      const { admission, refused } = value;
      const result = await this.#settle(admission, undefined, turn);
      if (refused !== null) throw new ExoArmurError(refused.code, refused.message);
      return result;
    });
  }

  /** Carries out a signed kill-switch order. EXO_ORDER, EXO_TRUST, EXO_SIGNATURE, EXO_TENANT_UNKNOWN. */
  async switchKill(envelope: Envelope): Promise<KillSwitchState> {
    const signed = readEnvelope(envelope, "kill-switch order");
    return await this.#ports.ledger.transact((tx) => applyKillSwitch(tx, signed, this.#ports));
  }

  /** Sets an actor's trust score by a signed order. EXO_ORDER, EXO_TRUST, EXO_SIGNATURE, EXO_TENANT_UNKNOWN. */
  async setTrustScore(envelope: Envelope): Promise<TrustScoreOrder> {
    const signed = readEnvelope(envelope, "trust-score order");
    return await this.#ports.ledger.transact((tx) => applyTrustScore(tx, signed, this.#ports));
  }

  /** Closes an in-doubt intent by a signed order. EXO_NOT_IN_DOUBT, EXO_ORDER, EXO_INTENT_UNKNOWN. */
  async resolve(envelope: Envelope): Promise<ExecutionResult> {
    const signed = readEnvelope(envelope, "resolution");
    const admission = await this.#ports.ledger.transact((tx) => applyResolution(tx, signed, this.#ports));
    return await this.#settle(admission, undefined);
  }

  /**
   * Drops materials of ended intents by a signed order (spec/retention.md), in as many transactions as it takes. The same
   * order again goes on where it was stopped. EXO_ORDER, EXO_TRUST, EXO_SIGNATURE, EXO_TENANT_UNKNOWN,
   * EXO_INTENT_UNKNOWN, EXO_MATERIAL_KEPT.
   */
  async dropMaterials(envelope: Envelope): Promise<DropCounts> {
    const signed = readEnvelope(envelope, "order to drop materials");
    const counts = { intents: 0, materials: 0, bytes: 0, kept: 0 };
    for (let from: string | null = ""; from !== null; ) {
      const after: string = from;
      const part = await this.#ports.ledger.transact((tx) => dropPart(tx, signed, after, this.#ports));
      for (const name of ["intents", "materials", "bytes", "kept"] as const) counts[name] += part[name];
      from = part.next;
    }
    return counts;
  }

  /** The present state of an intent. EXO_INTENT_UNKNOWN. */
  status(intentId: string): ExecutionResult {
    return presentResult(this.#ports.store, this.#ports.ledger, intentId);
  }

  /** The bundle of an ended intent, or undefined while it has none. EXO_INTENT_UNKNOWN. */
  bundle(intentId: string): BundleHandle | undefined {
    return presentBundle(this.#ports.store, this.#ports.ledger, intentId);
  }

  /**
   * Waits until an intent is neither pending nor running. Rejects with `signal.reason` when the wait is given up, and with
   * the store's error when the outcome of its run could not be recorded.
   */
  async wait(intentId: string, options: { readonly signal?: AbortSignal } = {}): Promise<ExecutionResult> {
    const { signal } = options;
    for (;;) {
      signal?.throwIfAborted();
      const running = this.#running.get(intentId);
      if (running !== undefined) return await untilAborted(running, signal);
      const present = this.status(intentId);
      if (present.status !== "approval_pending" && present.status !== "running") return present;
      if (this.#lost.has(intentId)) throw this.#lost.get(intentId);
      await this.#changed(intentId, signal);
    }
  }

  /** Records requests that were denied before they became intents. */
  async recordDeniedAccess(denied: DeniedAccess): Promise<void> {
    await this.#ports.ledger.transact((tx) => recordDeniedAccess(tx, denied, this.#ports));
  }

  /** Every approval request, oldest first. */
  approvals(): ApprovalView[] {
    return approvalViews(this.#ports.store);
  }

  /** Closes requests that have expired; their intents end as denied. */
  async expireApprovals(): Promise<void> {
    const { ledger, store, clock } = this.#ports;
    for (const intentId of openIntents(store)) {
      if (!isApprovalPast(store, intentId, clock.now())) continue;
      const admission = await ledger.transact((tx) => expirePending(tx, intentId, this.#ports));
      if (admission !== null) await this.#settle(admission, undefined);
    }
  }

  /** Resolves when no run of this process is under way, and none can come of a call that was made before. */
  async idle(): Promise<void> {
    while (this.#calls.size + this.#running.size > 0) {
      await Promise.allSettled([...this.#calls, ...this.#running.values()]);
    }
  }

  /** Between its transaction and its run an execution has started and is not in `#running` yet. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    const call = work();
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  /** Gives the result of an admission, or of the run it starts. `turn` is given back when the run has ended. */
  async #settle(
    admission: Admission,
    signal: AbortSignal | undefined,
    turn: Turn | null = null,
  ): Promise<ExecutionResult> {
    if (admission.kind === "known") {
      const running = this.#running.get(admission.intentId);
      return running === undefined ? this.status(admission.intentId) : await untilAborted(running, signal);
    }
    const { intentId } = admission.work.record;
    if (admission.kind === "settled") {
      this.#announce(intentId);
      return admission.result();
    }
    const run = runStarted(admission.start)
      .catch((error: unknown) => {
        this.#lost.set(intentId, error);
        throw error;
      })
      .finally(() => {
        turn?.release();
        this.#running.delete(intentId);
        this.#announce(intentId);
      });
    // Whoever waits gets the rejection; nobody waiting must not take the process down.
    run.catch(() => undefined);
    this.#running.set(intentId, run);
    this.#announce(intentId);
    return await untilAborted(run, signal);
  }

  #announce(intentId: string): void {
    const waiters = this.#waiters.get(intentId);
    this.#waiters.delete(intentId);
    for (const wake of waiters ?? []) wake();
  }

  /** Resolves at the next change of an intent, rejects when the signal aborts. */
  async #changed(intentId: string, signal: AbortSignal | undefined): Promise<void> {
    let wake = (): void => undefined;
    const change = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const waiters = this.#waiters.get(intentId) ?? new Set();
    waiters.add(wake);
    this.#waiters.set(intentId, waiters);
    try {
      await untilAborted(change, signal);
    } finally {
      waiters.delete(wake);
    }
  }
}

/** Resolves an intent to what is registered now. The caller's document is not read again: its function and target stand. */
function resolveAgain({ intent }: ResolvedIntent, ports: PipelinePorts, registry: ExecutorRegistry): ResolvedIntent {
  const { salt: _salt, ...draft } = intent;
  return resolveIntent(draft, ports, registry);
}

/** True unless the executor an intent was resolved to is no longer the one of its name. */
function isPresent({ resolved }: ResolvedIntent, registry: ExecutorRegistry): boolean {
  return !resolved.ok || registry.holds(resolved.value.executor);
}

/** Settles as `promise` does, or rejects with the signal's reason; the work behind the promise goes on. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
