import { describe, expect, test } from "vitest";
import { noticeSchema } from "../../src/contracts/notice.js";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { noticeKeys } from "../../src/pipeline/store-keys.js";
import type { Notice, Notifier, Store } from "../../src/ports.js";
import { NoticeDesk, noticeLimits } from "../../src/runtime/notice-desk.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { draft, openRig, type Rig, type RigOptions, requestOf } from "../support/rig.js";
import { grant, killOrder } from "../support/sign.js";
import { keys, seededEntropy, startMs, type TestClock, testClock } from "../support/world.js";

const rule: PolicyRule = {
  id: "ask",
  match: { action: "fs.remove" },
  verdict: "require_approval",
  obligations: { approvals: 1, roles: ["approver"] },
};
const secretPath = "data/orders.csv";
const ask = (key: string): never =>
  draft("fs.remove", secretPath, { idempotencyKey: key, parameters: { password: "hunter2" } });

/** A receiver that takes everything but what `refuse` says. */
class Receiver implements Notifier {
  readonly taken: Notice[] = [];
  tries = 0;
  refuse: (notice: Notice) => boolean = () => false;

  deliver(notice: Notice): Promise<void> {
    this.tries += 1;
    if (this.refuse(notice)) return Promise.reject(new Error("not today"));
    this.taken.push(notice);
    return Promise.resolve();
  }

  get ids(): string[] {
    return this.taken.map(({ id }) => id);
  }
}

type Watched = { readonly rig: Rig; readonly desk: NoticeDesk; readonly receiver: Receiver; readonly lines: string[] };

/** A rig with a desk that is looked after by hand: nothing here waits for a timer. */
async function watched(options: RigOptions = {}, receiver = new Receiver()): Promise<Watched> {
  const lines: string[] = [];
  const made: { desk?: NoticeDesk } = {};
  const notices = { recorded: () => made.desk?.recorded() };
  const rig = await openRig({ rules: [rule], ...options, notices });
  const logger = { log: (level: string, message: string) => void lines.push(`${level} ${message}`) };
  const { store, ledger, clock } = rig;
  const desk = new NoticeDesk({ notifier: receiver, store, ledger, clock, logger, entropy: seededEntropy("rest") });
  made.desk = desk;
  desk.look();
  await desk.idle();
  return { rig, desk, receiver, lines };
}

const left = (store: Pick<Store, "range">): number => [...store.range(noticeKeys.all)].length;
async function look({ desk }: Watched): Promise<void> {
  desk.look();
  await desk.idle();
}

describe("what is told", () => {
  test("a request and its end, in ids, action and times alone", async () => {
    const all = await watched();
    const { rig, receiver, desk } = all;
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await desk.idle();
    const common = {
      schema: "exoarmur.notification/v1",
      cellId: "local",
      tenantId: "default",
      intentId: request.intentId,
      action: "fs.remove",
      requestId: request.requestId,
      at: request.requestedAt,
    };
    expect(receiver.taken).toEqual([
      {
        ...common,
        id: `approval_waiting/${request.requestId}`,
        event: "approval_waiting",
        expiresAt: request.expiresAt,
      },
      { ...common, id: `approval_decided/${request.requestId}/spent`, event: "approval_decided", status: "spent" },
    ]);
    for (const notice of receiver.taken) expect(noticeSchema.safeParse(notice).success).toBe(true);
    expect(JSON.stringify(receiver.taken)).not.toMatch(/orders|hunter2|alice|report-agent/);
    expect(left(rig.store)).toBe(0);
  });

  test.each<[string, (rig: Rig, request: ReturnType<typeof requestOf>) => Promise<unknown>]>([
    [
      "denied",
      async (rig, request) =>
        rig.pipeline.decide(await grant(request, "bob", keys.bob, { decision: "deny", reason: "secret reason" })),
    ],
    [
      "expired",
      async (rig) => {
        rig.clock.advance(901_000);
        await rig.pipeline.expireApprovals();
      },
    ],
    [
      "superseded",
      async (rig, request) => {
        await rig.activate([], 2);
        await rig.pipeline.decide(await grant(request, "bob", keys.bob));
      },
    ],
  ])("a request that was %s", async (status, close) => {
    const all = await watched();
    const request = requestOf(await all.rig.pipeline.execute(ask("one")));
    await close(all.rig, request);
    await all.desk.idle();
    expect(all.receiver.taken.at(-1)).toMatchObject({
      id: `approval_decided/${request.requestId}/${status}`,
      status,
    });
    expect(JSON.stringify(all.receiver.taken)).not.toContain("secret reason");
  });

  test("an approval that is held says until when, and its start is told too", async () => {
    const all = await watched({ rules: [{ ...rule, obligations: { ...rule.obligations, holdSeconds: 60 } }] });
    const { rig, receiver, desk } = all;
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    await desk.idle();
    const { notBefore, expiresAt } = request;
    expect(receiver.taken.at(-1)).toMatchObject({
      event: "approval_decided",
      status: "approved",
      notBefore,
      expiresAt,
    });
    rig.clock.advance(60_000);
    await rig.pipeline.resumeHeld();
    await rig.pipeline.idle();
    await desk.idle();
    expect(receiver.taken.map(({ status }) => status)).toEqual([undefined, "approved", "spent"]);
  });

  test("the kill switch and an action in doubt", async () => {
    const all = await watched();
    const { rig, receiver, desk } = all;
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    const order = await killOrder(true, { tenantId: "other" });
    await rig.pipeline.switchKill(order);
    await rig.pipeline.switchKill(order);
    await desk.idle();
    expect(receiver.taken.slice(2)).toMatchObject([
      { id: `in_doubt/${request.intentId}`, event: "in_doubt", intentId: request.intentId, action: "fs.remove" },
      { id: "kill_switch_changed/4", event: "kill_switch_changed", tenantId: "other", on: true },
    ]);
    expect(receiver.taken).toHaveLength(4);
  });

  test("nothing is kept where nobody is to be told", async () => {
    const rig = await openRig({ rules: [rule] });
    await rig.pipeline.execute(ask("one"));
    await rig.pipeline.switchKill(await killOrder(true));
    expect(left(rig.store)).toBe(0);
  });

  test("notices change nothing of what is recorded", async () => {
    const checkpoints: string[] = [];
    for (const notices of [undefined, { recorded: () => undefined }]) {
      const rig = await openRig({ rules: [rule], notices });
      const request = requestOf(await rig.pipeline.execute(ask("one")));
      const nonce = "A".repeat(43);
      await rig.pipeline.decide(await grant(request, "alice", keys.alice, { nonce }));
      checkpoints.push(rig.ledger.checkpoint());
    }
    expect(checkpoints[0]).toBe(checkpoints[1]);
  });
});

describe("reminders", () => {
  test("at half and at nine tenths of its life, each once, and none once it is decided", async () => {
    const all = await watched();
    const { rig, receiver } = all;
    const [one, two] = [
      requestOf(await rig.pipeline.execute(ask("one"))),
      requestOf(await rig.pipeline.execute(ask("two"))),
    ];
    rig.clock.set(startMs + 449_999);
    await look(all);
    expect(receiver.taken).toHaveLength(2);
    rig.clock.set(startMs + 450_000);
    await look(all);
    await look(all);
    expect(receiver.taken.slice(2)).toMatchObject(
      [one, two].map(({ requestId, expiresAt }) => ({
        id: `approval_reminder/${requestId}/1`,
        event: "approval_reminder",
        action: "fs.remove",
        at: "2026-01-31T09:07:30.000Z",
        expiresAt,
      })),
    );
    expect(receiver.taken).toHaveLength(4);
    await rig.pipeline.decide(await grant(one, "alice", keys.alice));
    rig.clock.set(startMs + 810_000);
    await look(all);
    await look(all);
    expect(receiver.ids.slice(5)).toEqual([`approval_reminder/${two.requestId}/2`]);
    rig.clock.set(startMs + 900_001);
    await look(all);
    expect(receiver.taken).toHaveLength(6);
  });

  test("a restart reminds again by the schedule, under the same id", async () => {
    const [store, clock] = [createMemoryStore(), testClock()];
    const first = await watched({ store, clock });
    const { requestId } = requestOf(await first.rig.pipeline.execute(ask("one")));
    clock.set(startMs + 500_000);
    await look(first);
    const second = await watched({ store, clock, seed: "second" });
    expect([first.receiver.ids.at(-1), second.receiver.ids]).toEqual([
      `approval_reminder/${requestId}/1`,
      [`approval_reminder/${requestId}/1`],
    ]);
  });

  test("one that was not taken before the decision is not brought after it", async () => {
    const all = await watched();
    const { rig, receiver } = all;
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    await all.desk.idle();
    receiver.refuse = ({ event }) => event === "approval_reminder";
    rig.clock.set(startMs + 450_000);
    await look(all);
    await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    receiver.refuse = () => false;
    rig.clock.advance(600_000);
    await look(all);
    expect(receiver.ids.filter((id) => id.startsWith("approval_reminder"))).toEqual([]);
  });
});

describe("a receiver that does not take it", () => {
  test("is tried again, later each time, and what it missed comes once it answers", async () => {
    const all = await watched();
    const { rig, receiver, lines } = all;
    receiver.refuse = () => true;
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    await all.desk.idle();
    const rests: number[] = [];
    for (let attempt = 1; attempt < 6; attempt += 1) {
      expect([receiver.tries, left(rig.store)]).toEqual([attempt, 1]);
      const before = rig.clock.now();
      while (receiver.tries === attempt) {
        rig.clock.advance(100);
        await look(all);
      }
      rests.push(rig.clock.now() - before);
    }
    for (const [at, rest] of rests.entries()) {
      expect(rest).toBeGreaterThanOrEqual(500 * 2 ** at);
      expect(rest).toBeLessThanOrEqual(1000 * 2 ** at + 100);
    }
    receiver.refuse = () => false;
    rig.clock.advance(noticeLimits.maxRestMs);
    await look(all);
    expect([receiver.ids, left(rig.store)]).toEqual([[`approval_waiting/${request.requestId}`], 0]);
    expect(lines[0]).toMatch(/^warn notice approval_waiting\/\w+ was not delivered: not today; tried again at 2026-/);
  });

  test("is given up after ten tries, with a line in the log, and holds up nothing else", async () => {
    // No reminder of it comes in the time that ten tries take.
    const all = await watched({ rules: [{ ...rule, obligations: { ...rule.obligations, expiresInSeconds: 86_400 } }] });
    const { rig, receiver, lines } = all;
    receiver.refuse = ({ event }) => event === "approval_waiting";
    await rig.pipeline.execute(ask("one"));
    await rig.pipeline.switchKill(await killOrder(true));
    for (let pass = 0; pass < 40; pass += 1) {
      rig.clock.advance(20_000);
      await look(all);
    }
    for (let pass = 0; pass < 10; pass += 1) {
      rig.clock.advance(noticeLimits.maxRestMs);
      await look(all);
    }
    expect(receiver.ids).toEqual(["kill_switch_changed/4"]);
    expect(receiver.tries).toBe(1 + noticeLimits.attempts);
    expect(lines.filter((line) => line.startsWith("error"))).toEqual([
      expect.stringMatching(/^error notice approval_waiting\/\w+ was given up after 10 tries: not today$/),
    ]);
    expect(left(rig.store)).toBe(0);
  });

  test("does not delay or fail what it is told of", async () => {
    const receiver = new Receiver();
    const hanging = new Promise<void>(() => undefined);
    receiver.deliver = () => hanging;
    const made: { desk?: NoticeDesk } = {};
    const rig = await openRig({ rules: [rule], notices: { recorded: () => made.desk?.recorded() } });
    const { store, ledger, clock } = rig;
    const logger = { log: () => undefined };
    made.desk = new NoticeDesk({ notifier: receiver, store, ledger, clock, logger, entropy: seededEntropy("rest") });
    const request = requestOf(await rig.pipeline.execute(ask("one")));
    const ended = await rig.pipeline.decide(await grant(request, "alice", keys.alice));
    expect(ended.status).toBe("executed");
    expect(left(store)).toBe(2);
  });

  test("more than fit: the oldest give way", async () => {
    const all = await watched();
    const { rig, receiver, lines } = all;
    const notice = (at: number): Notice => ({
      schema: "exoarmur.notification/v1",
      id: `kill_switch_changed/${at}`,
      event: "kill_switch_changed",
      at: "2026-01-31T09:00:00.000Z",
      cellId: "local",
      tenantId: null,
      on: true,
    });
    await rig.ledger.transact((tx) => {
      for (let at = 0; at < noticeLimits.waiting + 3; at += 1) {
        tx.put(noticeKeys.one(startMs + at, notice(at).id), new TextEncoder().encode(JSON.stringify(notice(at))));
      }
    });
    await look(all);
    expect(receiver.ids.slice(0, 2)).toEqual(["kill_switch_changed/3", "kill_switch_changed/4"]);
    expect([receiver.ids.length, left(rig.store)]).toEqual([noticeLimits.waiting, 0]);
    expect(lines).toEqual(["error 3 notices were given up: too many wait"]);
  });
});

describe("a process that ends", () => {
  async function dying(clock: TestClock): Promise<{ store: Store; request: ReturnType<typeof requestOf> }> {
    const store = createMemoryStore();
    const rig = await openRig({ rules: [rule], store, clock, notices: { recorded: () => undefined } });
    return { store, request: requestOf(await rig.pipeline.execute(ask("one"))) };
  }

  test("before it brought a notice: the next one brings it", async () => {
    const clock = testClock();
    const { store, request } = await dying(clock);
    const { receiver } = await watched({ store, clock, seed: "second" });
    expect([receiver.ids, left(store)]).toEqual([[`approval_waiting/${request.requestId}`], 0]);
  });

  test("after it brought one and before it could forget it: brought again, under the same id", async () => {
    const clock = testClock();
    const { store, request } = await dying(clock);
    const rig = await openRig({ rules: [rule], store, clock, seed: "second" });
    const broken = { ...rig.ledger, transact: () => Promise.reject(new Error("the disk is gone")) };
    const receiver = new Receiver();
    const lines: string[] = [];
    const logger = { log: (_level: string, message: string) => void lines.push(message) };
    const parts = { notifier: receiver, store, clock, logger, entropy: seededEntropy("rest") };
    const desk = new NoticeDesk({ ...parts, ledger: broken as never });
    for (let pass = 0; pass < 3; pass += 1) {
      desk.look();
      await desk.idle();
    }
    expect(lines[0]).toBe("notices could not be looked after");
    const again = await watched({ store, clock, seed: "third" }, receiver);
    // Once by the process whose disk was gone, however often it looked, and once by the one after it.
    expect(again.receiver.ids).toEqual(Array(2).fill(`approval_waiting/${request.requestId}`));
    expect(left(store)).toBe(0);
  });

  test("and stays away for more than a day: the notice is too old", async () => {
    const clock = testClock();
    const { store } = await dying(clock);
    clock.advance(noticeLimits.maxAgeMs);
    const { receiver, lines } = await watched({ store, clock, seed: "second" });
    expect([receiver.taken.filter(({ event }) => event === "approval_waiting"), left(store)]).toEqual([[], 0]);
    expect(lines).toContain("warn a notice was given up: too old");
  });

  test("closing brings what was never tried, once", async () => {
    const all = await watched();
    const { rig, receiver, desk } = all;
    receiver.refuse = ({ event }) => event === "approval_waiting";
    await rig.pipeline.execute(ask("one"));
    await desk.idle();
    await rig.pipeline.switchKill(await killOrder(true));
    await desk.close();
    expect([receiver.ids, receiver.tries, left(rig.store)]).toEqual([["kill_switch_changed/4"], 2, 1]);
    desk.recorded();
    rig.clock.advance(noticeLimits.maxRestMs);
    await look(all);
    expect(receiver.tries).toBe(2);
  });

  test("a damaged notice is given up and stops no other", async () => {
    const all = await watched();
    await all.rig.ledger.transact((tx) => {
      tx.put(noticeKeys.one(startMs, "x"), new TextEncoder().encode('{"schema":"exoarmur.notification/v1"}'));
    });
    await all.rig.pipeline.switchKill(await killOrder(true));
    await look(all);
    expect([all.receiver.ids, left(all.rig.store)]).toEqual([["kill_switch_changed/4"], 0]);
    expect(all.lines).toEqual(["warn a notice was given up: not readable"]);
  });
});
