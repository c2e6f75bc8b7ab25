import { describe, expect, test } from "vitest";
import type { Envelope } from "../../src/contracts/dsse.js";
import { isExoArmurError } from "../../src/errors.js";
import { compareCheckpoint } from "../../src/log/audit.js";
import { type KillSwitchState, readState } from "../../src/pipeline/documents.js";
import { stateKeys } from "../../src/pipeline/store-keys.js";
import type { ExecutionResult } from "../../src/pipeline/types.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore, type DeathMode } from "../support/crash-store.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { checkStore, draft, endOf, fsPlugin, openRig, type Rig, requestOf } from "../support/rig.js";
import { grant, killOrder, resolution } from "../support/sign.js";
import { keys, testClock } from "../support/world.js";

/** What the outside was told: results and checkpoints. */
type Told = { readonly results: ExecutionResult[]; readonly checkpoints: string[]; kill: boolean | null };

type Scenario = {
  readonly name: string;
  /** Done by a process that lives. */
  prepare?(rig: Rig): Promise<void>;
  /** Done by the process that dies somewhere on the way. */
  act(rig: Rig, tell: (result: ExecutionResult) => ExecutionResult, told: Told): Promise<void>;
  /** The request whose retry must give the present state. */
  readonly retry: never;
};

const key = { idempotencyKey: "the-one" };
const write = draft("fs.write", "data/a.csv", key);
const remove = draft("fs.remove", "data/orders.csv", key);
const outside = draft("fs.read", "secret/x.csv", key);

const scenarios: readonly Scenario[] = [
  {
    name: "an allowed run with a write",
    retry: write,
    act: async (rig, tell) => void tell(await rig.pipeline.execute(write)),
  },
  {
    name: "a run that fails after its write",
    retry: write,
    act: async (rig, tell) => {
      rig.sandbox.scripts["write"] = async (guest) => {
        await guest.call("fs_write", { path: "data/a.csv", bytes: new Uint8Array(1), mode: "create" });
        throw new Error("the host broke");
      };
      tell(await rig.pipeline.execute(write));
    },
  },
  {
    name: "a denied intent",
    retry: outside,
    act: async (rig, tell) => void tell(await rig.pipeline.execute(outside)),
  },
  {
    name: "request, grant, run",
    retry: remove,
    act: async (rig, tell) => {
      const request = requestOf(tell(await rig.pipeline.execute(remove)));
      tell(await rig.pipeline.decide(await grant(request, "alice", keys.alice)));
    },
  },
  {
    name: "request, deny",
    retry: remove,
    act: async (rig, tell) => {
      const request = requestOf(tell(await rig.pipeline.execute(remove)));
      tell(await rig.pipeline.decide(await grant(request, "alice", keys.alice, { decision: "deny", reason: "no" })));
    },
  },
  {
    name: "request, expiry",
    retry: remove,
    act: async (rig, tell) => {
      const { intentId } = tell(await rig.pipeline.execute(remove));
      rig.clock.advance(901_000);
      await rig.pipeline.expireApprovals();
      tell(rig.pipeline.status(intentId));
    },
  },
  {
    name: "an in-doubt run and its resolution",
    retry: write,
    act: async (rig, tell) => {
      rig.disk.onWrite = () => Promise.resolve("unknown");
      const { intentId } = tell(await rig.pipeline.execute(write));
      tell(await rig.pipeline.resolve(await resolution(intentId, "committed")));
    },
  },
  {
    name: "the kill switch, then an intent",
    retry: write,
    act: async (rig, tell, told) => {
      await rig.pipeline.switchKill(await killOrder(true));
      told.kill = true;
      tell(await rig.pipeline.execute(write));
    },
  },
];

/** Runs a scenario in a process that dies at a commit; false when it ran to its end alive. */
async function dies(
  scenario: Scenario,
  at: number,
  mode: DeathMode,
): Promise<{
  crashed: boolean;
  told: Told;
  rig: Rig;
  inner: ReturnType<typeof createMemoryStore>;
  disk: FakeDisk;
  starts: number;
}> {
  const inner = createMemoryStore();
  const disk = new FakeDisk();
  const store = new CrashStore(inner);
  const clock = testClock();
  const plugins = [fsPlugin({ effectKey: ["/path"] })];
  const rig = await openRig({ store, disk, clock, plugins });
  await scenario.prepare?.(rig);
  const told: Told = { results: [], checkpoints: [rig.ledger.checkpoint()], kill: null };
  store.arm(at, mode);
  const tell = (result: ExecutionResult): ExecutionResult => {
    told.results.push(result);
    told.checkpoints.push(rig.ledger.checkpoint());
    return result;
  };
  try {
    await scenario.act(rig, tell, told);
  } catch (error) {
    if (!store.dead || !isExoArmurError(error, "EXO_STORE")) throw error;
  }
  await rig.pipeline.idle();
  const { starts } = rig.sandbox;
  if (!store.dead) return { crashed: false, told, rig, inner, disk, starts };
  disk.onWrite = null;
  const after = await openRig({ store: inner, disk, clock, plugins, seed: "after" });
  return { crashed: true, told, rig: after, inner, disk, starts };
}

const modes: readonly DeathMode[] = ["before", "after"];

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  "death during: %s",
  (_name, scenario) => {
    test.each(modes)("%s every commit", async (mode) => {
      let commits = 0;
      for (let at = 1; ; at++) {
        const { crashed, told, rig, disk, starts } = await dies(scenario, at, mode);
        if (!crashed) break;
        commits += 1;
        const context = `commit ${at}`;
        const records = checkStore(rig);
        // Nothing acknowledged is missing, and it is what was acknowledged.
        for (const [index, result] of told.results.entries()) {
          const present = rig.pipeline.status(result.intentId);
          const superseded = told.results.slice(index + 1).some((later) => later.intentId === result.intentId);
          if (superseded || result.status === "approval_pending") continue;
          // An unacknowledged resolution or start may have reached the disk, never an acknowledged one have left it.
          expect(present.status, context).toBe(result.status);
          if ("bundle" in result && "bundle" in present) expect(present.bundle.digest).toBe(result.bundle.digest);
        }
        for (const checkpoint of told.checkpoints)
          expect(compareCheckpoint(rig.store, checkpoint), context).toBe("consistent");
        // Whoever was told that the switch is on finds it on.
        if (told.kill === true) expect(readState<KillSwitchState>(rig.store, stateKeys.killSwitch)?.global).toBe(true);
        // A start without an outcome is in doubt, and nothing was run again by itself.
        for (const record of records) {
          expect(record.state, context).not.toBe("started");
          const types = record.events.map((event) => event.eventType);
          if (types.includes("execution_started") && record.state !== "completed" && record.state !== "failed") {
            expect(["in_doubt", "resolved"]).toContain(record.state);
          }
          expect(types.filter((type) => type === "execution_started").length).toBeLessThanOrEqual(1);
        }
        expect(rig.sandbox.starts, context).toBe(0);
        // The journal was durable before the effect: whatever was done is listed.
        const journaled = records.flatMap((record) => record.effects).length;
        expect(disk.done.length, context).toBeLessThanOrEqual(journaled);
        await expectRetry(scenario, rig, records.length, starts, disk, context);
        checkStore(rig);
      }
      expect(commits).toBeGreaterThanOrEqual(1);
    });
  },
);

/** The same request again: the present state if it was recorded, else a first run; the effect at most once. */
async function expectRetry(
  scenario: Scenario,
  rig: Rig,
  recorded: number,
  starts: number,
  disk: FakeDisk,
  context: string,
): Promise<void> {
  const retried = await rig.pipeline.execute(scenario.retry);
  if (recorded > 0) {
    expect(rig.sandbox.starts, context).toBe(0);
    expect(endOf(retried), context).toBe(endOf(rig.pipeline.status(retried.intentId)));
    expect(retried.status).not.toBe("running");
  } else {
    expect(starts, context).toBe(0);
  }
  if (retried.status === "approval_pending") {
    await rig.pipeline.decide(await grant(retried.approval, "bob", keys.bob));
    expect(rig.sandbox.starts, context).toBe(1);
  }
  for (const { record, request } of rig.pipeline.approvals()) {
    expect(record.state.status).not.toBe("approved");
    const late: Envelope = await grant(request, "carol", keys.carol);
    await expect(rig.pipeline.decide(late)).rejects.toMatchObject({ code: expect.stringMatching(/^EXO_APPROVAL_/) });
  }
  expect(starts + rig.sandbox.starts, context).toBeLessThanOrEqual(1);
  expect(disk.done.length, context).toBeLessThanOrEqual(1);
}

describe("death while recovering from a death", () => {
  test.each(modes)("%s every commit of the start-up", async (mode) => {
    for (let at = 1; ; at++) {
      const inner = createMemoryStore();
      const first = new CrashStore(inner);
      const rig = await openRig({ store: first });
      // Start, journal, and death at the outcome.
      first.arm(3, "before");
      await expect(rig.pipeline.execute(write)).rejects.toMatchObject({ code: "EXO_STORE" });
      expect(rig.disk.done).toHaveLength(1);
      const second = new CrashStore(inner);
      second.arm(at, mode);
      let alive = true;
      try {
        await openRig({ store: second, seed: "second" });
      } catch (error) {
        if (!second.dead) throw error;
        alive = false;
      }
      const third = await openRig({ store: inner, seed: "third" });
      const records = checkStore(third);
      expect(records.map((record) => record.state)).toEqual(["in_doubt"]);
      expect(third.sandbox.starts).toBe(0);
      if (alive) break;
    }
  });
});

describe("a store that fails under a living process", () => {
  test("every call fails from then on, nothing is acknowledged, and no effect is performed without its journal", async () => {
    const inner = createMemoryStore();
    const store = new CrashStore(inner);
    const rig = await openRig({ store });
    // Commit 1 starts the run, commit 2 is the journal of its write.
    store.arm(2, "before");
    await expect(rig.pipeline.execute(write)).rejects.toMatchObject({ code: "EXO_STORE" });
    expect(rig.disk.done).toEqual([]);
    await expect(rig.pipeline.execute(draft("fs.read", "data/orders.csv"))).rejects.toMatchObject({
      code: "EXO_STORE",
    });
    await rig.pipeline.idle();
    const after = await openRig({ store: inner, seed: "after" });
    expect(after.inDoubt).toHaveLength(1);
    const [record] = checkStore(after);
    expect(record?.effects).toEqual([]);
  });

  test("a second writer fences the first, whose run is in doubt and does not come back", async () => {
    const store = createMemoryStore();
    const rig = await openRig({ store });
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("ok")));
    const running = rig.pipeline.execute(write);
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await openRig({ store, seed: "second" });
    expect(second.inDoubt).toHaveLength(1);
    release();
    await expect(running).rejects.toMatchObject({ code: "EXO_FENCED" });
    const [record] = checkStore(second);
    expect(record?.state).toBe("in_doubt");
    expect(record?.effects).toHaveLength(1);
  });
});
