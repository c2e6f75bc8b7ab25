import { describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { ExoArmurError } from "../../src/errors.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { CrashStore } from "../support/crash-store.js";
import { FakeSandbox } from "../support/fake-sandbox.js";
import { kvDraft, kvGrants, kvPlugin, kvRig, kvRun, kvScripts, kvState } from "../support/kv.js";
import { checkStore, endOf, intentRecords, type Rig, type RigOptions, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

/** A rig whose guests wait, in the order they were started, until they are let go. */
async function gatedRig(
  options: RigOptions = {},
): Promise<{ rig: Rig; waiting: (() => void)[]; letGo(): Promise<void> }> {
  const waiting: (() => void)[] = [];
  const gate = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const rig = await kvRig({ sandbox: new FakeSandbox(kvScripts(gate)), ...options });
  const letGo = async (): Promise<void> => {
    await until(() => waiting.length > 0);
    waiting.shift()?.();
  };
  return { rig, waiting, letGo };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Lets everything go on that can without a guest being let go. */
async function calm(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
}

const increment = (rig: Rig, more = {}, action?: string) =>
  rig.pipeline.execute(kvDraft([["put", "a", "1"]], action, more));

describe("runs that may write the keys of one executor in one tenant", () => {
  test("run one at a time, in the order they came; others beside them", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const order: string[] = [];
    const started = ["first", "second", "third"].map(async (name) => {
      const end = await rig.pipeline.execute(
        kvDraft([
          ["get", "a"],
          ["put", "a", name],
        ]),
      );
      order.push(name);
      return end;
    });
    await until(() => waiting.length === 1);
    const beside = [increment(rig, {}, "other.write"), increment(rig, { tenantId: "other" })];
    const reader = rig.pipeline.execute(kvDraft([["get", "a"]], "kv.read"));
    await until(() => waiting.length === 4);
    await calm();
    expect(rig.sandbox.starts).toBe(4);
    // Nothing is recorded of those that wait.
    expect(intentRecords(rig.store)).toHaveLength(4);
    for (let run = 0; run < 6; run++) await letGo();
    const ends = await Promise.all([...started, ...beside, reader]);
    expect(ends.map(endOf)).toEqual(Array.from({ length: 6 }, () => "executed"));
    expect(order).toEqual(["first", "second", "third"]);
    expect(kvState(rig.store)).toEqual([["a", "third", 3]]);
    checkStore(rig);
  });

  test("a reader sees what is committed, never what a run under way has written", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const script = kvScripts()["write"];
    rig.sandbox.scripts["write"] = async (guest) => {
      const output = await script?.(guest);
      await new Promise<void>((resolve) => waiting.push(resolve));
      return output;
    };
    rig.sandbox.scripts["read"] = kvScripts()["read"] ?? (() => Promise.reject(new Error("no script")));
    const writer = increment(rig);
    await until(() => waiting.length === 1);
    expect(
      await kvRun(
        rig,
        [
          ["get", "a"],
          ["list", ""],
        ],
        "kv.read",
      ),
    ).toEqual([
      { found: false, value: "", version: 0 },
      { entries: [], more: false },
    ]);
    await letGo();
    await writer;
    expect(await kvRun(rig, [["get", "a"]], "kv.read")).toEqual([{ found: true, value: "1", version: 1 }]);
  });

  test("compare-and-set of any number of runs at once: each sees the last, none is lost", async () => {
    const rig = await kvRig();
    rig.sandbox.scripts["write"] = async (guest) => {
      const { ok } = (await guest.call("kv_get", { key: "n" })) as { ok: { value: Uint8Array; version: number } };
      const next = Number(new TextDecoder().decode(ok.value) || "0") + 1;
      await new Promise((resolve) => setTimeout(resolve, next % 3));
      const value = new TextEncoder().encode(String(next));
      return (await guest.call("kv_put", { key: "n", value, expect: ok.version })).ok;
    };
    const ends = await Promise.all(Array.from({ length: 40 }, () => rig.pipeline.execute(kvDraft([]))));
    expect(ends.every((end) => end.status === "executed" && (end.output as { done: boolean }).done)).toBe(true);
    expect(kvState(rig.store)).toEqual([["n", "40", 40]]);
    checkStore(rig);
  });
});

describe("a turn is given back", () => {
  test.each([
    ["after a failed guest", [["fail"]]],
    ["after a completed one", [["put", "a", "1"]]],
  ] as const)("%s", async (_name, ops) => {
    const rig = await kvRig();
    await rig.pipeline.execute(kvDraft(ops));
    expect(endOf(await increment(rig))).toBe("executed");
  });

  test("after a sandbox that refuses, and one that throws something else", async () => {
    const rig = await kvRig();
    const { run } = rig.sandbox;
    for (const error of [new ExoArmurError("EXO_OVERLOADED", "full"), new Error("broken")]) {
      rig.sandbox.run = () => Promise.reject(error);
      expect((await increment(rig)).status).toBe("failed");
    }
    rig.sandbox.run = run;
    expect(endOf(await increment(rig))).toBe("executed");
  });

  test("after a run in doubt", async () => {
    const rig = await kvRig();
    rig.disk.onWrite = () => "throw" as never;
    expect((await rig.pipeline.execute(kvDraft([["write", "data/f"]]))).status).toBe("in_doubt");
    expect(endOf(await increment(rig))).toBe("executed");
  });

  test("after an outcome that could not be recorded: whoever waits is told, and nobody waits for ever", async () => {
    const store = new CrashStore(createMemoryStore());
    const { rig, waiting, letGo } = await gatedRig({ store });
    const both = [increment(rig), increment(rig)];
    const settled = Promise.allSettled(both);
    await until(() => waiting.length === 1);
    store.arm(1, "before");
    await letGo();
    expect((await settled).map((end) => end.status === "rejected" && (end.reason as ExoArmurError).code)).toEqual([
      "EXO_STORE",
      "EXO_STORE",
    ]);
    await rig.pipeline.idle();
  });

  test("after a grant that was refused when its turn came", async () => {
    const ask: PolicyRule = { id: "ask", match: { actor: { id: "asker" } }, verdict: "require_approval" };
    const { rig, waiting, letGo } = await gatedRig({ rules: [ask, { id: "all", match: {}, verdict: "allow" }] });
    const request = requestOf(await increment(rig, { actor: "asker" }));
    const first = increment(rig);
    await until(() => waiting.length === 1);
    const approval = await grant(request, "alice", keys.alice);
    const twice = Promise.allSettled([rig.pipeline.decide(approval), rig.pipeline.decide(approval)]);
    await calm();
    await letGo();
    await letGo();
    const [counted, refused] = await twice;
    expect(counted.status === "fulfilled" && endOf(counted.value)).toBe("executed");
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "EXO_APPROVAL_SPENT" } });
    const last = increment(rig);
    await letGo();
    expect([await first, await last].map(endOf)).toEqual(["executed", "executed"]);
  });

  test("after an intent that was denied, or asks for approval, when its turn came", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const first = increment(rig);
    await until(() => waiting.length === 1);
    const second = increment(rig);
    await calm();
    rig.governor.killFile = true;
    await letGo();
    expect(endOf(await first)).toBe("executed");
    expect(endOf(await second)).toBe("denied EXO_KILL_SWITCH");
    rig.governor.killFile = false;
    const third = increment(rig);
    await letGo();
    expect(endOf(await third)).toBe("executed");
    expect(rig.sandbox.starts).toBe(2);
    checkStore(rig);
  });
});

describe("an intent that waits for its turn", () => {
  test("is judged when it starts: the policy, the clock and the effect key as they are then", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const first = increment(rig);
    await until(() => waiting.length === 1);
    const late = increment(rig, { expiresAt: "2026-01-31T09:00:01.000Z" });
    const forbidden = increment(rig, { actor: "mallory" });
    await calm();
    rig.clock.advance(2000);
    await rig.activate(
      [
        { id: "not-mallory", match: { actor: { id: "mallory" } }, verdict: "deny" },
        { id: "all", match: {}, verdict: "allow" },
      ],
      2,
    );
    await letGo();
    expect(endOf(await first)).toBe("executed");
    expect(endOf(await late)).toBe("denied EXO_INTENT_EXPIRED");
    expect(endOf(await forbidden)).toBe("denied EXO_POLICY_DENIED");
    checkStore(rig);
  });

  test("is withdrawn by its signal at once, and is recorded as cancelled", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const first = increment(rig);
    await until(() => waiting.length === 1);
    const leave = new AbortController();
    const second = rig.pipeline.execute(kvDraft([["put", "a", "2"]]), { signal: leave.signal });
    const third = increment(rig);
    await calm();
    leave.abort();
    expect(endOf(await second)).toBe("denied EXO_CANCELLED");
    expect(rig.sandbox.starts).toBe(1);
    await letGo();
    await letGo();
    expect((await Promise.all([first, third])).map(endOf)).toEqual(["executed", "executed"]);
    checkStore(rig);
  });

  test("was withdrawn before it came: cancelled, without a wait", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const first = increment(rig);
    await until(() => waiting.length === 1);
    const ended = await rig.pipeline.execute(kvDraft([["put", "a", "2"]]), { signal: AbortSignal.abort() });
    expect(endOf(ended)).toBe("denied EXO_CANCELLED");
    await letGo();
    await first;
  });

  test("finds its retry's outcome when its turn comes: one run for one request", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const blocker = increment(rig);
    await until(() => waiting.length === 1);
    const same = [increment(rig, { idempotencyKey: "k" }), increment(rig, { idempotencyKey: "k" })];
    await calm();
    await letGo();
    await letGo();
    const [one, two] = await Promise.all(same);
    expect(two?.intentId).toBe(one?.intentId);
    await blocker;
    expect(rig.sandbox.starts).toBe(2);
    // Of a run that holds the turn a retry is told at once.
    const running = increment(rig, { idempotencyKey: "l" });
    await until(() => waiting.length === 1);
    const retried = increment(rig, { idempotencyKey: "l" });
    await calm();
    await letGo();
    expect((await retried).intentId).toBe((await running).intentId);
    checkStore(rig);
  });

  test("an approved one waits as well; its approval is spent when it starts, and the wait holds up nobody else", async () => {
    const asking: PolicyRule = {
      id: "ask",
      match: { actor: { id: "asker" } },
      verdict: "require_approval",
      obligations: { approvals: 1, roles: ["approver"], expiresInSeconds: 60 },
    };
    const { rig, waiting, letGo } = await gatedRig({ rules: [asking, { id: "all", match: {}, verdict: "allow" }] });
    const first = increment(rig);
    await until(() => waiting.length === 1);
    // Asking needs no turn.
    const [soon, late] = [
      requestOf(await increment(rig, { actor: "asker" })),
      requestOf(await increment(rig, { actor: "asker" })),
    ];
    const approved = rig.pipeline.decide(await grant(soon, "alice", keys.alice));
    const tooLate = rig.pipeline.decide(await grant(late, "alice", keys.alice));
    await calm();
    expect(rig.pipeline.status(soon.intentId).status).toBe("approval_pending");
    const denied = await rig.pipeline.execute(kvDraft([["get", "a"]], "kv.nothing"));
    expect(denied.status).toBe("denied");
    await letGo();
    await until(() => waiting.length === 1);
    expect(rig.pipeline.status(soon.intentId).status).toBe("running");
    rig.clock.advance(61_000);
    await letGo();
    expect((await Promise.all([first, approved])).map(endOf)).toEqual(["executed", "executed"]);
    await expect(tooLate).rejects.toMatchObject({ code: "EXO_APPROVAL_EXPIRED" });
    expect(endOf(await rig.pipeline.wait(late.intentId))).toBe("denied EXO_APPROVAL_EXPIRED");
    expect(endOf(await Promise.all([increment(rig), letGo()]).then(([end]) => end))).toBe("executed");
    checkStore(rig);
  });

  test("dies with its process and leaves nothing: the same request runs afterwards", async () => {
    const store = createMemoryStore();
    const { rig, waiting } = await gatedRig({ store });
    void increment(rig, { idempotencyKey: "first" }).catch(() => undefined);
    await until(() => waiting.length === 1);
    void increment(rig, { idempotencyKey: "second" }).catch(() => undefined);
    await calm();
    const next = await kvRig({ store, seed: "second" });
    expect(next.inDoubt).toHaveLength(1);
    expect(endOf(await increment(next, { idempotencyKey: "first" }))).toBe("in_doubt EXO_IN_DOUBT");
    expect(endOf(await increment(next, { idempotencyKey: "second" }))).toBe("executed");
    checkStore(next);
  });

  test("is not kept waiting by a closed pipeline's last runs: idle waits for both", async () => {
    const { rig, waiting, letGo } = await gatedRig();
    const both = [increment(rig), increment(rig)];
    await until(() => waiting.length === 1);
    let idle = false;
    const done = rig.pipeline.idle().then(() => (idle = true));
    await calm();
    expect(idle).toBe(false);
    await letGo();
    await letGo();
    await done;
    expect((await Promise.all(both)).map(endOf)).toEqual(["executed", "executed"]);
  });
});

test("an executor without a grant to write takes no turn", async () => {
  const { kv_get: getting } = kvGrants(["kv"])["kv"] ?? {};
  const { rig, waiting, letGo } = await gatedRig({
    grants: { kv: { kv_get: getting ?? {} } },
    plugins: [kvPlugin("kv")],
  });
  const both = [increment(rig), increment(rig)];
  await until(() => waiting.length === 2);
  await letGo();
  await letGo();
  expect((await Promise.all(both)).map(endOf)).toEqual(["executed", "executed"]);
});
