import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeHex } from "../../src/crypto/encoding.js";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { errorOf, jsonOf, NearShell, type Shell, statsIntent } from "./cli.js";
import { built, randomFrom } from "./support/built.js";
import { crashTemplate } from "./support/crash-home.js";
import { Crasher, checkKilled, KilledHome } from "./support/crash-rounds.js";
import { flipBits, offsetsOf, rootPageOffset } from "./support/lmdb-bytes.js";
import { mountShell } from "./support/mount.js";

const page = 4096;

/** Families of keys that an audit does not compare: admissions, budgets, reservations, standing orders, states of intents. */
const workingState = /^[afgiknsu]\//;

/** Keys whose value differs between two store files, or that only one has. */
async function changedKeys(before: Uint8Array, after: Uint8Array): Promise<string[]> {
  const [old, now] = [await entriesOf(before), await entriesOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].filter((key) => old.get(key) !== now.get(key)).sort();
}

async function entriesOf(bytes: Uint8Array): Promise<Map<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "exo-store-"));
  writeFileSync(join(folder, "data.mdb"), bytes);
  const store = await openLmdbStore(folder, { readOnly: true });
  try {
    return new Map([...store.range({ gte: " ", lt: "~" })].map(([key, value]) => [key, encodeHex(value)]));
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

describe("bits that flipped while the store was at rest", () => {
  let shell: Shell;
  let whole: Buffer;
  const file = (): string => shell.path(".exoarmur/data/data.mdb");
  /** Offsets of the root page's children, which are leaves. */
  const leaves: number[] = [];

  beforeAll(async () => {
    shell = new NearShell();
    expect((await shell.exo(["init"])).code).toBe(0);
    expect((await shell.run(statsIntent)).code).toBe(0);
    whole = readFileSync(file());
    const root = rootPageOffset(file());
    expect(whole.readUInt16LE(root + 18), "the root is a branch").toBe(1);
    for (let slot = 0; slot < whole.readUInt16LE(root + 20); slot += 2) {
      leaves.push(whole.readUInt32LE(root + 24 + whole.readUInt16LE(root + 24 + slot)) * page);
    }
  });
  afterAll(() => shell.remove());

  it.each<[string, () => number]>([
    ["a meta page", () => 24],
    ["a branch page", () => rootPageOffset(file()) + 18],
    [
      "a branch page's key",
      () => {
        const root = rootPageOffset(file());
        return root + 24 + whole.readUInt16LE(root + 26) + 8;
      },
    ],
    ["a leaf page's number", () => leaves[0] ?? 0],
    ["a leaf page's kind", () => (leaves[1] ?? 0) + 18],
    ["a leaf page's first slot", () => (leaves[2] ?? 0) + 25],
  ])("in %s: log check says EXO_STORE_DAMAGED", async (_name, offset) => {
    flipBits(file(), [offset()]);
    const checked = await shell.exo(["log", "check", "--json"]);
    writeFileSync(file(), whole);
    expect([checked.code, errorOf(checked)]).toEqual([1, "EXO_STORE_DAMAGED"]);
  });

  it("anywhere in the leaves: log check ends with a code and never passes evidence that changed", {
    timeout: 120_000,
  }, async () => {
    const random = randomFrom(4_242);
    for (let time = 0; time < 5; time++) {
      const leaf = leaves[Math.floor(random() * leaves.length)] ?? 0;
      const upper = 24 + whole.readUInt16LE(leaf + 22);
      const at = leaf + upper + Math.floor(random() * (page - upper));
      flipBits(file(), [at]);
      const flipped = readFileSync(file());
      const checked = await shell.exo(["log", "check", "--json"]);
      writeFileSync(file(), whole);
      if (checked.code === 0) {
        // The fill byte after an odd length is nobody's; working state is no evidence, and is not compared.
        const changed = await changedKeys(whole, flipped);
        expect(
          changed.filter((key) => !workingState.test(key)),
          `offset ${at}`,
        ).toEqual([]);
        continue;
      }
      expect(["fail", "EXO_STORE_DAMAGED"], `offset ${at}`).toContain(jsonOf(checked)["result"] ?? errorOf(checked));
      expect(checked.code).toBe(1);
    }
  });

  it("that comparison finds a changed value, an evidence's among them", async () => {
    const flipped = Buffer.from(whole);
    // At every place: pages that were replaced may hold copies that nobody reads.
    for (const at of offsetsOf(file(), '"table.stats"')) flipped[at + 1] = (flipped[at + 1] ?? 0) ^ 1;
    expect(await changedKeys(whole, flipped)).not.toEqual([]);
    expect(await changedKeys(whole, whole)).toEqual([]);
  });
});

describe("a file system that turns read-only under a running owner", () => {
  const mountable = process.platform === "linux" && process.getuid?.() === 0 && canMount();
  const traceable = spawnSync("strace", ["-f", "true"]).status === 0;
  if (!mountable) console.log("mounting takes root on Linux: a remount under a running owner is not tested");
  if (!traceable) console.log("strace is missing or may not trace here: a store that turns read-only is not tested");

  function canMount(): boolean {
    const probe = new NearShell();
    const mounted = mountShell(probe, 2 ** 20);
    mounted?.remove();
    probe.remove();
    return mounted !== undefined;
  }

  it.skipIf(!mountable)(
    "cannot be remounted while the store is open, and nobody is disturbed by the attempt",
    async () => {
      const template = await crashTemplate();
      const mounted = mountShell(template, 64 * 2 ** 20) ?? expect.fail("mounting was permitted before");
      try {
        const runtime = await built.createRuntime({ home: mounted.shell.path(".exoarmur") });
        expect(() => mounted.readOnly(true)).toThrow("could not be mounted again");
        const parameters = { path: "data/a.txt", text: "a" };
        expect((await runtime.execute({ actor: "me", action: "fs.write", parameters })).status).toBe("executed");
        await runtime.close();
      } finally {
        mounted.remove();
        template.remove();
      }
    },
  );

  it.skipIf(!traceable)(
    "a store whose writes end as EROFS takes no more, and every answer given stands",
    { timeout: 120_000 },
    async () => {
      const template = await crashTemplate();
      const killed = new KilledHome(new NearShell(template));
      try {
        const crasher = new Crasher(killed.home, "ro");
        await crasher.until((_lines, text) => text.split('"type":"told"').length > 6);
        const inject = ["-e", "trace=pwrite64,pwritev", "-e", "inject=pwrite64,pwritev:error=EROFS"];
        const tracer = spawn("strace", ["-f", "-q", "-o", "/dev/null", ...inject, "-p", String(crasher.pid)], {
          stdio: "ignore",
        });
        await crasher.until((_lines, text) => text.split('"type":"failed"').length > 9);
        const lines = await crasher.kill();
        await new Promise<void>((resolve) =>
          tracer.exitCode === null ? tracer.once("exit", () => resolve()) : resolve(),
        );
        const failures = lines.flatMap((line) => (line.type === "failed" ? [line] : []));
        expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["EXO_STORE"]));
        expect(failures.some(({ message }) => message.includes("Read-only file system"))).toBe(true);
        killed.remember(lines, ["EXO_STORE"]);
        await checkKilled(killed, [...killed.asked.keys()]);
      } finally {
        killed.shell.remove();
        template.remove();
      }
    },
  );
});
