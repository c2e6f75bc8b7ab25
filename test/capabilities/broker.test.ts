import { describe, expect, it } from "vitest";
import { digestOf, digestOfJson } from "../../src/canonical/digest.js";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { type Broker, type BrokerOptions, createBroker } from "../../src/capabilities/broker.js";
import { createPlayer } from "../../src/capabilities/transcript-player.js";
import type { Effect } from "../../src/contracts/event.js";
import { hostCallSchema } from "../../src/contracts/execution.js";
import type { GuestAnswer, GuestCall, Performer, PerformOutcome } from "../../src/ports.js";
import { answerOf, callOf, calm, codeOf, grantsOf, recorded } from "./support.js";

const effectBase = digestOf(Uint8Array.of(1));
const write = { path: "data/a", bytes: Uint8Array.of(1, 2), mode: "create" };
const everything = grantsOf({
  clock_now: {},
  random_bytes: {},
  fs_read: { roots: ["data"] },
  fs_write: { roots: ["data"] },
  fs_remove: { roots: ["data"] },
});

function performerOf(outcome: PerformOutcome | (() => Promise<PerformOutcome> | PerformOutcome)): Performer {
  return { perform: () => (typeof outcome === "function" ? outcome() : outcome) };
}

const fine = performerOf({ outcome: "ok", value: { size: 2 } });
const throwing = performerOf(() => Promise.reject(new Error("EIO: i/o error, open '/home/secret/key'")));
const stuck = performerOf(() => new Promise<never>(() => undefined));

/** A performer that leaves a mark. */
function marking(marks: unknown[]): Performer {
  return performerOf(() => {
    marks.push("performed");
    return { outcome: "ok", value: { size: 2 } };
  });
}

function brokerOf(options: Partial<BrokerOptions>): Broker {
  return createBroker({ grants: everything, performers: {}, journal: () => Promise.resolve(), effectBase, ...options });
}

function outcomes(broker: Broker): readonly string[] {
  return broker.transcript().map(({ outcome }) => outcome);
}

describe("a call inside its grant", () => {
  it("is performed, recorded and answered", async () => {
    const broker = brokerOf({ performers: { clock_now: performerOf({ outcome: "ok", value: { ms: 5 } }) } });
    const call = callOf(0, "clock_now", {});
    expect(answerOf(await broker.call(call, calm))).toEqual({ ok: { ms: 5 } });
    const [entry] = broker.transcript();
    expect(entry).toEqual({
      schema: "exoarmur.host-call/v1",
      seq: 0,
      capability: "clock_now",
      requestDigest: digestOf(Uint8Array.of(0x80)),
      request: "gA",
      outcome: "ok",
      responseDigest: digestOf(encodeAbi({ ok: { ms: 5 } })),
      response: "gaJva4GibXMF",
      assurance: "local",
      fuel: 100,
    });
    expect(hostCallSchema.parse(entry)).toEqual(entry);
    expect([broker.writes(), broker.effects(), broker.denied()]).toEqual(["none", [], null]);
  });

  it("gives the performer the parsed request, the narrowed grant and the signal", async () => {
    const seen: unknown[] = [];
    const fs_read: Performer = {
      perform: (...args) => {
        seen.push(...args);
        return { outcome: "ok", value: {} };
      },
    };
    const grants = grantsOf({ fs_read: { roots: ["data"], paths: ["data/a"] } });
    await brokerOf({ grants, performers: { fs_read } }).call(callOf(0, "fs_read", { path: "data/a" }), calm);
    expect(seen).toEqual([
      { path: "data/a" },
      { roots: ["data"], paths: ["data/a"], maxBytes: 16_777_216, maxEntries: 10_000 },
      calm,
      undefined,
    ]);
  });

  it("judges a copy of the request", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64));
    const bytes = encodeAbi({ path: "data/a" });
    shared.set(bytes);
    const fs_read: Performer = {
      perform: async ({ path }) => {
        await Promise.resolve();
        return { outcome: "ok", value: { path: path ?? "" } };
      },
    };
    const broker = brokerOf({ performers: { fs_read } });
    const answer = broker.call({ ...callOf(0, "fs_read", {}), request: shared.subarray(0, bytes.length) }, calm);
    shared.fill(0);
    expect(answerOf(await answer)).toEqual({ ok: { path: "data/a" } });
    expect(broker.transcript()[0]?.requestDigest).toBe(digestOf(bytes));
  });

  it("plays back from its transcript", async () => {
    const broker = brokerOf({ performers: { fs_write: fine, fs_read: throwing } });
    const calls = [
      callOf(0, "fs_write", write),
      callOf(1, "fs_read", { path: "data/a" }),
      callOf(2, "fs_read", { path: "x/a" }),
    ];
    const answers: GuestAnswer[] = [];
    for (const call of calls) answers.push(await broker.call(call, calm));
    const player = createPlayer(broker.transcript());
    expect(calls.map((call) => player.call(call))).toEqual(answers);
  });
});

describe("a call outside its grant", () => {
  it("is denied, recorded, and never performed or journaled", async () => {
    const touched: unknown[] = [];
    const fs_write = marking(touched);
    const journal = (effect: Effect): Promise<void> => Promise.resolve(void touched.push(effect));
    const broker = brokerOf({ grants: grantsOf({}), performers: { fs_write }, journal, executor: "fs" });
    const answer = await broker.call(callOf(0, "fs_write", write), calm);
    expect(codeOf(answer)).toBe("EXO_CAPABILITY_DENIED");
    expect([touched, outcomes(broker), broker.writes(), broker.effects()]).toEqual([[], ["denied"], "none", []]);
    expect(broker.denied()).toEqual({
      seq: 0,
      capability: "fs_write",
      code: "EXO_CAPABILITY_DENIED",
      message: expect.stringContaining('"grants": {"fs":{"fs_write":{"roots":["data"]}}}'),
    });
  });

  it("does not end the run: the next call may be fine, and the first denial is kept", async () => {
    const broker = brokerOf({ performers: { fs_read: fine } });
    expect(codeOf(await broker.call(callOf(0, "fs_read", { path: "data/../x" }), calm))).toBe("EXO_FS_PATH");
    expect(answerOf(await broker.call(callOf(1, "fs_read", { path: "data/a" }), calm))).toEqual({ ok: { size: 2 } });
    expect(codeOf(await broker.call(callOf(2, "fs_read", { path: "other/a" }), calm))).toBe("EXO_CAPABILITY_DENIED");
    expect(outcomes(broker)).toEqual(["denied", "ok", "denied"]);
    expect(broker.denied()).toMatchObject({ seq: 0, code: "EXO_FS_PATH" });
  });

  it.each(["EXO_CAPABILITY_DENIED", "EXO_FS_PATH"])("is denied when its performer says %s", async (code) => {
    const fs_write = performerOf({ outcome: "error", code, message: "no" });
    const broker = brokerOf({ performers: { fs_write } });
    expect(codeOf(await broker.call(callOf(0, "fs_write", write), calm))).toBe(code);
    expect([outcomes(broker), broker.writes()]).toEqual([["denied"], "none"]);
  });
});

describe("a broken request", () => {
  it.each([
    ["not a map", Uint8Array.of(0xc0)],
    ["unknown member", encodeAbi({ path: "data/a", x: 1 })],
    ["nothing", new Uint8Array()],
  ])("is an error and nothing is performed: %s", async (_what, request) => {
    const broker = brokerOf({
      performers: { fs_remove: throwing },
      journal: () => Promise.reject(new Error("touched")),
    });
    expect(codeOf(await broker.call({ ...callOf(0, "fs_remove", {}), request }, calm))).toBe("EXO_CAPABILITY_REQUEST");
    expect([outcomes(broker), broker.writes(), broker.denied()]).toEqual([["error"], "none", null]);
  });
});

describe("calls out of turn", () => {
  it.each([
    ["a gap", callOf(1, "log", { level: "info", message: "x" })],
    ["a negative number", callOf(-1, "log", { level: "info", message: "x" })],
    ["an unknown capability", callOf(0, "kv_swap", {})],
    ["an inherited name", callOf(0, "constructor", {})],
  ])("end the run and are not recorded: %s", async (_what, call: GuestCall) => {
    const broker = brokerOf({ performers: { log: fine } });
    expect(await broker.call(call, calm)).toMatchObject({ kind: "stop", status: "host_fault", code: "EXO_HOST_FAULT" });
    expect(await broker.call(callOf(0, "log", { level: "info", message: "x" }), calm)).toMatchObject({ kind: "stop" });
    expect(broker.transcript()).toEqual([]);
  });

  it("end the run when two are made at once; the first is still recorded", async () => {
    let release: (outcome: PerformOutcome) => void = () => undefined;
    const fs_read = performerOf(() => new Promise<PerformOutcome>((resolve) => (release = resolve)));
    const broker = brokerOf({ performers: { fs_read } });
    const first = broker.call(callOf(0, "fs_read", { path: "data/a" }), calm);
    expect(await broker.call(callOf(1, "fs_read", { path: "data/b" }), calm)).toMatchObject({ kind: "stop" });
    release({ outcome: "ok", value: {} });
    expect(answerOf(await first)).toEqual({ ok: {} });
    expect(outcomes(broker)).toEqual(["ok"]);
  });
});

describe("the journal", () => {
  it("is written before the effect, with the id of base and number", async () => {
    const order: unknown[] = [];
    const fs_write = marking(order);
    const journal = async (effect: Effect): Promise<void> => {
      await Promise.resolve();
      order.push(effect);
    };
    const broker = brokerOf({ performers: { fs_write, log: fine }, journal });
    await broker.call(callOf(0, "log", { level: "info", message: "x" }), calm);
    await broker.call(callOf(1, "fs_write", write), calm);
    const effect = {
      seq: 1,
      capability: "fs_write",
      requestDigest: digestOf(encodeAbi(write)),
      effectId: digestOfJson([effectBase, 1]),
    };
    expect(order).toEqual([effect, "performed"]);
    expect(broker.effects()).toEqual([effect]);
    expect(broker.writes()).toBe("committed");
  });

  it("that fails keeps the effect from happening and ends the run", async () => {
    const touched: string[] = [];
    const fs_write = marking(touched);
    const broker = brokerOf({ performers: { fs_write }, journal: () => Promise.reject(new Error("disk full")) });
    const stop = { kind: "stop", status: "host_fault", code: "EXO_HOST_FAULT" };
    expect(await broker.call(callOf(0, "fs_write", write), calm)).toMatchObject(stop);
    expect(await broker.call(callOf(1, "fs_write", write), calm)).toMatchObject(stop);
    expect([touched, outcomes(broker), broker.writes(), broker.effects()]).toEqual([[], ["error"], "none", []]);
    expect(JSON.stringify(recorded(broker.transcript()[0]?.response ?? ""))).not.toContain("disk full");
  });

  it("that throws at once is no different", async () => {
    const journal = (): Promise<void> => {
      throw new Error("closed");
    };
    const broker = brokerOf({ performers: { fs_write: fine }, journal });
    expect(await broker.call(callOf(0, "fs_write", write), calm)).toMatchObject({ status: "host_fault" });
    expect(broker.writes()).toBe("none");
  });

  it("that outlasts the run's time keeps the effect from happening, also when it ends later", async () => {
    const touched: string[] = [];
    let release: () => void = () => undefined;
    const journal = (): Promise<void> => new Promise((resolve) => (release = resolve));
    const fs_write = marking(touched);
    const broker = brokerOf({ performers: { fs_write }, journal });
    const controller = new AbortController();
    const answer = broker.call(callOf(0, "fs_write", write), controller.signal);
    controller.abort();
    expect(await answer).toMatchObject({ kind: "stop", status: "timed_out", code: "EXO_TIMED_OUT" });
    release();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([touched, outcomes(broker), broker.writes()]).toEqual([[], ["error"], "none"]);
    expect(broker.effects()).toHaveLength(1);
  });
});

describe("a performer that fails", () => {
  it("is an error for a read, without the host's words", async () => {
    const broker = brokerOf({ performers: { fs_read: throwing, clock_now: throwing } });
    expect(codeOf(await broker.call(callOf(0, "fs_read", { path: "data/a" }), calm))).toBe("EXO_FS_IO");
    expect(codeOf(await broker.call(callOf(1, "clock_now", {}), calm))).toBe("EXO_HOST_FAULT");
    expect(outcomes(broker)).toEqual(["error", "error"]);
    for (const { response } of broker.transcript())
      expect(JSON.stringify(recorded(response))).not.toMatch(/secret|EIO/);
  });

  it("is unknown for a write, and later certainty elsewhere does not heal it", async () => {
    const outcomesInTurn: PerformOutcome[] = [{ outcome: "ok", value: {} }];
    const fs_write = performerOf(() => outcomesInTurn.shift() ?? Promise.reject(new Error("EIO /home/secret")));
    const broker = brokerOf({ performers: { fs_write, fs_remove: fine } });
    await broker.call(callOf(0, "fs_write", write), calm);
    expect(broker.writes()).toBe("committed");
    expect(codeOf(await broker.call(callOf(1, "fs_write", write), calm))).toBe("EXO_EFFECT_UNKNOWN");
    await broker.call(callOf(2, "fs_remove", { path: "data/a" }), calm);
    expect([outcomes(broker), broker.writes()]).toEqual([["ok", "unknown", "ok"], "unknown"]);
    expect(broker.effects()).toHaveLength(3);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["an unknown outcome", { outcome: "denied" }],
    ["a value that is no map", { outcome: "ok", value: 1 }],
    ["a value the profile lacks", { outcome: "ok", value: { x: Number.NaN } }],
    ["a date", { outcome: "ok", value: { x: new Date(0) } }],
    ["its own unknown", { outcome: "unknown", code: "EXO_EFFECT_UNKNOWN", message: "" }],
  ])("by answering %s is treated as if it threw", async (_what, outcome) => {
    const bad = performerOf(outcome as PerformOutcome);
    const broker = brokerOf({ performers: { fs_write: { perform: () => outcome as PerformOutcome }, fs_read: bad } });
    await broker.call(callOf(0, "fs_read", { path: "data/a" }), calm);
    await broker.call(callOf(1, "fs_write", write), calm);
    expect([outcomes(broker), broker.writes()]).toEqual([["error", "unknown"], "unknown"]);
  });

  it("with an error has certainly not performed", async () => {
    const fs_write = performerOf({ outcome: "error", code: "EXO_FS_EXISTS", message: "the file exists already" });
    const broker = brokerOf({ performers: { fs_write } });
    expect(codeOf(await broker.call(callOf(0, "fs_write", write), calm))).toBe("EXO_FS_EXISTS");
    expect([outcomes(broker), broker.writes()]).toEqual([["error"], "none"]);
  });

  it("by not being there ends the run", async () => {
    const broker = brokerOf({});
    expect(await broker.call(callOf(0, "fs_write", write), calm)).toMatchObject({ status: "host_fault" });
    expect([outcomes(broker), broker.writes(), broker.effects()]).toEqual([["error"], "none", []]);
  });
});

describe("the run's time being up", () => {
  it("makes a write under way unknown, before and after it is recorded", async () => {
    const broker = brokerOf({ performers: { fs_write: stuck } });
    const controller = new AbortController();
    const answer = broker.call(callOf(0, "fs_write", write), controller.signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([broker.transcript().length, broker.writes()]).toEqual([0, "unknown"]);
    controller.abort();
    await broker.settle();
    expect([outcomes(broker), broker.writes()]).toEqual([["unknown"], "unknown"]);
    expect(await answer).toMatchObject({ kind: "stop", status: "timed_out" });
    expect(recorded(broker.transcript()[0]?.response ?? "")).toMatchObject({ error: { code: "EXO_EFFECT_UNKNOWN" } });
  });

  it("ignores an answer that comes late", async () => {
    let release: (outcome: PerformOutcome) => void = () => undefined;
    const fs_write = performerOf(() => new Promise<PerformOutcome>((resolve) => (release = resolve)));
    const broker = brokerOf({ performers: { fs_write } });
    const controller = new AbortController();
    const answer = broker.call(callOf(0, "fs_write", write), controller.signal);
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await answer;
    release({ outcome: "ok", value: { size: 2 } });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([outcomes(broker), broker.writes()]).toEqual([["unknown"], "unknown"]);
  });

  it("makes a read under way an error", async () => {
    const broker = brokerOf({ performers: { fs_read: stuck } });
    const controller = new AbortController();
    const answer = broker.call(callOf(0, "fs_read", { path: "data/a" }), controller.signal);
    controller.abort();
    expect(await answer).toMatchObject({ kind: "stop", status: "timed_out" });
    expect([outcomes(broker), broker.writes()]).toEqual([["error"], "none"]);
  });

  it("keeps a write from being journaled when it was up before", async () => {
    const journaled: Effect[] = [];
    const journal = (effect: Effect): Promise<void> => Promise.resolve(void journaled.push(effect));
    const broker = brokerOf({ performers: { fs_write: fine }, journal });
    expect(await broker.call(callOf(0, "fs_write", write), AbortSignal.abort())).toMatchObject({ status: "timed_out" });
    expect([journaled, outcomes(broker), broker.writes(), broker.effects()]).toEqual([[], ["error"], "none", []]);
  });

  it("settles at once when no call is under way", async () => {
    await brokerOf({}).settle();
  });
});

describe("the transcript's bound", () => {
  it("ends the run at the call that would pass 64 MiB, and records it no more", async () => {
    const big = new Uint8Array(30 * 1_048_576);
    const fs_read = performerOf({ outcome: "ok", value: { bytes: big } });
    const grants = grantsOf({ fs_read: { roots: ["data"], maxBytes: big.length } });
    const broker = brokerOf({ grants, performers: { fs_read } });
    const statuses: string[] = [];
    for (let seq = 0; seq < 4; seq++) {
      const answer = await broker.call(callOf(seq, "fs_read", { path: "data/a" }), calm);
      statuses.push(answer.kind === "stop" ? answer.status : "answered");
    }
    expect(statuses).toEqual(["answered", "answered", "answered", "host_call_limit"]);
    expect(broker.transcript()).toHaveLength(3);
  });

  it("gives out a copy that nobody can write through", async () => {
    const broker = brokerOf({ performers: { log: performerOf({ outcome: "ok", value: {} }) } });
    await broker.call(callOf(0, "log", { level: "info", message: "x" }), calm);
    (broker.transcript() as unknown[]).pop();
    expect(broker.transcript()).toHaveLength(1);
    expect(Object.isFrozen(broker.transcript()[0])).toBe(true);
  });
});
