import { describe, expect, test } from "vitest";
import { createMemoryStore } from "../../src/stores/memory.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { RemoteSigner } from "../support/remote-signer.js";
import { checkStore, draft, endOf, eventTypes, intentRecords, openRig, type Rig } from "../support/rig.js";
import { keys } from "../support/world.js";

/** A rig whose keys are elsewhere. */
async function remoteRig() {
  const store = createMemoryStore();
  const disk = new FakeDisk();
  const runtime = new RemoteSigner(keys.runtime);
  const log = new RemoteSigner(keys.log);
  const open = (seed: string): Promise<Rig> => openRig({ store, disk, seed, signers: { runtime, log } });
  return { rig: await open("seed"), open, disk, runtime, log };
}

const write = (name = "a.csv") => draft("fs.write", `data/${name}`, { idempotencyKey: name });

describe("signers in another process", () => {
  test("slow ones: many intents at once, each ends once and its bundle verifies", async () => {
    const { rig, runtime, log } = await remoteRig();
    runtime.turns = 3;
    log.turns = 9;
    const names = [...Array(8).keys()].map((at) => `n${at}.csv`);
    const results = await Promise.all(names.map((name) => rig.pipeline.execute(write(name))));
    expect(new Set(results.map(endOf))).toEqual(new Set(["executed"]));
    expect(checkStore(rig)).toHaveLength(8);
  });

  test("the log's is gone when an intent is admitted: nothing is recorded, nothing runs, and a retry does", async () => {
    const { rig, log, disk } = await remoteRig();
    const { size } = rig.ledger;
    log.failing = 1;
    await expect(rig.pipeline.execute(write())).rejects.toMatchObject({ code: "EXO_SIGNER" });
    expect([rig.ledger.size, intentRecords(rig.store), rig.sandbox.starts]).toEqual([size, [], 0]);
    expect(endOf(await rig.pipeline.execute(write()))).toBe("executed");
    expect([rig.sandbox.starts, disk.done.length]).toEqual([1, 1]);
    checkStore(rig);
  });

  test("the log's is gone when a write is to be journaled: it is not done, and the bundle names no such event", async () => {
    const { rig, log, disk } = await remoteRig();
    log.sparing = 1;
    log.failing = 1;
    const before = ["intent_received", "policy_evaluated", "safety_evaluated", "verdict_resolved", "execution_started"];
    const result = await rig.pipeline.execute(write());
    expect(endOf(result)).toBe("failed EXO_HOST_FAULT");
    expect(disk.done.length).toBe(0);
    expect(eventTypes(rig, result.intentId)).toEqual([...before, "execution_failed"]);
    checkStore(rig);
  });

  test("the runtime's is gone when a denial is to be signed: nothing is recorded, and a retry is denied once", async () => {
    const { rig, runtime } = await remoteRig();
    const { size } = rig.ledger;
    runtime.failing = 1;
    const outside = draft("fs.read", "secret/x.csv", { idempotencyKey: "one" });
    await expect(rig.pipeline.execute(outside)).rejects.toMatchObject({ code: "EXO_SIGNER" });
    expect([rig.ledger.size, intentRecords(rig.store)]).toEqual([size, []]);
    const denied = await rig.pipeline.execute(outside);
    expect(denied.status).toBe("denied");
    expect(eventTypes(rig, denied.intentId).filter((type) => type === "intent_denied")).toHaveLength(1);
    checkStore(rig);
  });

  test.each(["runtime", "log"] as const)(
    "the %s's is gone when a run that wrote has ended: never run again, in doubt after a restart",
    async (role) => {
      const { rig, open, disk, ...signers } = await remoteRig();
      const signer = signers[role];
      // Admission and journal have their checkpoints; the outcome has not.
      signer.sparing = role === "log" ? 2 : 0;
      signer.failing = 1;
      await expect(rig.pipeline.execute(write())).rejects.toMatchObject({ code: "EXO_SIGNER" });
      expect(disk.done.length).toBe(1);
      const [record] = intentRecords(rig.store);
      const { intentId = "" } = record ?? {};
      expect(endOf(await rig.pipeline.execute(write()))).toBe("running");
      await expect(rig.pipeline.wait(intentId)).rejects.toMatchObject({ code: "EXO_SIGNER" });
      // The log goes on for others meanwhile.
      expect(endOf(await rig.pipeline.execute(write("b.csv")))).toBe("executed");
      const after = await open("restart");
      expect(after.inDoubt).toEqual([intentId]);
      expect(endOf(await after.pipeline.execute(write()))).toBe("in_doubt EXO_IN_DOUBT");
      expect([disk.done.length, after.sandbox.starts]).toEqual([2, 0]);
      checkStore(after);
    },
  );
});
