import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PoolOptions, verifyFiles } from "../../src/cli/batch/verify-pool.js";
import type { CliContext } from "../../src/cli/context.js";
import { withBar } from "../../src/cli/progress.js";

let folder: string;
let program: URL;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "exo-pool-"));
  const file = join(folder, "thread.mjs");
  // A thread that dies by a file's name, and otherwise answers with it.
  writeFileSync(
    file,
    `import { parentPort } from "node:worker_threads";
parentPort.on("message", (name) => {
  if (name === "exit") process.exit(3);
  if (name === "throw") throw new Error("broken");
  if (name === "hang") return;
  setTimeout(() => parentPort.postMessage({ result: "pass", intentId: name, wrong: [] }), name.length);
});`,
  );
  program = pathToFileURL(file);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = (change: Partial<PoolOptions> = {}): PoolOptions => ({
  trust: undefined,
  jobs: 2,
  signal: new AbortController().signal,
  onDone: () => undefined,
  program,
  ...change,
});

describe("threads of a batch", () => {
  it("answers come in the order of the files, whichever is done first", async () => {
    const files = Array.from({ length: 40 }, (_, at) => "x".repeat(1 + ((at * 7) % 13)).concat(String(at)));
    const seen: (string | null)[] = [];
    const rows = await verifyFiles(files, options({ jobs: 3, onDone: ({ intentId }) => seen.push(intentId) }));
    expect(rows.map(({ intentId }) => intentId)).toEqual(files);
    expect(seen).toHaveLength(files.length);
    expect(new Set(seen)).toEqual(new Set(files));
  });

  it.each(["exit", "throw"])(
    "a thread that dies by %s makes its file unable, never passed, and no other",
    async (name) => {
      const rows = await verifyFiles(["a", name, "b", name, "c"], options());
      expect(rows.map(({ result }) => result)).toEqual(["pass", "unable", "pass", "unable", "pass"]);
      expect(rows[1]?.wrong).toEqual([
        { id: "file", state: "unable", code: "EXO_INTERNAL", message: "the thread that verified it ended" },
      ]);
    },
  );

  it("Ctrl-C ends threads that do not answer", async () => {
    const interrupt = new AbortController();
    const work = verifyFiles(["hang", "hang", "a"], options({ signal: interrupt.signal }));
    setTimeout(() => interrupt.abort(new Error("interrupted")), 100);
    await expect(work).rejects.toThrow("interrupted");
    await expect(verifyFiles(["a"], options({ signal: interrupt.signal }))).rejects.toThrow("interrupted");
  });
});

describe("the bar", () => {
  const drawn = async (isTTY: boolean, ms: number): Promise<string> => {
    let [now, text] = [0, ""];
    const context = {
      isTTY: { stderr: isTTY },
      elapsed: () => now,
      stderr: (part: string) => (text += part),
    } as unknown as CliContext;
    await withBar(context, 4, async (step) => {
      for (const bad of [false, true, false, false]) {
        now += ms;
        step(bad);
      }
      await Promise.resolve();
    });
    return text;
  };

  it("is drawn on a terminal after a second, and erased", async () => {
    const text = await drawn(true, 600);
    expect(text).toContain("[############------------] 2/4   1 not passed   2/s");
    expect(text).toContain("[########################] 4/4   1 not passed");
    expect(text).not.toContain(" 1/4 ");
    expect(text.endsWith("\r\u001b[2K")).toBe(true);
  });

  it("is not drawn elsewhere, nor for what is quick", async () => {
    expect(await drawn(false, 600)).toBe("");
    expect(await drawn(true, 100)).toBe("");
  });
});
