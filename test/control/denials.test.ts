import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DenialLog } from "../../src/control/denials.js";
import { Metrics } from "../../src/control/metrics.js";
import type { DeniedAccess } from "../../src/pipeline/access.js";
import { openRig } from "../support/rig.js";
import { startMs, type TestClock, testClock } from "../support/world.js";

const denial = { code: "EXO_AUTHENTICATION", cause: "unknown", route: "getIntent", credential: null };

let clock: TestClock;
let recorded: DeniedAccess[];
let logged: string[];
let fails: boolean;
let log: DenialLog;

beforeEach(() => {
  vi.useFakeTimers();
  clock = testClock();
  [recorded, logged, fails] = [[], [], false];
  log = new DenialLog({
    clock,
    windowMs: 60_000,
    metrics: new Metrics(),
    logger: { log: (_level, message) => void logged.push(message) },
    record: async (denied) => {
      if (fails) throw new Error("the disk is full");
      recorded.push(denied);
    },
  });
});
afterEach(() => void vi.useRealTimers());

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await vi.advanceTimersByTimeAsync(ms);
}

describe("denials", () => {
  it("the first is recorded at once, what follows together when the window ends", async () => {
    log.count(denial);
    await pass(0);
    expect(recorded).toEqual([{ since: startMs, until: startMs, denials: [{ ...denial, count: 1 }] }]);
    for (let n = 0; n < 5000; n++) log.count(denial);
    log.count({ ...denial, cause: "expired" });
    await pass(59_999);
    expect(recorded.length).toBe(1);
    await pass(1);
    expect(recorded[1]).toEqual({
      since: startMs,
      until: startMs + 60_000,
      denials: [
        { ...denial, count: 5000 },
        { ...denial, cause: "expired", count: 1 },
      ],
    });
    await pass(600_000);
    expect(recorded.length).toBe(2);
  });

  it("however many kinds there are, an event has 64 rows and loses no count", async () => {
    log.count(denial);
    await pass(0);
    for (let n = 0; n < 1000; n++) log.count({ ...denial, credential: `key ${n}` });
    await pass(60_000);
    const rows = recorded[1]?.denials ?? [];
    expect(rows.length).toBe(64);
    expect(rows.at(-1)).toEqual({ code: "EXO_FORBIDDEN", cause: "other", route: null, credential: null, count: 937 });
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(1000);
  });

  it("flush records what is left, also after an event that could not be written", async () => {
    fails = true;
    log.count(denial);
    await pass(0);
    expect([recorded, logged]).toEqual([[], ["denied access could not be recorded"]]);
    fails = false;
    log.count(denial);
    await log.flush();
    expect(recorded.length).toBe(1);
    await log.flush();
    expect(recorded.length).toBe(1);
  });

  it("a clock that goes back does not put the record off", async () => {
    log.count(denial);
    await pass(0);
    clock.set(startMs - 3_600_000);
    log.count(denial);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(recorded.length).toBe(2);
    expect(recorded[1]?.since).toBeLessThanOrEqual(recorded[1]?.until ?? 0);
  });

  it("is an event of the system's chain, in the log", async () => {
    const rig = await openRig();
    const before = rig.ledger.size;
    await rig.pipeline.recordDeniedAccess({ since: startMs, until: startMs, denials: [{ ...denial, count: 3 }] });
    expect(rig.ledger.size).toBe(before + 1);
    const { chainLength, storedEvents, readEvent } = await import("../../src/pipeline/recorder.js");
    expect(chainLength(rig.store, "default", "system")).toBe(before + 1);
    const last = storedEvents(rig.store, "default", "system").at(-1);
    const event = readEvent(last ?? new Uint8Array());
    expect([event.eventType, event.intentId, event.payload]).toEqual([
      "access_denied",
      null,
      { since: "2026-01-31T09:00:00.000Z", until: "2026-01-31T09:00:00.000Z", denials: [{ ...denial, count: 3 }] },
    ]);
  });
});
