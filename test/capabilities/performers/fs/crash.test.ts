import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeRoots } from "../../support.js";
import { bytes, endOf, performerOf, strategies } from "./support.js";

const built = new URL("../../../../dist/capabilities/performers/fs/files.js", import.meta.url).href;

/** Appends whole lines and gives the file new names for ever; says what is done once it is done. */
const worker = `
import { createFsPerformers } from ${JSON.stringify(built)};
const [path, from] = process.argv.slice(2);
const fs = createFsPerformers({ data: { path, access: "write" } });
const signal = new AbortController().signal;
const must = ({ outcome }) => { if (outcome !== "ok") throw new Error(outcome); };
for (let i = Number(from); ; i++) {
  const line = new TextEncoder().encode(String(i).padStart(6, "0") + "x".repeat(20_000) + "\\n");
  must(await fs.fs_append.perform({ path: "data/log", bytes: line }, {}, signal));
  must(await fs.fs_rename.perform({ path: "data/a" + i, to: "data/a" + (i + 1), mode: "create" }, {}, signal));
  process.stdout.write(i + "\\n");
}
`;

/** Runs the worker until it has done a few rounds, kills it with a delay, and gives the last round it said was done. */
async function killed(program: string, data: string, from: number, delay: number): Promise<number> {
  const child = spawn(process.execPath, [program, data, String(from)], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  const ended = new Promise<unknown>((resolve) => child.once("close", (_code, signal) => resolve(signal)));
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error("the worker ended by itself")));
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split("\n").length > 3) setTimeout(resolve, delay);
    });
  });
  child.kill("SIGKILL");
  expect(await ended).toBe("SIGKILL");
  return Number(said.trimEnd().split("\n").at(-1));
}

describe("a process that is killed", () => {
  it("leaves whole lines, all that were answered, and a name for the file", async () => {
    const { base, data } = makeRoots();
    const program = join(base, "worker.mjs");
    writeFileSync(program, worker);
    writeFileSync(join(data, "a0"), "content");
    let next = 0;
    for (const delay of [0, 1, 3, 5, 8]) {
      const done = await killed(program, data, next, delay);
      const lines = readFileSync(join(data, "log"), "utf8").split("\n");
      expect(lines.pop()).toBe("");
      expect(lines.every((line) => /^\d{6}x{20000}$/.test(line))).toBe(true);
      const last = Number(lines.at(-1)?.slice(0, 6));
      expect([done, done + 1]).toContain(last);
      // A crash between the two steps of a rename leaves both names; the next run goes on from the newer one.
      const names = readdirSync(data).filter((name) => /^a\d+$/.test(name));
      expect([1, 2]).toContain(names.length);
      for (const name of names) expect(readFileSync(join(data, name), "utf8")).toBe("content");
      next = Math.max(...names.map((name) => Number(name.slice(1))));
      expect([done + 1, done + 2]).toContain(next);
      for (const name of names) if (name !== `a${next}`) rmSync(join(data, name));
    }
  });
});

describe.each(strategies)("a run that ends during a change (%s)", (strategy) => {
  it("changes all or nothing, and says which", async () => {
    const ends = new Set<string>();
    for (let turns = 0; turns < 40; turns++) {
      const { data } = makeRoots();
      writeFileSync(join(data, "a"), "old");
      writeFileSync(join(data, "from"), "moved");
      const perform = performerOf({ data: { path: data, access: "write" } }, strategy);
      const over = new AbortController();
      const calls = [
        perform("fs_append", { path: "data/a", bytes: bytes("+") }, {}, over.signal),
        perform("fs_rename", { path: "data/from", to: "data/to", mode: "create" }, {}, over.signal),
        perform("fs_mkdir", { path: "data/dir" }, {}, over.signal),
      ];
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      over.abort();
      const [append, rename, mkdir] = (await Promise.all(calls)).map(endOf);
      const names = readdirSync(data);
      const late = "error EXO_TIMED_OUT";
      expect(readFileSync(join(data, "a"), "utf8")).toBe(append === late ? "old" : "old+");
      expect(names.includes("to")).toBe(rename !== late);
      expect(names.includes("from")).toBe(rename === late);
      expect(names.includes("dir")).toBe(mkdir !== late);
      expect(names.filter((name) => name.startsWith("."))).toEqual([]);
      for (const end of [append, rename, mkdir]) ends.add(end ?? "");
    }
    expect([...ends].filter((end) => end !== "ok")).toEqual(["error EXO_TIMED_OUT"]);
  });
});
