import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeHolder, readHolder } from "../../src/home/owner-holder.js";
import { homePaths } from "../../src/home/paths.js";
import { freshFolder } from "../home/support.js";

const dist = new URL("../../dist/", import.meta.url).href;

/** Takes the lock of the home it is told, in processes of their own, from the built code. */
const taker = `
import { acquireOwner } from "${dist}home/owner-lock.js";
import { homePaths } from "${dist}home/paths.js";
import { systemEntropy } from "${dist}crypto/random.js";
const ports = { pid: process.pid, clock: { now: () => Date.now() }, entropy: systemEntropy };
process.on("message", async ({ dir, at }) => {
  while (Date.now() < at);
  try {
    await acquireOwner(homePaths(dir), ports);
    process.send("owner");
  } catch (error) {
    process.send(error.code);
  }
});
process.send("ready");
`;

async function startTaker(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", taker], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  expect((await once(child, "message"))[0]).toBe("ready");
  return child;
}

const deadPid = spawnSync(process.execPath, ["-e", ""]).pid;

describe("races for a home", () => {
  it("lets exactly one of several processes take over a dead owner's lock, every time", async () => {
    const takers = await Promise.all([startTaker(), startTaker(), startTaker()]);
    try {
      for (let round = 0; round < 40; round++) {
        const paths = homePaths(join(freshFolder(), "h"));
        mkdirSync(paths.home);
        if (round % 4 !== 0) {
          const stale = { ...describeHolder(process.pid, "a".repeat(32)), pid: deadPid };
          writeFileSync(paths.ownerLock, JSON.stringify(stale));
        }
        const at = Date.now() + 5;
        const ends = takers.map((child) => once(child, "message"));
        for (const child of takers) child.send({ dir: paths.home, at });
        const words = (await Promise.all(ends)).map(([word]) => word as string);
        expect(words.sort()).toEqual(["EXO_HOME_LOCKED", "EXO_HOME_LOCKED", "owner"]);
        expect(takers.map(({ pid }) => pid)).toContain(readHolder(paths.ownerLock)?.pid);
        expect(readdirSync(paths.home)).toEqual(["owner.lock"]);
      }
    } finally {
      for (const child of takers) child.kill("SIGKILL");
    }
  });

  it("gives the home to the next one when its owner is killed", async () => {
    const paths = homePaths(join(freshFolder(), "h"));
    mkdirSync(paths.home);
    for (let round = 0; round < 3; round++) {
      const child = await startTaker();
      const end = once(child, "message");
      child.send({ dir: paths.home, at: 0 });
      expect((await end)[0]).toBe("owner");
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
  });
});
