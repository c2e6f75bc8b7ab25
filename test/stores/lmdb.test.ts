import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openLmdbStore } from "../../src/stores/lmdb.js";
import { CompiledStore } from "./compiled.js";
import { describeStore } from "./contract.js";

let folder = "";
const fresh = (): string => {
  folder = mkdtempSync(join(tmpdir(), "exo-lmdb-"));
  return folder;
};
const remove = (): void => rmSync(folder, { recursive: true, force: true });
const ALL = { gte: " ", lt: "~" } as const;

describeStore({ name: "lmdb", open: () => openLmdbStore(fresh()), cleanup: async () => remove() });

describe("an LMDB store on disk", () => {
  beforeEach(() => void fresh());
  afterEach(remove);

  it("keeps data and epoch over a close", async () => {
    const path = join(folder, "made/on/the/way");
    const first = await openLmdbStore(path);
    await first.commit([{ key: "a", value: Uint8Array.of(1) }], await first.acquire());
    await first.close();
    const second = await openLmdbStore(path);
    expect(second.get("a")).toEqual(Uint8Array.of(1));
    expect(await second.acquire()).toBe(2);
    await second.close();
  });

  it("grows beyond the address space it was opened with", async () => {
    const store = await openLmdbStore(folder, { mapSize: 1_048_576 });
    const epoch = await store.acquire();
    for (let at = 0; at < 8; at += 1)
      await store.commit([{ key: `k/${at}`, value: new Uint8Array(500_000).fill(at) }], epoch);
    expect([...store.range(ALL)].map(([, value]) => value[499_999])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await store.close();
  });

  it("has nothing of a commit that fails half-way, and takes no more", async () => {
    const store = await openLmdbStore(folder);
    const epoch = await store.acquire();
    const broken = {
      key: "b",
      get value(): Uint8Array {
        throw new Error("half-way");
      },
    };
    await expect(store.commit([{ key: "a", value: Uint8Array.of(1) }, broken], epoch)).rejects.toMatchObject({
      code: "EXO_STORE",
      message: "The store could not be written: half-way",
    });
    expect(store.get("a")).toBeUndefined();
    await expect(store.commit([{ key: "a", value: Uint8Array.of(1) }], epoch)).rejects.toMatchObject({
      code: "EXO_STORE",
    });
    await expect(store.acquire()).rejects.toMatchObject({ code: "EXO_STORE" });
    await store.close();
  });

  it("is not made by opening it for reading", async () => {
    await expect(openLmdbStore(join(folder, "absent"), { readOnly: true })).rejects.toMatchObject({
      code: "EXO_STORE",
      message: expect.stringContaining("does not exist"),
    });
    writeFileSync(join(folder, "file"), "x");
    await expect(openLmdbStore(join(folder, "file"))).rejects.toMatchObject({ code: "EXO_STORE" });
  });

  it("writes nothing when open for reading", async () => {
    const owner = await openLmdbStore(folder);
    await owner.commit([{ key: "a", value: Uint8Array.of(1) }], await owner.acquire());
    await owner.close();
    const reader = await openLmdbStore(folder, { readOnly: true });
    expect(reader.get("a")).toEqual(Uint8Array.of(1));
    await expect(reader.acquire()).rejects.toMatchObject({ code: "EXO_STORE" });
    await expect(reader.commit([{ key: "a", value: null }], 1)).rejects.toMatchObject({ code: "EXO_STORE" });
    await reader.close();
  });
});

describe("a damaged LMDB file", () => {
  const file = (): string => join(folder, "data.mdb");
  const damaged = { code: "EXO_STORE_DAMAGED" };

  beforeEach(async () => {
    const store = await openLmdbStore(fresh());
    const epoch = await store.acquire();
    const changes = Array.from({ length: 3_000 }, (_, at) => ({ key: `k/${at}`, value: new Uint8Array(100).fill(at) }));
    await store.commit(changes, epoch);
    await store.commit([{ key: "last", value: Uint8Array.of(1) }], epoch);
    await store.close();
  });
  afterEach(remove);

  const overwrite = (at: number, bytes: Uint8Array): void => {
    const fd = openSync(file(), "r+");
    writeSync(fd, bytes, 0, bytes.length, at);
    closeSync(fd);
  };
  const pageSize = (): number => readFileSync(file()).readUInt32LE(48);
  /** Root page of the main tree by the newer meta page. */
  const rootPage = (): number => {
    const all = readFileSync(file());
    const newer = all.readBigUInt64LE(152) > all.readBigUInt64LE(pageSize() + 152) ? 0 : pageSize();
    return Number(all.readBigUInt64LE(newer + 96 + 40));
  };

  it("is whole before it is damaged", async () => {
    const store = await openLmdbStore(folder);
    expect([...store.range(ALL)].length).toBe(3_001);
    await store.close();
  });

  it.each([1, 24, 100, 167, 168, 4_095, 4_096, 4_200, 8_191])("is refused when cut to %d bytes", async (length) => {
    truncateSync(file(), length);
    await expect(openLmdbStore(folder)).rejects.toMatchObject(damaged);
    await expect(openLmdbStore(folder, { readOnly: true })).rejects.toMatchObject(damaged);
  });

  it("is refused when its tail is cut, by pages or by one byte", async () => {
    const whole = readFileSync(file());
    for (const length of [
      2 * pageSize(),
      3 * pageSize(),
      whole.length / 2,
      rootPage() * pageSize(),
      (rootPage() + 1) * pageSize() - 1,
    ]) {
      writeFileSync(file(), whole.subarray(0, length));
      await expect(openLmdbStore(folder), `cut to ${length}`).rejects.toMatchObject(damaged);
    }
  });

  it.each([
    ["a text", Buffer.from("this is no database\n".repeat(2_000))],
    ["zeros", Buffer.alloc(65_536)],
    ["ones", Buffer.alloc(65_536, 255)],
  ])("is refused when it is %s", async (_, content) => {
    writeFileSync(file(), content);
    await expect(openLmdbStore(folder)).rejects.toMatchObject(damaged);
  });

  const fields: [string, number, number[]][] = [
    ["page number", 0, [9]],
    ["page kind", 18, [2]],
    ["magic", 24, [0]],
    ["version", 28, [9]],
    ["page size", 48, [1, 0, 0, 0]],
    ["page size (another power of two)", 48, [0, 32, 0, 0]],
  ];
  it.each(fields)("is refused when a meta page's %s is another", async (_, at, bytes) => {
    const whole = readFileSync(file());
    for (const page of [0, pageSize()]) {
      writeFileSync(file(), whole);
      overwrite(page + at, Uint8Array.from(bytes));
      await expect(openLmdbStore(folder)).rejects.toMatchObject(damaged);
    }
  });

  it("is refused when a root points outside or its page is garbled", async () => {
    const whole = readFileSync(file());
    const root = rootPage() * pageSize();
    const spoil: [number, Uint8Array][] = [
      [root, new Uint8Array(pageSize())],
      [root, new Uint8Array(pageSize()).fill(255)],
      [root + 18, Uint8Array.of(2)],
      [root + 20, Uint8Array.of(255, 255)],
      [root + 24, Uint8Array.of(255, 255)],
    ];
    for (const field of [96 + 6, 96 + 40])
      spoil.push([field, Uint8Array.of(255, 255)], [pageSize() + field, Uint8Array.of(255, 255)]);
    let refused = 0;
    for (const [at, bytes] of spoil) {
      writeFileSync(file(), whole);
      overwrite(at, bytes);
      const outcome = await openLmdbStore(folder).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject(damaged);
        refused += 1;
      } else await (outcome as { close(): Promise<void> }).close();
    }
    // Of the two meta pages only the newer one's roots are followed.
    expect(refused).toBe(spoil.length - 2);
  });
});

describe("an LMDB store in several processes", () => {
  let compiled: CompiledStore;
  beforeAll(() => {
    compiled = new CompiledStore();
  });
  afterAll(() => compiled.remove());
  beforeEach(() => void fresh());
  afterEach(remove);

  it("fences the process that held the earlier epoch", async () => {
    const store = await openLmdbStore(folder);
    const epoch = await store.acquire();
    await store.commit([{ key: "mine", value: Uint8Array.of(1) }], epoch);
    expect(compiled.run(folder, "write")).toBe("epoch 2\nack k/0\nack k/1\nack k/2\nack k/3\nack k/4\n");
    await expect(store.commit([{ key: "mine", value: null }], epoch)).rejects.toMatchObject({ code: "EXO_FENCED" });
    expect(store.get("mine")).toEqual(Uint8Array.of(1));
    expect(store.get("k/4")?.length).toBe(2_700);
    await store.close();
  });

  it("is read beside its owner, who goes on writing", async () => {
    const owner = compiled.start(folder, "own");
    const heard = (): Promise<string> =>
      new Promise((resolve) => owner.stdout.once("data", (data: Buffer) => resolve(data.toString())));
    expect(await heard()).toBe("ack first\n");
    const reader = await openLmdbStore(folder, { readOnly: true });
    expect([...reader.range(ALL)].map(([key]) => key)).toEqual(["first"]);
    owner.stdin.write("go\n");
    expect(await heard()).toBe("ack second\n");
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([...reader.range(ALL)].map(([key]) => key)).toEqual(["first", "second"]);
    await reader.close();
    const ended = new Promise((resolve) => owner.once("exit", resolve));
    owner.stdin.write("end\n");
    await ended;
  });

  it("has what was acknowledged after the process was killed", async () => {
    expect(compiled.run(folder, "die")).toBe("ack kept\n");
    const store = await openLmdbStore(folder);
    expect(store.get("kept")?.length).toBe(2_700);
    await store.commit([{ key: "more", value: Uint8Array.of(1) }], await store.acquire());
    await store.close();
  });

  const traceable = spawnSync("strace", ["-V"]).status === 0;
  if (!traceable)
    console.log("strace is missing or may not trace here: the tests of what reaches the disk are skipped");

  it.runIf(traceable)("syncs the pages and writes the root synchronously before every acknowledgement", () => {
    const log = join(folder, "trace");
    const store = join(folder, "store");
    // The delay gives an acknowledgement that does not wait for the sync the time to show itself.
    compiled.run(store, "write", [
      "strace",
      "-f",
      "-y",
      "-o",
      log,
      "-e",
      "trace=openat,write,writev,pwrite64,pwritev,fdatasync,fsync",
      "-e",
      "inject=fdatasync:delay_enter=20ms",
    ]);
    const lines = joinUnfinished(readFileSync(log, "utf8"));
    expect(lines.some((line) => /openat\(.*data\.mdb", [^)]*O_DSYNC/.test(line))).toBe(true);
    const synchronous = /openat\(.*data\.mdb", [^)]*O_DSYNC[^)]*\) = (\d+)/.exec(
      lines.find((line) => line.includes("O_DSYNC")) ?? "",
    )?.[1];
    let since: string[] = [];
    const acknowledged: string[] = [];
    for (const line of lines) {
      const ack = /write\(1<.*"ack (k\/\d)/.exec(line);
      if (!ack) {
        since.push(line);
        continue;
      }
      acknowledged.push(ack[1] as string);
      const onData = since.filter((each) => each.includes("data.mdb"));
      const root = onData.findLastIndex((each) => new RegExp(`pwrite64\\(${synchronous}<`).test(each));
      const sync = onData.findLastIndex((each) => /fdatasync\(.*= 0/.test(each));
      const pages = onData.findLastIndex(
        (each) => /p?writev?(64)?\(/.test(each) && !new RegExp(`\\(${synchronous}<`).test(each),
      );
      expect(pages).toBeGreaterThanOrEqual(0);
      expect(sync).toBeGreaterThan(pages);
      expect(root).toBeGreaterThan(sync);
      since = [];
    }
    expect(acknowledged).toEqual(["k/0", "k/1", "k/2", "k/3", "k/4"]);
  });

  it.runIf(traceable)("acknowledges nothing and writes no more once a sync failed", async () => {
    const store = join(folder, "store");
    // strace counts per thread: with four threads the second call of one of them comes before the sixth commit.
    const inject = [
      "strace",
      "-f",
      "-o",
      "/dev/null",
      "-e",
      "trace=fdatasync",
      "-e",
      "inject=fdatasync:error=EIO:when=2+",
    ];
    const printed = compiled.run(store, "write", inject).trim().split("\n");
    const first = printed.findIndex((line) => line.startsWith("EXO_STORE"));
    expect(first).toBeGreaterThan(0);
    expect(printed[first]).toMatch(/^EXO_STORE k\/\d The store could not be written: Input\/output error$/);
    for (const line of printed.slice(first + 1))
      expect(line).toMatch(/^EXO_STORE k\/\d The store takes no more writes since one failed: Input\/output error$/);
    expect(printed.slice(first + 1).length).toBeGreaterThan(0);
    const reopened = await openLmdbStore(store);
    for (const line of printed.slice(1, first)) expect(reopened.get(line.slice("ack ".length))?.length).toBe(2_700);
    await reopened.commit([{ key: "again", value: Uint8Array.of(1) }], await reopened.acquire());
    await reopened.close();
  });
});

/** strace prints a call that another thread interrupts in two lines; a call counts at its end. */
function joinUnfinished(trace: string): string[] {
  const open = new Map<string, string>();
  const lines: string[] = [];
  for (const line of trace.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) open.set(thread, rest.slice(0, -"<unfinished ...>".length));
    else {
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
      lines.push(resumed ? `${open.get(thread) ?? ""}${resumed[1]}` : rest);
    }
  }
  return lines;
}
