import { readAnswerDocument } from "../contracts/answer-document.js";
import type { Counterfactual } from "../contracts/counterfactual.js";
import type { ReferenceReplay } from "../contracts/reference-event.js";
import type { ReplayReport } from "../contracts/replay-report.js";
import type { Trust } from "../contracts/trust.js";
import { ExoArmurError } from "../errors.js";
import type { LoadCedar } from "../policy/program.js";
import type { SandboxHost } from "../ports.js";
import type { AuditChain, AuditStore } from "./audit-source.js";
import type { BundleCounts, ReplayContext } from "./replay-bundle.js";
import { type Chain, eventDigestOf, replayChain } from "./replay-events.js";
import { Findings } from "./report.js";

/** What an engine replays from and with. Without a sandbox nothing is re-executed, and the report says so. */
export type ReplayEngineOptions = {
  readonly auditStore?: AuditStore;
  readonly sandbox?: SandboxHost;
  readonly trust?: Trust;
  /** Loads Cedar's engine. Without it a decision under a Cedar policy cannot be evaluated again, and the report says so. */
  readonly cedar?: LoadCedar;
};

/**
 * Replays records on three levels (spec/replay.md): structure, governance, execution. It uses the pipeline's own parts
 * with recorded answers and has no executor of its own; no side effect is ever performed.
 */
export class ReplayEngine {
  readonly #auditStore: AuditStore | null;
  readonly #context: ReplayContext;

  constructor(options: ReplayEngineOptions = {}) {
    this.#auditStore = options.auditStore ?? null;
    this.#context = { sandbox: options.sandbox ?? null, trust: options.trust ?? null, cedar: options.cedar ?? null };
  }

  /** Replays one bundle file. Never throws for anything the bytes can hold. */
  async replayBundle(bytes: Uint8Array): Promise<ReplayReport> {
    const findings = new Findings();
    const { id, events, executions } = await replayInto(findings, bytes, this.#context);
    return findings.report({
      target: { kind: "bundle", id },
      ...this.#facts(),
      counts: { events: events.length, intents: id === "" ? 0 : 1, executions },
    });
  }

  /**
   * Replays everything recorded under a correlation id: the event chain of every tenant that used it, then each ended
   * intent's bundle. EXO_SCHEMA for an input that is no CanonicalEvent.
   */
  async replayCorrelation(correlationId: string): Promise<ReplayReport> {
    return await this.#replayChains(correlationId, this.#auditStore?.chains(correlationId) ?? []);
  }

  /**
   * Every correlation of the audit store at this time, sorted by id, each to be replayed as replayCorrelation does it.
   * EXO_USAGE for a store that cannot list them.
   */
  correlations(): readonly { readonly id: string; replay(): Promise<ReplayReport> }[] {
    const listed = this.#auditStore?.correlations?.();
    if (listed === undefined) throw new ExoArmurError("EXO_USAGE", "this audit store cannot list its correlations");
    return listed.map(({ id, chains }) => ({ id, replay: async () => await this.#replayChains(id, chains()) }));
  }

  /**
   * A bundle's run with one host call answered otherwise (spec/what-if.md, Another answer). `answer` is a document as
   * `replay --answer` prints it. EXO_OVERRIDE, EXO_CHECK_FAILED, EXO_REPLAY_UNABLE also without a sandbox.
   */
  async counterfactual(bytes: Uint8Array, { seq, answer }: { seq: number; answer: unknown }): Promise<Counterfactual> {
    const { sandbox, trust } = this.#context;
    if (sandbox === null) throw new ExoArmurError("EXO_REPLAY_UNABLE", "no sandbox was given: nothing can be executed");
    const { counterfactual } = await import("./counterfactual.js");
    const given = readAnswerDocument(answer);
    return await counterfactual(bytes, { sandbox, seq, answer: given, ...(trust === null ? {} : { trust }) });
  }

  async #replayChains(correlationId: string, chains: readonly AuditChain[]): Promise<ReplayReport> {
    const findings = new Findings();
    const target = { kind: "correlation", id: correlationId } as const;
    let events = 0;
    let intents = 0;
    for (const { events: inputs, next } of chains) {
      const chain = replayChain(findings, inputs, next);
      events += chain.events.length;
      intents += chain.intentIds.length;
      for (const intentId of chain.ended) await this.#replayIntent(findings, chain, intentId);
    }
    if (events === 0) {
      const message = `No audit records found for correlation_id: ${correlationId}`;
      findings.diverge(
        { level: "structure", intentId: null, id: "records", title: "audit records", code: "EXO_NO_RECORDS", message },
        {
          level: "structure",
          step: "records",
          kind: "missing_events",
          intentId: null,
          expected: "events",
          actual: "none",
        },
      );
    }
    const counts = { events, intents, executions: findings.executions.length };
    return findings.report({ target, ...this.#facts(), counts }, events === 0);
  }

  async #replayIntent(findings: Findings, chain: Chain, intentId: string): Promise<void> {
    if (this.#auditStore?.bundle === undefined) return;
    const bytes = this.#auditStore.bundle(intentId);
    if (bytes !== undefined) {
      const held = await replayInto(findings, bytes, this.#context);
      if (held.id !== "") compareWithChain(findings, held, chain, intentId);
      return;
    }
    const message = `intent ${intentId} has ended and has no bundle`;
    findings.diverge(
      { level: "structure", intentId, id: "bundle", title: "bundle", code: "EXO_MATERIAL_MISSING", message },
      { level: "structure", step: "bundle", kind: "missing_events", intentId, expected: "a bundle", actual: "none" },
    );
  }

  /**
   * Reference mode: CanonicalEvents of ExoArmur-Core, as a JSON array or one a line, by the reference's rules and by the
   * stricter ones of spec/reference-replay.md. Every correlation in them, or one. EXO_SCHEMA or EXO_JSON_* for an input
   * that is none, EXO_NO_RECORDS for one without events.
   */
  async replayReference(bytes: Uint8Array, correlationId?: string): Promise<ReferenceReplay> {
    const { replayReference } = await import("./reference.js");
    return replayReference(bytes, correlationId);
  }

  #facts(): Pick<ReplayReport, "trustMode" | "engine"> {
    const { sandbox, trust } = this.#context;
    return { trustMode: trust === null ? "self_check_only" : "pinned", engine: sandbox?.engine ?? null };
  }
}

/** Verifier and meter are loaded with the first bundle: whoever only runs actions needs neither. */
async function replayInto(findings: Findings, bytes: Uint8Array, context: ReplayContext): Promise<BundleCounts> {
  const { replayBundleInto } = await import("./replay-bundle.js");
  return await replayBundleInto(findings, bytes, context);
}

/** A bundle that is whole in itself can still be another intent's, or name other events than were recorded. */
function compareWithChain(findings: Findings, held: BundleCounts, chain: Chain, intentId: string): void {
  const recorded = chain.events.filter((event) => event.intentId === intentId).map(eventDigestOf);
  const about = { level: "structure", intentId, id: "bundle", title: "bundle is of the recorded events" } as const;
  const at = recorded.findIndex((digest, index) => held.events[index] !== digest);
  const first = at < 0 ? recorded.length : at;
  if (held.id === intentId && at < 0 && held.events.length === recorded.length) {
    findings.add({ ...about, state: "pass", message: `${recorded.length} events` });
    return;
  }
  const expected = held.id === intentId ? (recorded[first] ?? "no further event") : intentId;
  const actual = held.id === intentId ? (held.events[first] ?? "no further event") : held.id;
  const message = `the bundle of intent ${intentId} is not of the recorded events: expected ${expected}, came ${actual}`;
  findings.diverge(
    { ...about, code: "EXO_CHECK_FAILED", message },
    { level: "structure", step: "bundle", kind: "chain_mismatch", intentId, expected, actual },
  );
}
