import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { isExoArmurError } from "../../src/errors.js";
import { compareCheckpoint } from "../../src/log/audit.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import type { Store } from "../../src/ports.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore } from "../support/crash-store.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { checkStore, draft, endOf, openRig, type Rig } from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys, testClock } from "../support/world.js";

/** What somebody does to a runtime. A key stands for a whole request: the same key is the same request. */
type Step =
  | { readonly do: "write" | "remove" | "outside"; readonly file: number }
  | { readonly do: "approve" | "deny"; readonly request: number; readonly by: "alice" | "mallory" }
  | { readonly do: "kill"; readonly on: boolean }
  | { readonly do: "later"; readonly seconds: number };

/** A step, and the commit of it at which the process dies, if it gets there. */
type Move = {
  readonly step: Step;
  readonly death: null | { readonly commit: number; readonly mode: "before" | "after" };
};

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("write", "remove", "outside"), file: fc.nat(4) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("approve", "approve", "deny"),
      request: fc.nat(6),
      by: fc.constantFrom("alice", "alice", "alice", "mallory"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), on: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("later" as const), seconds: fc.constantFrom(1, 600, 1000) }) },
);
const death = fc.option(
  fc.record({ commit: fc.integer({ min: 1, max: 4 }), mode: fc.constantFrom("before", "after") }),
  { freq: 4 },
);
const history: fc.Arbitrary<Move[]> = fc.array(fc.record({ step, death }), { minLength: 1, maxLength: 25 });

function same<T>(found: T, expected: T, what: string): void {
  expect(found, what).toEqual(expected);
}

function matches(found: string, expected: RegExp): void {
  expect(found).toMatch(expected);
}

function atMost(found: number, bound: number, what: string): void {
  expect(found, what).toBeLessThanOrEqual(bound);
}

/** A world that outlives its runtimes, and what it was told. */
class World {
  readonly store: Store = createMemoryStore();
  readonly disk = new FakeDisk();
  readonly clock = testClock();
  readonly told = new Map<string, string>();
  readonly checkpoints: string[] = [];
  readonly requests: ApprovalRequest[] = [];
  /** Null after a death in the middle of the order: either is right. */
  killed: boolean | null = false;
  approvals = 0;
  deaths = 0;
  #opened = 0;
  #crash = new CrashStore(this.store);
  rig!: Rig;

  async open(): Promise<void> {
    this.#crash = new CrashStore(this.store);
    this.#opened += 1;
    const { clock, disk } = this;
    this.rig = await openRig({ store: this.#crash, clock, disk, seed: `process ${this.#opened}` });
  }

  async play({ step: now, death: at }: Move): Promise<void> {
    if (at !== null) this.#crash.arm(at.commit, at.mode);
    const starts = this.rig.sandbox.starts;
    const stopped = this.killed === true;
    try {
      await this.#act(now);
    } catch (error) {
      if (!this.#crash.dead) throw error;
    }
    if (stopped && now.do !== "kill") same(this.rig.sandbox.starts, starts, "starts under the kill switch");
    if (at === null && !this.#crash.dead) return;
    if (this.#crash.dead) this.deaths += 1;
    if (this.#crash.dead && now.do === "kill") this.killed = null;
    await this.open();
  }

  async #act(now: Step): Promise<void> {
    switch (now.do) {
      case "write":
      case "remove":
      case "outside":
        return this.#hear(now, await this.rig.pipeline.execute(intentOf(now)));
      case "approve":
      case "deny":
        return await this.#decide(now);
      case "kill": {
        const signedAt = new Date(this.clock.now()).toISOString();
        await this.rig.pipeline.switchKill(await killOrder(now.on, { signedAt }));
        this.killed = now.on;
        return;
      }
      case "later":
        this.clock.advance(now.seconds * 1000);
        await this.rig.pipeline.expireApprovals();
    }
  }

  #hear(now: { do: string; file: number }, result: ExecutionResult): void {
    const key = `${now.do} ${now.file}`;
    this.checkpoints.push(this.rig.ledger.checkpoint());
    if (result.status === "approval_pending") {
      if (this.requests.every(({ requestId }) => requestId !== result.approval.requestId))
        this.requests.push(result.approval);
      return;
    }
    const heard = "bundle" in result ? `${endOf(result)} ${result.bundle.digest}` : endOf(result);
    same(heard, this.told.get(key) ?? heard, `${key} was told something else before`);
    this.told.set(key, heard);
    if (now.do === "outside") matches(endOf(result), /^denied EXO_(?:POLICY_DENIED|KILL_SWITCH)$/);
  }

  async #decide(now: Extract<Step, { do: "approve" | "deny" }>): Promise<void> {
    const request = this.requests[now.request % Math.max(1, this.requests.length)];
    if (request === undefined) return;
    const more = now.do === "deny" ? { decision: "deny" as const, reason: "no" } : {};
    try {
      await this.rig.pipeline.decide(await grant(request, now.by, keys[now.by], more));
      same(now.by, "alice", "who approved");
      if (now.do === "approve") this.approvals += 1;
    } catch (error) {
      if (!isExoArmurError(error) || error.code === "EXO_STORE") {
        // A run may have begun on this approval.
        this.approvals += now.do === "approve" ? 1 : 0;
        throw error;
      }
      if (now.by === "mallory") matches(error.code, /^EXO_(?:TRUST|APPROVAL_)/);
      else matches(error.code, /^EXO_APPROVAL_(?:SPENT|CLOSED|EXPIRED|DENIED)$/);
    }
  }

  /** What holds of any world at any time. */
  check(): void {
    const records = checkStore(this.rig);
    for (const note of this.checkpoints) same(compareCheckpoint(this.store, note), "consistent", note);
    const spent = records
      .flatMap(({ intentId }) => this.rig.pipeline.trace(intentId))
      .flatMap(({ eventType, payload }) => (eventType === "execution_started" ? [payload["spent"]] : []))
      .filter((digest) => typeof digest === "string");
    same(new Set(spent).size, spent.length, "approvals spent, each once");
    const effects = records.reduce((sum, record) => sum + record.effects.length, 0);
    atMost(this.disk.done.length, effects, "effects, each recorded first");
    const removals = this.disk.done.filter((what) => what.startsWith("fs_remove")).length;
    atMost(removals, Math.min(this.approvals, spent.length), "removals, each approved by a person");
    for (const { effects: own, intentId } of records) atMost(own.length, 1, intentId);
    // One request, one performance, however often it was asked for and whoever died in between.
    same(new Set(this.disk.done).size, this.disk.done.length, "effects, each once");
  }
}

function intentOf({ do: what, file }: { do: "write" | "remove" | "outside"; file: number }): never {
  const key = { idempotencyKey: `${what} ${file}` };
  if (what === "write") return draft("fs.write", `data/w${file}.txt`, { ...key, parameters: { text: "x" } });
  return draft("fs.remove", what === "remove" ? `data/r${file}.txt` : `secret/${file}.txt`, key);
}

/** What the histories came to, so that they are known to reach what they are about. */
const reached = { deaths: 0, inDoubt: 0, spent: 0, expired: 0, stopped: 0 };

function count(world: World): void {
  reached.deaths += world.deaths;
  for (const { state, reason, events } of checkStore(world.rig)) {
    if (state === "in_doubt") reached.inDoubt += 1;
    if (reason?.code === "EXO_APPROVAL_EXPIRED") reached.expired += 1;
    if (reason?.code === "EXO_KILL_SWITCH") reached.stopped += 1;
    const types = events.map(({ eventType }) => eventType);
    if (types.includes("approval_granted") && types.includes("execution_started")) reached.spent += 1;
  }
}

describe("any history of requests, decisions, kill switches and deaths", () => {
  it("tells one outcome a request, spends an approval once, and performs nothing twice", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(history, async (moves) => {
        const world = new World();
        await world.open();
        for (const move of moves) await world.play(move);
        world.check();
        // A last restart changes nothing that was told.
        await world.open();
        world.check();
        count(world);
      }),
      { numRuns: 60, seed: 7 },
    );
    for (const [what, times] of Object.entries(reached)) expect(times, what).toBeGreaterThan(3);
  });
});
