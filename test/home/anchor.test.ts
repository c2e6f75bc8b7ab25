import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemEntropy } from "../../src/crypto/random.js";
import { signerFromSeed } from "../../src/crypto/signer.js";
import { createAnchorWriter, readAnchor, type Timers } from "../../src/home/anchor.js";
import { type HomePaths, homePaths } from "../../src/home/paths.js";
import { signCheckpoint } from "../../src/log/checkpoint.js";
import { faultOf, freshFolder } from "./support.js";

const signer = signerFromSeed(systemEntropy.bytes(32));
const note = (size: number): Promise<string> =>
  signCheckpoint({ origin: "exoarmur/local/test", size, root: new Uint8Array(32) }, signer);

let paths: HomePaths;

beforeEach(() => {
  paths = homePaths(join(freshFolder(), "h"));
  mkdirSync(paths.home);
});

/** Timers that fire by hand. */
function manualTimers(): Timers & { fire(): void; readonly set: Timers["set"]; delays: number[] } {
  let waiting: (() => void) | undefined;
  const delays: number[] = [];
  return {
    delays,
    set(run, ms) {
      delays.push(ms);
      waiting = run;
      return 1;
    },
    clear: () => {
      waiting = undefined;
    },
    fire: () => waiting?.(),
  };
}

describe("anchor", () => {
  it("is absent in a new home", () => {
    expect(readAnchor(paths)).toBeUndefined();
  });

  it("holds the newest checkpoint after a flush", async () => {
    const writer = createAnchorWriter(paths);
    writer.offer(await note(1));
    writer.offer(await note(3));
    writer.offer(await note(2));
    await writer.flush();
    expect(readAnchor(paths)).toBe(await note(3));
    expect(readdirSync(paths.home)).toEqual(["anchor"]);
  });

  it("writes once in an interval", async () => {
    const timers = manualTimers();
    const writer = createAnchorWriter(paths, { timers });
    writer.offer(await note(1));
    writer.offer(await note(2));
    expect(timers.delays).toEqual([250]);
    expect(readAnchor(paths)).toBeUndefined();
    timers.fire();
    await writer.flush();
    expect(readAnchor(paths)).toBe(await note(2));
    writer.offer(await note(3));
    expect(timers.delays).toEqual([250, 250]);
  });

  it("writes by itself", async () => {
    const writer = createAnchorWriter(paths, { intervalMs: 1 });
    writer.offer(await note(1));
    for (let i = 0; i < 200 && readAnchor(paths) === undefined; i++) await new Promise((next) => setTimeout(next, 5));
    expect(readAnchor(paths)).toBe(await note(1));
  });

  it("never goes back, not even after a restart", async () => {
    const first = createAnchorWriter(paths);
    first.offer(await note(9));
    await first.flush();
    const second = createAnchorWriter(paths);
    second.offer(await note(8));
    await second.flush();
    expect(readAnchor(paths)).toBe(await note(9));
    second.offer(await note(10));
    await second.flush();
    expect(readAnchor(paths)).toBe(await note(10));
  });

  it("never goes back under many flushes at once", async () => {
    const writer = createAnchorWriter(paths);
    const flushes: Promise<void>[] = [];
    for (let size = 1; size <= 50; size++) {
      writer.offer(await note(size));
      flushes.push(writer.flush());
    }
    await Promise.all(flushes);
    expect(readAnchor(paths)).toBe(await note(50));
  });

  it("tells at the flush that a write failed, and writes when it can again", async () => {
    const writer = createAnchorWriter(paths);
    rmSync(paths.home, { recursive: true });
    writer.offer(await note(1));
    const fault = await faultOf(() => writer.flush());
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${paths.anchor} could not be written: ENOENT`]);
    mkdirSync(paths.home);
    await writer.flush();
    expect(readAnchor(paths)).toBe(await note(1));
  });

  it("does not end the process when a timed write fails", async () => {
    const timers = manualTimers();
    const writer = createAnchorWriter(paths, { timers });
    rmSync(paths.home, { recursive: true });
    writer.offer(await note(1));
    timers.fire();
    await expect(writer.flush()).rejects.toThrow("ENOENT");
  });

  it.each(["", "exoarmur/local/test\n5\n", "x"])("refuses the anchor file %j", async (text) => {
    writeFileSync(paths.anchor, text);
    expect((await faultOf(() => readAnchor(paths))).code).toBe("EXO_HOME_DAMAGED");
    expect((await faultOf(() => createAnchorWriter(paths))).code).toBe("EXO_HOME_DAMAGED");
  });

  it("refuses to note what is no checkpoint", async () => {
    const writer = createAnchorWriter(paths);
    expect((await faultOf(() => writer.offer("x"))).code).toBe("EXO_HOME_DAMAGED");
  });

  it("passes over half-written files", async () => {
    writeFileSync(join(paths.home, ".anchor.1-1.tmp"), "half");
    const writer = createAnchorWriter(paths);
    writer.offer(await note(1));
    await writer.flush();
    expect(readFileSync(paths.anchor, "utf8")).toBe(await note(1));
  });
});
