import type { ShadowReport, ShadowStatement } from "../contracts/shadow.js";
import type { Refusal } from "../errors.js";
import type { EventRef, IntentRecord } from "../pipeline/documents.js";
import type { StoreReader } from "../ports.js";
import type { BacktestFilter } from "./backtest.js";
import { flipBetween, isWithin } from "./backtest.js";
import { type FoundDecision, recordedDecisions, recordedIntents } from "./recorded-decisions.js";
import { shadowBeside } from "./recorded-shadows.js";

type Flips = ShadowReport["flips"];

/**
 * The recorded shadow decisions of a store beside the enforced ones (spec/what-if.md, Shadow mode). Reads what was
 * recorded and asks no policy; whether a candidate really says so, `log check` finds. A decision whose documents are
 * missing or altered is `notCheckable`.
 */
export function reportShadows(store: StoreReader, filter: BacktestFilter): ShadowReport {
  const counts = { enforced: 0, notShadowed: 0, decisions: 0, same: 0, flips: 0, notCheckable: 0 };
  const classes: Record<string, number> = {};
  const candidates = new Map<string, ShadowReport["candidates"][number]>();
  const flips: Flips = [];
  const notCheckable: ShadowReport["notCheckable"] = [];
  for (const record of recordedIntents(store)) {
    if (filter.tenant !== null && record.tenantId !== filter.tenant) continue;
    for (const { event, found } of decisionsOf(store, record)) {
      if (!isWithin(found.recordedAt, filter)) continue;
      counts.enforced++;
      const beside = compare(store, record, event, found);
      if (beside === "none") {
        counts.notShadowed++;
        continue;
      }
      counts.decisions++;
      if ("code" in beside) {
        notCheckable.push({ intentId: record.intentId, ...beside });
        continue;
      }
      const { policyId, version, digest } = beside.candidate;
      const candidate = candidates.get(digest) ?? { policyId, version, digest, decisions: 0, flips: 0 };
      candidates.set(digest, candidate);
      candidate.decisions++;
      if (beside.flip === null) continue;
      candidate.flips++;
      flips.push({ ...beside.flip, candidateDigest: digest });
      for (const name of beside.flip.classes) classes[name] = (classes[name] ?? 0) + 1;
    }
  }
  counts.flips = flips.length;
  counts.notCheckable = notCheckable.length;
  counts.same = counts.decisions - counts.flips - counts.notCheckable;
  return {
    schema: "exoarmur.shadow-report/v1",
    candidates: [...candidates.values()],
    filter,
    result: notCheckable.length > 0 ? "unable" : flips.length > 0 ? "flips" : "same",
    counts: { ...counts, classes },
    flips,
    notCheckable,
  };
}

/** The enforced decisions of an intent, each with its event. */
function* decisionsOf(
  store: StoreReader,
  record: IntentRecord,
): Generator<{ readonly event: EventRef; readonly found: FoundDecision }> {
  const events = record.events.filter(({ eventType }) => eventType === "policy_evaluated");
  for (const [at, found] of recordedDecisions(store, record).entries()) {
    const event = events[at];
    if (event !== undefined) yield { event, found };
  }
}

type Compared =
  | "none"
  | Refusal
  | { readonly candidate: ShadowStatement["predicate"]["candidate"]; readonly flip: ReturnType<typeof flipBetween> };

function compare(store: StoreReader, { intentId }: IntentRecord, event: EventRef, found: FoundDecision): Compared {
  const shadow = shadowBeside(store, intentId, event);
  if (shadow === undefined) return "none";
  if (shadow.statement === undefined) return shadow.damage;
  if (found.recorded === undefined) return found.missing;
  const { predicate } = shadow.statement;
  const { recorded } = found;
  if (predicate.enforced.eventDigest !== event.digest || predicate.inputDigest !== recorded.decision.inputDigest)
    return { code: "EXO_STORE_DAMAGED", message: "the shadow decision is about another enforced decision" };
  const { verdict, ruleIds, rationale, obligations } = predicate;
  return { candidate: predicate.candidate, flip: flipBetween(recorded, { verdict, ruleIds, rationale, obligations }) };
}
