import { parseTime } from "../../canonical/time.js";
import type { IntentHead } from "../../contracts/control.js";

/** What became of an intent, for the eye: it went through, it was refused, or people were asked. */
export const verdictKinds = ["allowed", "asked", "denied"] as const;

/** What became of an intent, for the eye. */
export type VerdictKind = (typeof verdictKinds)[number];

/** A stretch of time that ends now, and how it is cut. Milliseconds. */
export type Span = {
  readonly name: string;
  readonly words: string;
  readonly bucketMs: number;
  readonly buckets: number;
};

/** The stretches that can be looked at. */
export const spans = [
  { name: "hour", words: "the last hour, by 5 minutes", bucketMs: 300_000, buckets: 12 },
  { name: "day", words: "the last day, by the hour", bucketMs: 3_600_000, buckets: 24 },
  { name: "week", words: "the last week, by 6 hours", bucketMs: 21_600_000, buckets: 28 },
] as const satisfies readonly Span[];

/** Intents of one bucket; `from` inclusive, milliseconds since the Unix epoch. */
export type Bucket = { readonly from: number; readonly counts: Readonly<Record<VerdictKind, number>> };

/** The verdict on an intent. Whoever was asked was asked, whatever they answered. */
export function verdictOf(
  { intentId, state }: Pick<IntentHead, "intentId" | "state">,
  asked: ReadonlySet<string>,
): VerdictKind {
  if (state === "pending" || asked.has(intentId)) return "asked";
  return state === "denied" ? "denied" : "allowed";
}

/** The first moment of a span that ends at `now`; buckets begin at multiples of their length. */
export function spanStart({ bucketMs, buckets }: Span, now: number): number {
  return (Math.floor(now / bucketMs) + 1 - buckets) * bucketMs;
}

/** Intents counted by bucket and verdict, oldest first; those of another time are left out. */
export function bucketsOf(
  intents: readonly Pick<IntentHead, "intentId" | "state" | "receivedAt">[],
  asked: ReadonlySet<string>,
  span: Span,
  now: number,
): Bucket[] {
  const start = spanStart(span, now);
  const counts = Array.from({ length: span.buckets }, () => ({ allowed: 0, asked: 0, denied: 0 }));
  for (const intent of intents) {
    const bucket = counts[Math.floor((parseTime(intent.receivedAt) - start) / span.bucketMs)];
    if (bucket !== undefined) bucket[verdictOf(intent, asked)] += 1;
  }
  return counts.map((one, index) => ({ from: start + index * span.bucketMs, counts: one }));
}

/** A round number that no bucket passes, for the scale: a few times a power of ten. */
export function scaleOf(buckets: readonly Bucket[]): number {
  const most = Math.max(1, ...buckets.map(({ counts }) => verdictKinds.reduce((sum, kind) => sum + counts[kind], 0)));
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= most) ?? 10) * power;
}
