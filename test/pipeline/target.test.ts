import { describe, expect, test } from "vitest";
import type { PolicyRule } from "../../src/contracts/policy.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { checkStore, draft, endOf, fsPlugin, openRig, type Rig, requestOf } from "../support/rig.js";
import { grant } from "../support/sign.js";
import { keys } from "../support/world.js";

const anything: readonly PolicyRule[] = [{ id: "all", match: {}, verdict: "allow" }];

describe("target", () => {
  test.each([
    ["another target than the executor acts on", { target: "data/harmless.csv" }, "EXO_TARGET_MISMATCH"],
    ["a target that only looks the same", { target: "data/orders.csv " }, "EXO_TARGET_MISMATCH"],
    ["a normalised spelling of it", { target: "data//orders.csv" }, "EXO_TARGET_MISMATCH"],
    ["no value at the pointer", { parameters: { path: null } }, "EXO_PARAMETERS"],
    ["an empty value", { parameters: { path: "" } }, "EXO_PARAMETERS"],
    ["a number", { parameters: { path: 7 } }, "EXO_PARAMETERS"],
    ["a list", { parameters: { path: ["data/orders.csv"] } }, "EXO_PARAMETERS"],
    ["a longer one than an intent can hold", { parameters: { path: `data/${"x".repeat(5000)}` } }, "EXO_PARAMETERS"],
  ])("%s: denied, before policy", async (_name, more, code) => {
    const rig = await openRig({ rules: anything });
    const denied = await rig.pipeline.execute(draft("fs.remove", "data/orders.csv", more));
    expect(endOf(denied)).toBe(`denied ${code}`);
    expect(denied.decision).toBeNull();
    expect(rig.sandbox.starts).toBe(0);
    checkStore(rig);
  });

  test("a mismatch of long targets makes a record that verifies", async () => {
    const rig = await openRig();
    const path = `data/${"x".repeat(4000)}`;
    expect(endOf(await rig.pipeline.execute(draft("fs.read", path, { target: `${path}y` })))).toBe(
      "denied EXO_TARGET_MISMATCH",
    );
    checkStore(rig);
  });

  test("a long target does not keep a runtime from opening again", async () => {
    const store = createMemoryStore();
    const rig = await openRig({ store });
    for (const length of [4091, 4092]) await rig.pipeline.execute(draft("fs.remove", `data/${"x".repeat(length)}`));
    const again = await openRig({ store, seed: "second" });
    expect(
      checkStore(again)
        .map((record) => record.state)
        .sort(),
    ).toEqual(["denied", "pending"]);
  });

  test("a function without a target refuses a stated one", async () => {
    const base = fsPlugin();
    const functions = [{ name: "read", action: "calc.run", effects: "none" as const }];
    const rig = await openRig({ plugins: [{ ...base, manifest: { ...base.manifest, functions } }], rules: anything });
    rig.sandbox.scripts["read"] = () => Promise.resolve({});
    expect(endOf(await rig.pipeline.execute(draft("calc.run", "x")))).toBe("executed");
    expect(endOf(await rig.pipeline.execute(draft("calc.run", "x", { target: "x" })))).toBe(
      "denied EXO_TARGET_MISMATCH",
    );
    checkStore(rig);
  });

  test.each([
    "data/../secret/x",
    "/data/x",
    "data\\x",
    "data//x",
    "./data/x",
    "DATA/x",
    "data",
    "data\u0000/x",
    "secret/data/x",
  ])("policy judges what the executor gets: %j is not under data", async (path) => {
    const rig = await openRig();
    const result = await rig.pipeline.execute(draft("fs.read", path));
    expect(["data"].includes(path) ? ["denied", "failed"] : ["denied"]).toContain(result.status);
    expect(rig.disk.done).toEqual([]);
    checkStore(rig);
  });
});

describe("grants of a run", () => {
  const removing = async (
    script: (path: string) => readonly string[],
  ): Promise<{ rig: Rig; end: string; answers: unknown[] }> => {
    const rig = await openRig();
    const answers: unknown[] = [];
    rig.sandbox.scripts["remove"] = async (guest) => {
      for (const path of script(guest.parameters["path"] ?? ""))
        answers.push((await guest.call("fs_remove", { path })).error?.code ?? "ok");
      return {};
    };
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const end = endOf(await rig.pipeline.decide(await grant(request, "alice", keys.alice)));
    checkStore(rig);
    return { rig, end, answers };
  };

  test("an approval of one file reaches that file and no other in the same root", async () => {
    const { rig, answers } = await removing((path) => [
      "data/people.csv",
      "data/orders.csv.bak",
      "data",
      "data/../data/people.csv",
      path,
    ]);
    expect(answers).toEqual([
      "EXO_CAPABILITY_DENIED",
      "EXO_CAPABILITY_DENIED",
      "EXO_CAPABILITY_DENIED",
      "EXO_FS_PATH",
      "ok",
    ]);
    expect(rig.disk.done).toEqual(["fs_remove data/orders.csv"]);
  });

  test("what it was shown names that file alone", async () => {
    const rig = await openRig();
    const request = requestOf(await rig.pipeline.execute(draft("fs.remove", "data/orders.csv")));
    const { readPreview } = await import("../../src/pipeline/present.js");
    const preview = readPreview(rig.store, request);
    expect(preview.target).toBe("data/orders.csv");
    expect(preview.grants.capabilities.find((one) => one.name === "fs_remove")?.constraints).toEqual({
      roots: ["data"],
      paths: ["data/orders.csv"],
    });
  });

  test.each([
    ["fs.read", "read", "fs_write", { path: "data/x", bytes: new Uint8Array(1), mode: "create" }],
    ["fs.read", "read", "fs_remove", { path: "data/orders.csv" }],
  ])("%s declares effects read and cannot use %s's %s", async (action, fn, capability, request) => {
    const rig = await openRig();
    let code: string | undefined;
    rig.sandbox.scripts[fn] = async (guest) => {
      code = (await guest.call(capability, request)).error?.code;
      return {};
    };
    expect(endOf(await rig.pipeline.execute(draft(action, "data/orders.csv")))).toBe("executed");
    expect(code).toBe("EXO_CAPABILITY_DENIED");
    expect(rig.disk.done).toEqual([]);
    checkStore(rig);
  });

  test("effects none reads nothing; a capability nobody granted is denied; log always works", async () => {
    const base = fsPlugin();
    const manifest = {
      ...base.manifest,
      functions: [{ name: "read", action: "calc.run", effects: "none" as const }],
      capabilities: [{ name: "fs_read" as const }, { name: "clock_now" as const }],
    };
    const rig = await openRig({
      plugins: [{ ...base, manifest }],
      rules: anything,
      performers: { log: { perform: () => ({ outcome: "ok", value: {} }) } },
    });
    const codes: unknown[] = [];
    rig.sandbox.scripts["read"] = async (guest) => {
      for (const [name, request] of [
        ["fs_read", { path: "data/orders.csv" }],
        ["clock_now", {}],
        ["log", { level: "info", message: "x" }],
      ] as const) {
        codes.push((await guest.call(name, request)).error?.code ?? "ok");
      }
      return {};
    };
    expect(endOf(await rig.pipeline.execute(draft("calc.run", "x")))).toBe("executed");
    expect(codes).toEqual(["EXO_CAPABILITY_DENIED", "EXO_CAPABILITY_DENIED", "ok"]);
    checkStore(rig);
  });

  test("a failed guest whose call was denied ends capability_denied", async () => {
    const rig = await openRig();
    rig.sandbox.scripts["read"] = async (guest) => {
      const { error } = await guest.call("fs_write", { path: "data/x", bytes: new Uint8Array(1), mode: "create" });
      throw Object.assign(new Error("x"), { error });
    };
    const { Ends } = await import("../support/fake-sandbox.js");
    rig.sandbox.scripts["read"] = async (guest) => {
      await guest.call("fs_write", { path: "data/x", bytes: new Uint8Array(1), mode: "create" });
      throw new Ends({ status: "guest_error", error: { code: "EXO_GUEST_ERROR", message: "could not write" } });
    };
    const failed = await rig.pipeline.execute(draft("fs.read", "data/orders.csv"));
    expect(failed).toMatchObject({
      status: "failed",
      reason: { code: "EXO_CAPABILITY_DENIED", message: "could not write", retrySafe: true },
      execution: { status: "capability_denied", transcript: { size: 1 } },
      // The guest's words say nothing of it; the record of the run does.
      advice: {
        missing: {
          capability: "fs_write",
          message:
            'fs_write is not granted; its manifest must list it and config.json must grant it: "grants": {"fs":{"fs_write":{"roots":["data"]}}}',
        },
      },
    });
    if (failed.status !== "failed") throw new Error("unreachable");
    expect(failed.advice.nextSteps.map(({ step }) => step)).toEqual(["ask_less", "grant"]);
    const shown = rig.pipeline.status(failed.intentId);
    expect(shown.status === "failed" && shown.advice).toEqual(failed.advice);
    const recorded = rig.pipeline.trace(failed.intentId).at(-1)?.payload["reason"];
    expect(Object.keys(recorded as object).sort()).toEqual([
      "approvalCouldHelp",
      "code",
      "message",
      "retrySafe",
      "ruleIds",
    ]);
    checkStore(rig);
  });
});
