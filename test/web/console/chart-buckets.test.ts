import { describe, expect, it } from "vitest";
import { formatTime, parseTime } from "../../../src/canonical/time.js";
import { bucketsOf, scaleOf, spanStart, spans, verdictOf } from "../../../src/web/console/chart-buckets.js";

const now = parseTime("2026-01-31T09:07:30.000Z");
const [hour, day] = spans;
const intent = (intentId: string, state: Parameters<typeof verdictOf>[0]["state"], at: string) => ({
  ...{ intentId, state },
  receivedAt: `2026-01-${at}.000Z`,
});

describe("verdicts over time", () => {
  it("the last bucket holds the present, and all begin at whole lengths", () => {
    expect(formatTime(spanStart(hour, now))).toBe("2026-01-31T08:10:00.000Z");
    expect(formatTime(spanStart(day, now))).toBe("2026-01-30T10:00:00.000Z");
    for (const span of spans) {
      const buckets = bucketsOf([], new Set(), span, now);
      expect(buckets).toHaveLength(span.buckets);
      expect(buckets.every(({ from }) => from % span.bucketMs === 0)).toBe(true);
      const last = buckets.at(-1)?.from ?? 0;
      expect(last <= now && now < last + span.bucketMs).toBe(true);
    }
  });

  it("an intent is counted once, in the bucket that it was recorded in", () => {
    const buckets = bucketsOf(
      [
        intent("first", "completed", "31T08:10:00"),
        intent("edge", "denied", "31T08:14:59"),
        intent("next", "failed", "31T08:15:00"),
        intent("asked", "denied", "31T09:07:30"),
        intent("waits", "pending", "31T09:07:30"),
      ],
      new Set(["asked"]),
      hour,
      now,
    );
    expect(buckets[0]?.counts).toEqual({ allowed: 1, asked: 0, denied: 1 });
    expect(buckets[1]?.counts).toEqual({ allowed: 1, asked: 0, denied: 0 });
    expect(buckets[11]?.counts).toEqual({ allowed: 0, asked: 2, denied: 0 });
    const total = buckets.flatMap(({ counts }) => Object.values(counts)).reduce((sum, count) => sum + count, 0);
    expect(total).toBe(5);
  });

  it("what is older, and what a clock ahead of this one recorded, is in no bucket", () => {
    const buckets = bucketsOf(
      [intent("old", "completed", "31T08:09:59"), intent("ahead", "completed", "31T09:10:00")],
      new Set(),
      hour,
      now,
    );
    expect(buckets.every(({ counts }) => counts.allowed === 0)).toBe(true);
  });

  it("whoever was asked was asked, whatever became of it", () => {
    const of = (state: Parameters<typeof verdictOf>[0]["state"]) => verdictOf({ intentId: "x", state }, new Set());
    expect(["completed", "failed", "started", "in_doubt", "resolved"].map((state) => of(state as never))).toEqual(
      Array(5).fill("allowed"),
    );
    expect([of("denied"), of("pending")]).toEqual(["denied", "asked"]);
    expect(verdictOf({ intentId: "x", state: "completed" }, new Set(["x"]))).toBe("asked");
  });

  it.each([
    [0, 1],
    [1, 1],
    [4, 4],
    [7, 8],
    [9, 10],
    [10, 10],
    [11, 20],
    [41, 50],
    [700, 800],
    [5001, 6000],
  ])("a scale of %i reaches to %i", (most, scale) => {
    const counts = { allowed: most, asked: 0, denied: 0 };
    expect(scaleOf([{ from: 0, counts }])).toBe(scale);
  });
});
