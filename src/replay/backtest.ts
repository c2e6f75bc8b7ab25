import { digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import type { Backtest, Flip } from "../contracts/backtest.js";
import { parseContract } from "../contracts/common.js";
import { eventHeaderSchema } from "../contracts/event.js";
import { isExoArmurError, type Refusal } from "../errors.js";
import type { IntentRecord } from "../pipeline/documents.js";
import { unpackEvent } from "../pipeline/recorder.js";
import { eventKeys } from "../pipeline/store-keys.js";
import type { Change } from "../policy/change.js";
import { compareDecisions } from "../policy/compare.js";
import type { PolicyOutcome } from "../policy/evaluate.js";
import type { PolicyProgram } from "../policy/program.js";
import { evaluateRecorded } from "../policy/recorded.js";
import type { StoreReader } from "../ports.js";
import { type FoundDecision, type RecordedDecision, recordedDecisions, recordedIntents } from "./recorded-decisions.js";

/** Which decisions are evaluated: `since` is included, `until` is not. null does not limit. */
export type BacktestFilter = Backtest["filter"];

/** Names of what changed under the same verdict. */
const words: Readonly<Record<Change["class"], Readonly<Record<Change["direction"], string>>>> = {
  permission: { widens: "wider", narrows: "narrower", unknown: "not comparable" },
  approvals: { widens: "fewer approvals", narrows: "more approvals", unknown: "not comparable" },
  approvers: { widens: "other approvers", narrows: "fewer approvers", unknown: "not comparable" },
  expiry: { widens: "longer to approve", narrows: "shorter to approve", unknown: "not comparable" },
  grant: { widens: "wider", narrows: "narrower", unknown: "not comparable" },
};

/**
 * Evaluates every recorded policy decision of a store again under a candidate (spec/what-if.md). Reads only; nothing is
 * recorded and nothing runs. A decision whose input is missing or altered is `notCheckable`, and so is one whose time
 * cannot be read, whatever the filter.
 */
export function backtestPolicy(store: StoreReader, candidate: PolicyProgram, filter: BacktestFilter): Backtest {
  const tally = new BacktestTally(store, candidate, filter);
  for (const record of recordedIntents(store)) tally.add(record);
  return tally.report();
}

/** A backtest intent by intent, for who cannot wait for all of them at once; see backtestPolicy. */
export class BacktestTally {
  readonly #store: StoreReader;
  readonly #candidate: PolicyProgram;
  readonly #filter: BacktestFilter;
  readonly #listed: number;
  readonly #counts = { intents: 0, notJudged: 0, decisions: 0, flips: 0, notCheckable: 0 };
  readonly #classes: Record<string, number> = {};
  readonly #flips: Flip[] = [];
  readonly #notCheckable: Backtest["notCheckable"] = [];

  /** @param listed flips, and decisions that were not checkable, that the report lists; it counts all. Default: all. */
  constructor(
    store: StoreReader,
    candidate: PolicyProgram,
    filter: BacktestFilter,
    listed: number = Number.POSITIVE_INFINITY,
  ) {
    this.#store = store;
    this.#candidate = candidate;
    this.#filter = filter;
    this.#listed = listed;
  }

  /** Evaluates the decisions of one intent. */
  add(record: IntentRecord): void {
    const { intentId, tenantId } = record;
    const filter = this.#filter;
    if (filter.tenant !== null && tenantId !== filter.tenant) return;
    const all = recordedDecisions(this.#store, record);
    const found = all.filter(({ recordedAt }) => isWithin(recordedAt, filter));
    if (all.length === 0 && isWithin(receivedAt(this.#store, record), filter)) {
      this.#counts.intents++;
      this.#counts.notJudged++;
    }
    if (found.length > 0) this.#counts.intents++;
    for (const one of found) this.#judge(intentId, one);
  }

  #judge(intentId: string, { recorded, missing }: FoundDecision): void {
    this.#counts.decisions++;
    const { flip, refusal } =
      missing === undefined ? judged(this.#candidate, recorded) : { flip: null, refusal: missing };
    if (refusal !== undefined) {
      this.#counts.notCheckable++;
      const { code, message } = refusal;
      if (this.#notCheckable.length < this.#listed) this.#notCheckable.push({ intentId, code, message });
    }
    if (flip === null) return;
    this.#counts.flips++;
    if (this.#flips.length < this.#listed) this.#flips.push(flip);
    for (const name of flip.classes) this.#classes[name] = (this.#classes[name] ?? 0) + 1;
  }

  /** What came of the intents so far. */
  report(): Backtest {
    const { intents, notJudged, decisions, flips, notCheckable } = this.#counts;
    const { policyId, version } = this.#candidate.document;
    const same = decisions - flips - notCheckable;
    return {
      schema: "exoarmur.backtest/v1",
      candidate: { policyId, version, digest: digestOf(canonicalize(this.#candidate.document)) },
      filter: this.#filter,
      result: notCheckable > 0 ? "unable" : flips > 0 ? "flips" : "same",
      counts: { intents, notJudged, decisions, same, flips, notCheckable, classes: this.#classes },
      flips: this.#flips,
      notCheckable: this.#notCheckable,
    };
  }
}

/** Whether a filter takes a time in; one that is not known is. Times are of one form, so their order is that of their text. */
export function isWithin(time: string | null, { since, until }: BacktestFilter): boolean {
  return time === null || ((since === null || time >= since) && (until === null || time < until));
}

/** When an intent was taken in, or null when its first event cannot be read. */
function receivedAt(store: StoreReader, { tenantId, correlationId, events }: IntentRecord): string | null {
  const first = events[0];
  const packed = first && store.get(eventKeys.one(tenantId, correlationId, first.sequence));
  if (packed === undefined) return null;
  try {
    return parseContract(eventHeaderSchema, parseCanonical(unpackEvent(packed).header), "event").recordedAt;
  } catch (error) {
    if (isExoArmurError(error)) return null;
    throw error;
  }
}

/** What a candidate changes of one decision; `refusal` when its evaluator could not tell. */
function judged(
  candidate: PolicyProgram,
  recorded: RecordedDecision,
): { readonly flip: Flip | null; readonly refusal?: Refusal } {
  try {
    return { flip: flipOf(candidate, recorded) };
  } catch (error) {
    if (!isExoArmurError(error, "EXO_CEDAR_ENGINE")) throw error;
    return { flip: null, refusal: { code: error.code, message: error.message } };
  }
}

function flipOf(candidate: PolicyProgram, recorded: RecordedDecision): Flip | null {
  return flipBetween(recorded, evaluateRecorded(candidate, recorded.intent, recorded.input));
}

/** How a candidate's answer differs from a recorded decision; null when it permits the same. */
export function flipBetween({ intent, decision, recordedAt }: RecordedDecision, again: PolicyOutcome): Flip | null {
  const classes =
    again.verdict === decision.verdict
      ? compareDecisions(decision, again, intent.target).map((change) => words[change.class][change.direction])
      : [`${decision.verdict}->${again.verdict}`];
  if (classes.length === 0) return null;
  return {
    intentId: intent.intentId,
    tenantId: intent.tenantId,
    correlationId: intent.correlationId,
    actor: intent.actor.id,
    action: intent.action,
    target: intent.target ?? null,
    recordedAt,
    recorded: { verdict: decision.verdict, ruleIds: decision.ruleIds, rationale: decision.rationale },
    candidate: { verdict: again.verdict, ruleIds: again.ruleIds, rationale: again.rationale },
    classes: [...new Set(classes)],
  };
}
