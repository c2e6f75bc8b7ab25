import type { Digest } from "../canonical/digest.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { policyBounds } from "../contracts/control-policies.js";
import type { PolicyCase } from "../contracts/policy-cases.js";
import { type AnyPolicy, anyPolicySchema, isCedar } from "../contracts/policy-cedar.js";
import { ExoArmurError } from "../errors.js";
import { type IntentRecord, type Proposal, readState } from "../pipeline/documents.js";
import { type ShownChange, showChange } from "../pipeline/policy-change.js";
import { proposedBytes } from "../pipeline/proposals.js";
import { blobKey, intentKeys } from "../pipeline/store-keys.js";
import { type CaseOutcome, runPolicyCase } from "../policy/cases.js";
import { compileProgram, type PolicyProgram } from "../policy/program.js";
import type { StoreReader } from "../ports.js";
import { type BacktestFilter, BacktestTally } from "../replay/backtest.js";

/** Intents or cases that are judged before other requests get their turn. */
const turn = 20;

/** Comparisons that are kept. */
const maxKept = 32;

/** What a proposed policy would do, asked of the process that runs the policy in force: bounded, and one trial at a time. */
export class PolicyTrials {
  readonly #store: StoreReader;
  readonly #changes = new Map<string, ShownChange>();
  #busy = false;

  constructor(store: StoreReader) {
    this.#store = store;
  }

  /** How a proposal differs from the policy in force. */
  compare(active: Digest, proposal: Proposal): ShownChange {
    const name = `${active} ${proposal.digest}`;
    let found = this.#changes.get(name);
    if (found === undefined) {
      const [key, bytes] = [blobKey(proposal.digest), proposedBytes(proposal)];
      const reader = { get: (wanted: string) => (wanted === key ? bytes : this.#store.get(wanted)) };
      found = showChange(reader, active, proposal.digest);
      if (this.#changes.size >= maxKept) this.#changes.clear();
      this.#changes.set(name, found);
    }
    return found;
  }

  /**
   * Evaluates recorded decisions again under a proposal, newest first, those of tenants that `shows` lets through.
   * `complete` is false when there are older ones. Records nothing. EXO_OVERLOADED, EXO_CEDAR_ENGINE,
   * EXO_CLOSED when `signal` aborts.
   */
  async backtest(
    proposal: Proposal,
    filter: BacktestFilter,
    shows: (tenantId: string) => boolean,
    signal: AbortSignal,
  ): Promise<{ backtest: ReturnType<BacktestTally["report"]>; complete: boolean }> {
    return await this.#alone(async () => {
      const tally = new BacktestTally(this.#store, programOf(proposal), filter, policyBounds.listed);
      let before: string = intentKeys.all.lt;
      for (let looked = 0; ; looked += turn) {
        const limit = Math.min(turn, policyBounds.intents - looked);
        const range = { gte: intentKeys.all.gte, lt: before, reverse: true };
        const keys = [...this.#store.range({ ...range, limit: Math.max(limit, 1) })].map(([key]) => key);
        if (keys.length === 0) return { backtest: tally.report(), complete: true };
        if (limit <= 0) return { backtest: tally.report(), complete: false };
        for (const key of keys) {
          const record = readState<IntentRecord>(this.#store, key);
          if (record !== undefined && shows(record.tenantId)) tally.add(record);
        }
        before = keys.at(-1) ?? before;
        await othersFirst(signal);
      }
    });
  }

  /** Judges cases under a proposal, as `policy test` does. EXO_OVERLOADED, EXO_CEDAR_ENGINE, EXO_CLOSED. */
  async test(proposal: Proposal, cases: readonly PolicyCase[], signal: AbortSignal): Promise<CaseOutcome[]> {
    return await this.#alone(async () => {
      const program = programOf(proposal);
      const outcomes: CaseOutcome[] = [];
      for (const [index, one] of cases.entries()) {
        if (index > 0 && index % turn === 0) await othersFirst(signal);
        outcomes.push(runPolicyCase(program, one));
      }
      return outcomes;
    });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new ExoArmurError("EXO_OVERLOADED", "another trial of a policy is under way; try again");
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}

/** A proposal's document. EXO_STORE_DAMAGED is readProposal's. */
export function documentOf(proposal: Proposal): AnyPolicy {
  return parseContract(anyPolicySchema, parseCanonical(proposedBytes(proposal)), "proposed policy");
}

/** A fault of Cedar's engine ends every later decision of its process, also those of the policy in force. */
function programOf(proposal: Proposal): PolicyProgram {
  const document = documentOf(proposal);
  if (!isCedar(document)) return compileProgram(document, null);
  throw new ExoArmurError(
    "EXO_CEDAR_ENGINE",
    "a policy in Cedar is not tried in the process that runs the policy in force; use exoarmur backtest and exoarmur policy test",
  );
}

/** Lets other requests have their turn. EXO_CLOSED when nobody waits for the trial any more. */
async function othersFirst(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new ExoArmurError("EXO_CLOSED", "the trial was given up");
}
