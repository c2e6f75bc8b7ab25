import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemEntropy } from "../../src/crypto/random.js";
import { describeHolder, isLive, readHolder } from "../../src/home/owner-holder.js";
import { acquireOwner, isOwned, readOwner } from "../../src/home/owner-lock.js";
import { type HomePaths, homePaths } from "../../src/home/paths.js";
import { faultOf, freshFolder } from "./support.js";

const clock = { now: () => Date.now() };
const ports = { pid: process.pid, clock, entropy: systemEntropy };

let paths: HomePaths;

beforeEach(() => {
  paths = homePaths(join(freshFolder(), "h"));
  mkdirSync(paths.home);
});

/** A process that has ended. */
const deadPid = spawnSync(process.execPath, ["-e", ""]).pid;
const put = (change: object = {}): void => {
  const holder = { ...describeHolder(process.pid, "a".repeat(32)), ...change };
  writeFileSync(paths.ownerLock, JSON.stringify(holder));
};
const silence = (seconds: number): void => {
  const at = Date.now() / 1000 - seconds;
  utimesSync(paths.ownerLock, at, at);
};

describe("acquireOwner", () => {
  it("owns the home until release, and leaves nothing behind", async () => {
    expect(isOwned(paths, clock)).toBe(false);
    const lock = await acquireOwner(paths, ports);
    expect(readOwner(paths, clock)).toEqual({ pid: process.pid });
    expect(readdirSync(paths.home)).toEqual(["owner.lock"]);
    await lock.release();
    await lock.release();
    expect(readdirSync(paths.home)).toEqual([]);
    await (await acquireOwner(paths, ports)).release();
  });

  it("refuses a second owner and names the first", async () => {
    const lock = await acquireOwner(paths, ports);
    const fault = await faultOf(() => acquireOwner(paths, ports));
    expect(fault.code).toBe("EXO_HOME_LOCKED");
    expect(fault.message).toBe(`${paths.home} is owned by process ${process.pid}`);
    expect(readdirSync(paths.home)).toEqual(["owner.lock"]);
    await lock.release();
  });

  it("refuses while another process lives, and takes over when it was killed", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const pid = child.pid ?? 0;
    put(describeHolder(pid, "b".repeat(32)));
    const fault = await faultOf(() => acquireOwner(paths, ports));
    expect(fault.message).toBe(`${paths.home} is owned by process ${pid}`);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    const lock = await acquireOwner(paths, ports);
    expect(readOwner(paths, clock)).toEqual({ pid: process.pid });
    await lock.release();
  });

  it.each<[string, () => void]>([
    ["whose process has ended", () => put({ pid: deadPid })],
    ["whose pid is now another process", () => put({ startTime: "1" })],
    ["from another machine, silent for long", () => [put({ place: "elsewhere" }), silence(21)]],
    ["that is empty and old", () => [writeFileSync(paths.ownerLock, ""), silence(21)]],
    ["that nobody wrote, and old", () => [put({ token: "../../x" }), silence(21)]],
    ["whose heartbeat lies in the future", () => [put({ place: "elsewhere" }), silence(-60)]],
  ])("takes over a lock %s", async (_, make) => {
    make();
    expect(isOwned(paths, clock)).toBe(false);
    const lock = await acquireOwner(paths, ports);
    expect(readHolder(paths.ownerLock)?.pid).toBe(process.pid);
    expect(readdirSync(paths.home)).toEqual(["owner.lock"]);
    await lock.release();
    expect(readdirSync(paths.home)).toEqual([]);
  });

  it.each<[string, () => void, RegExp]>([
    ["from another machine, lately touched", () => [put({ place: "elsewhere", pid: 4 }), silence(15)], /by process 4$/],
    ["that is empty and new", () => writeFileSync(paths.ownerLock, ""), /by a process that its lock does not name$/],
    ["of pid 1, which is not ours to signal", () => put({ pid: 1, startTime: null }), /by process 1$/],
  ])("respects a lock %s", async (_, make, message) => {
    make();
    const before = readFileSync(paths.ownerLock, "utf8");
    const fault = await faultOf(() => acquireOwner(paths, ports));
    expect(fault.code).toBe("EXO_HOME_LOCKED");
    expect(fault.message).toMatch(message);
    expect(readFileSync(paths.ownerLock, "utf8")).toBe(before);
  });

  it("takes over from a taker that died in the middle of taking over", async () => {
    const token = "c".repeat(32);
    put({ pid: deadPid, token });
    const claim = `${paths.ownerLock}.${token}`;
    writeFileSync(claim, JSON.stringify({ ...describeHolder(process.pid, "d".repeat(32)), pid: deadPid }));
    writeFileSync(`${claim}.${"d".repeat(32)}`, JSON.stringify({ ...describeHolder(1, "e".repeat(32)), pid: deadPid }));
    const lock = await acquireOwner(paths, ports);
    expect(readdirSync(paths.home)).toEqual(["owner.lock"]);
    await lock.release();
  });

  it("clears away what dead takers left, and nothing of the living", async () => {
    const leave = (name: string, pid: number): void => {
      const holder = { ...describeHolder(process.pid, "d".repeat(32)), pid };
      writeFileSync(join(paths.home, name), JSON.stringify(holder));
    };
    for (const name of ["owner.lock.new-1", "owner.lock.new-1-over", `owner.lock.${"c".repeat(32)}`])
      leave(name, deadPid);
    leave("owner.lock.new-2", process.pid);
    mkdirSync(join(paths.home, "owner.lock.zzz"));
    const lock = await acquireOwner(paths, ports);
    expect(readdirSync(paths.home)).toEqual(["owner.lock", "owner.lock.new-2", "owner.lock.zzz"]);
    await lock.release();
  });

  it("waits for a live taker and then respects it", async () => {
    const token = "c".repeat(32);
    put({ pid: deadPid, token });
    const claim = `${paths.ownerLock}.${token}`;
    writeFileSync(claim, JSON.stringify(describeHolder(process.pid, "d".repeat(32))));
    const taking = faultOf(() => acquireOwner(paths, ports));
    setTimeout(() => {
      put({ token: "f".repeat(32) });
      rmSync(claim);
    }, 50);
    expect((await taking).code).toBe("EXO_HOME_LOCKED");
    expect(readHolder(paths.ownerLock)?.token).toBe("f".repeat(32));
  });

  it("removes no lock but its own", async () => {
    const lock = await acquireOwner(paths, ports);
    put({ token: "9".repeat(32) });
    await lock.release();
    expect(readHolder(paths.ownerLock)?.token).toBe("9".repeat(32));
  });

  it("says when the folder cannot be written to", async () => {
    rmSync(paths.home, { recursive: true });
    const fault = await faultOf(() => acquireOwner(paths, ports));
    expect([fault.code, fault.message]).toEqual(["EXO_FILE", `${paths.ownerLock} could not be written: ENOENT`]);
  });

  it("lets one of many in one process win", async () => {
    put({ pid: deadPid });
    const ends = await Promise.allSettled(Array.from({ length: 20 }, () => acquireOwner(paths, ports)));
    expect(ends.filter(({ status }) => status === "fulfilled").length).toBe(1);
    expect(existsSync(paths.ownerLock)).toBe(true);
  });
});

describe("isLive", () => {
  it("tells a process by its start time", () => {
    const self = { ...describeHolder(process.pid, "a".repeat(32)), touched: 0 };
    expect(isLive(self, clock)).toBe(true);
    expect(isLive({ ...self, startTime: null }, clock)).toBe(true);
    expect(isLive({ ...self, startTime: `${self.startTime}1` }, clock)).toBe(false);
  });

  it("names the process namespace where the system tells it", () => {
    const { place } = describeHolder(process.pid, "");
    expect(place.endsWith(process.platform === "linux" ? `/${readlinkSync("/proc/self/ns/pid")}` : "")).toBe(true);
  });

  it("writes the lock for everybody to read", async () => {
    const lock = await acquireOwner(paths, ports);
    expect(statSync(paths.ownerLock).mode & 0o444).toBe(0o444);
    expect(Object.keys(JSON.parse(readFileSync(paths.ownerLock, "utf8")) as object)).toEqual([
      "pid",
      "startTime",
      "place",
      "token",
    ]);
    await lock.release();
  });
});
