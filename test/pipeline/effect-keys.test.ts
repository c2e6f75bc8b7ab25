import { describe, expect, test } from "vitest";
import { guestError } from "../support/fake-sandbox.js";
import { checkStore, draft, endOf, fsPlugin, openRig, type Rig } from "../support/rig.js";
import { resolution } from "../support/sign.js";

const keyed = async (): Promise<Rig> => openRig({ plugins: [fsPlugin({ effectKey: ["/path"] })] });
const write = (rig: Rig, path = "data/a.csv", more = {}) => rig.pipeline.execute(draft("fs.write", path, more));
const held = "denied EXO_EFFECT_KEY_HELD";

describe("effect keys", () => {
  test("held while in flight", async () => {
    const rig = await keyed();
    let release = (): void => undefined;
    rig.disk.onWrite = () => new Promise((resolve) => (release = () => resolve("error")));
    const first = write(rig);
    while (rig.sandbox.starts === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = await write(rig);
    expect(endOf(second)).toBe(held);
    if (second.status === "denied") expect(second.reason.message).toMatch(/in_flight/);
    release();
    expect(endOf(await first)).toBe("failed EXO_GUEST_ERROR");
    // The write was certainly not performed, so the key is free again.
    rig.disk.onWrite = null;
    expect(endOf(await write(rig))).toBe("executed");
    checkStore(rig);
  });

  test("two in one group: one starts", async () => {
    const rig = await keyed();
    const ends = (await Promise.all([write(rig), write(rig)])).map(endOf);
    expect(ends.sort()).toEqual([held, "executed"].sort());
    expect(rig.disk.done).toEqual(["fs_write data/a.csv"]);
  });

  test("held once committed, across tenants' own keys and for this parameter alone", async () => {
    const rig = await openRig({
      plugins: [fsPlugin({ effectKey: ["/path"] })],
      rules: [{ id: "all", match: { action: "fs.write" }, verdict: "allow" }],
    });
    expect(endOf(await write(rig))).toBe("executed");
    expect(endOf(await write(rig))).toBe(held);
    expect(endOf(await write(rig, "data/a.csv", { parameters: { text: "another content" } }))).toBe(held);
    expect(endOf(await write(rig, "data/b.csv"))).toBe("executed");
    expect(endOf(await write(rig, "data/a.csv", { tenantId: "other" }))).toBe("executed");
  });

  test("held by a failed guest that had written", async () => {
    const rig = await keyed();
    rig.sandbox.scripts["write"] = async (guest) => {
      await guest.call("fs_write", { path: "data/a.csv", bytes: new Uint8Array(1), mode: "create" });
      throw guestError("after the write");
    };
    const failed = await write(rig);
    expect(endOf(failed)).toBe("failed EXO_GUEST_ERROR");
    if (failed.status === "failed") expect(failed.reason.retrySafe).toBe(false);
    expect(endOf(await write(rig))).toBe(held);
    checkStore(rig);
  });

  test("free after a guest that failed before it wrote, and after one that wrote nothing", async () => {
    const rig = await keyed();
    rig.sandbox.scripts["write"] = () => Promise.reject(guestError("before the write"));
    const failed = await write(rig);
    if (failed.status === "failed") expect(failed.reason.retrySafe).toBe(true);
    rig.sandbox.scripts["write"] = () => Promise.resolve({ nothing: true });
    expect(endOf(await write(rig))).toBe("executed");
    expect(endOf(await write(rig))).toBe("executed");
  });

  test.each([
    ["unknown", held],
    ["committed", held],
    ["not_executed", "executed"],
  ] as const)("in doubt holds; resolved as %s: %s", async (outcome, then) => {
    const rig = await keyed();
    rig.disk.onWrite = () => Promise.resolve("unknown");
    const doubt = await write(rig);
    expect(endOf(doubt)).toBe("in_doubt EXO_IN_DOUBT");
    rig.disk.onWrite = null;
    expect(endOf(await write(rig))).toBe(held);
    await rig.pipeline.resolve(await resolution(doubt.intentId, outcome));
    expect(endOf(await write(rig))).toBe(then);
    checkStore(rig);
  });

  test("a key whose parameter is missing is a denial, before anything starts", async () => {
    const rig = await openRig({ plugins: [fsPlugin({ effectKey: ["/path", "/ticket"] })] });
    expect(endOf(await write(rig))).toBe("denied EXO_PARAMETERS");
    expect(rig.sandbox.starts).toBe(0);
    expect(endOf(await write(rig, "data/a.csv", { parameters: { ticket: null } }))).toBe("executed");
    expect(endOf(await write(rig, "data/a.csv", { parameters: { ticket: "null" } }))).toBe("executed");
    checkStore(rig);
  });

  test("a denied intent takes no key", async () => {
    const rig = await keyed();
    rig.governor.killFile = true;
    expect(endOf(await write(rig))).toBe("denied EXO_KILL_SWITCH");
    rig.governor.killFile = false;
    expect(endOf(await write(rig))).toBe("executed");
  });
});
