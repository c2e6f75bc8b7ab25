import type { EventType } from "../../contracts/event.js";
import { hostCallSchema } from "../../contracts/execution.js";
import { decodeBase64Url } from "../../crypto/encoding.js";
import { Evidence } from "../../verify/evidence.js";
import { abiBlobOf } from "./blob.js";
import { eventTellers } from "./events.js";
import { formatCount } from "./format.js";
import { logStep } from "./log.js";
import { part, type Step, type Story } from "./step.js";

/** Tells the story of a bundle, or null when the file is none. What was withheld or is damaged is said where it is. */
export function tellStory(bytes: Uint8Array): Story | null {
  const evidence = part(() => Evidence.open(bytes));
  if (!(evidence instanceof Evidence)) return null;
  const { intentId, verdicts, events, execution } = evidence.predicate;
  const intent = part(() => evidence.intent());
  const known = typeof intent === "string" ? undefined : intent;
  const steps: Step[] = [];
  const index = new Map<string, number>();
  for (const { eventType, digest } of events) {
    const at = index.get(eventType) ?? 0;
    index.set(eventType, at + 1);
    if (eventType === "effect_started") continue;
    const ends = eventType === "execution_completed" || eventType === "execution_failed";
    if (ends || eventType === "execution_in_doubt") steps.push(...callSteps(evidence));
    steps.push(eventStep(evidence, eventType, digest, at));
  }
  steps.push(logStep(evidence));
  return {
    intentId,
    action: known?.action ?? "withheld action",
    target: known?.target ?? null,
    actor: known === undefined ? "withheld" : `${known.actor.id} (${known.actor.type})`,
    verdict: verdicts.final,
    ended: execution?.status ?? events.at(-1)?.eventType.replaceAll("_", " ") ?? "",
    steps,
  };
}

function eventStep(evidence: Evidence, eventType: string, digest: string, at: number): Step {
  const teller = Object.hasOwn(eventTellers, eventType) ? eventTellers[eventType as EventType] : undefined;
  const base: Step = {
    kind: teller?.kind ?? "end",
    title: teller?.title ?? eventType,
    summary: "",
    at: null,
    seq: null,
    fuel: null,
    rows: [],
    blobs: [],
    checks: teller?.checks ?? [],
  };
  const header = part(() => evidence.events().find((event) => event.digest === digest)?.header);
  const recordedAt = typeof header === "object" ? header.recordedAt : null;
  const told = teller === undefined ? {} : part(() => teller.tell(evidence, at));
  return typeof told === "string"
    ? { ...base, at: recordedAt, summary: "not in this file", rows: [["cannot be shown", told]] }
    : { ...base, at: recordedAt, ...told };
}

function callSteps(evidence: Evidence): readonly Step[] {
  const effects = part(() => evidence.eventsOf("effect_started"));
  const journaled = new Set(typeof effects === "string" ? [] : effects.map(({ payload }) => payload.seq));
  return evidence.digestsOf("host_call").map((digest, at): Step => {
    const base = { kind: "call", at: null, seq: at, checks: ["transcript", "answers"] } as const;
    const call = part(() => evidence.document(digest, "host_call", hostCallSchema));
    if (typeof call === "string") {
      const rows = [["cannot be shown", call]] as const;
      return { ...base, title: "host call", summary: "not in this file", fuel: null, rows, blobs: [] };
    }
    const { assurance } = call;
    return {
      ...base,
      seq: call.seq,
      title: call.capability,
      summary: call.outcome,
      fuel: call.fuel,
      rows: [
        ["host call", String(call.seq)],
        ["outcome", call.outcome],
        ["vouched for by", typeof assurance === "string" ? assurance : (Object.keys(assurance)[0] ?? "")],
        ["fuel at the call", formatCount(call.fuel)],
        ...(journaled.has(call.seq) ? [["journaled", "before it was performed"] as const] : []),
      ],
      blobs: [
        abiBlobOf("request", decodeBase64Url(call.request) ?? new Uint8Array(0)),
        abiBlobOf("answer", decodeBase64Url(call.response) ?? new Uint8Array(0)),
      ],
    };
  });
}
