import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CliContext } from "../../src/cli/context.js";
import { exitCodeOf } from "../../src/cli/exit-codes.js";
import { deliverOrder } from "../../src/cli/order-delivery.js";
import {
  countOf,
  formatCount,
  formatRows,
  formatSpan,
  reportError,
  shellWord,
  shownPath,
  visible,
} from "../../src/cli/output.js";
import { runCli } from "../../src/cli/program.js";
import { withProgress } from "../../src/cli/progress.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { ExoArmurError } from "../../src/errors.js";
import { acquireOwner } from "../../src/home/owner-lock.js";
import { homePaths } from "../../src/home/paths.js";
import { jsonOf, removeIntent, Shell } from "./cli.js";

const clock = { now: () => Date.now() };

type Fake = CliContext & { out: string; err: string; asked: string[]; readonly controller: AbortController };

function fake(cwd: string, given: Partial<CliContext> & { answer?: string } = {}): Fake {
  const controller = new AbortController();
  const { answer = "", ...replaced } = given;
  const context: Fake = {
    out: "",
    err: "",
    asked: [],
    controller,
    stdout: (text) => {
      context.out += typeof text === "string" ? text : new TextDecoder().decode(text);
    },
    stderr: (text) => {
      context.err += text;
    },
    readStdin: () => Promise.resolve(new Uint8Array(0)),
    askSecret: () => Promise.reject(new Error("not asked")),
    ask: (question) => {
      context.asked.push(question);
      return Promise.resolve(answer);
    },
    cwd,
    env: {},
    isTTY: { stdin: false, stdout: false, stderr: false },
    clock,
    entropy: systemEntropy,
    elapsed: () => performance.now(),
    signal: controller.signal,
    exit: { code: 0 },
    ...replaced,
  };
  return context;
}

describe("on a terminal", () => {
  let shell: Shell;
  let id = "";

  beforeAll(async () => {
    shell = new Shell();
    await shell.exo(["init"]);
    id = String(jsonOf(await shell.run(removeIntent, ["--json"]))["intentId"]);
  });
  afterAll(() => shell.remove());

  const decide = async (answer: string, ...args: string[]): Promise<[number, Fake]> => {
    const context = fake(shell.cwd, { answer, isTTY: { stdin: true, stdout: true, stderr: false } });
    return [await runCli(["approvals", "deny", id, "--reason", "no", ...args], context), context];
  };

  it.each(["", "n", "yellow", "no"])("the answer %j signs nothing", async (answer) => {
    const [code, context] = await decide(answer);
    expect(context.asked).toEqual(["deny? y/N "]);
    expect(context.out).toBe("will not run   fs@1.0.0 remove   target data/orders.csv   by me\n");
    expect(context.err).toBe("error EXO_CANCELLED: not confirmed; nothing was signed\n");
    expect(code).toBe(1);
    expect(shell.list(".exoarmur/inbox")).toEqual([]);
  });

  it("y signs, and --yes does not ask", async () => {
    const [code, context] = await decide("Y");
    expect(code).toBe(0);
    expect(context.out).toMatch(/\ndenied {5}EXO_APPROVAL_DENIED: .* {3}bundle \.exoarmur\/bundles\//);
    const [again, second] = await decide("", "--yes");
    expect(second.asked).toEqual([]);
    expect(second.err).toContain("error EXO_APPROVAL_CLOSED: ");
    expect(again).toBe(1);
  });
});

describe("an owner that does not answer", () => {
  let shell: Shell;

  beforeAll(async () => {
    shell = new Shell();
    await shell.exo(["init"]);
  });
  afterAll(() => shell.remove());

  const envelope = { payloadType: "application/x", payload: "", signatures: [] };

  it("is waited for no longer than asked; the order is taken back, or kept", async () => {
    const paths = homePaths(shell.path(".exoarmur"));
    const lock = await acquireOwner(paths, { pid: process.pid, clock, entropy: systemEntropy });
    try {
      const waiting = deliverOrder(fake(shell.cwd), paths, envelope, { timeoutMs: 150 });
      await expect(waiting).rejects.toMatchObject({
        code: "EXO_ORDER_TIMEOUT",
        message: `the owner of the home (process ${process.pid}) did not answer within 0.15 s`,
      });
      expect(shell.list(".exoarmur/inbox")).toEqual([]);
      const keeping = deliverOrder(fake(shell.cwd), paths, envelope, { timeoutMs: 150, keep: true });
      await expect(keeping).rejects.toMatchObject({ code: "EXO_ORDER_TIMEOUT" });
      expect(shell.list(".exoarmur/inbox")).toHaveLength(1);
    } finally {
      await lock.release();
    }
  });

  it("is not waited for after Ctrl-C", async () => {
    const paths = homePaths(shell.path(".exoarmur"));
    const lock = await acquireOwner(paths, { pid: process.pid, clock, entropy: systemEntropy });
    try {
      const context = fake(shell.cwd);
      const reason = new ExoArmurError("EXO_CANCELLED", "interrupted");
      const before = shell.list(".exoarmur/inbox");
      const waiting = deliverOrder(context, paths, envelope);
      await sleep(100);
      context.controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(shell.list(".exoarmur/inbox")).toEqual(before);
      expect(reportError(context, reason, false)).toBe(130);
    } finally {
      await lock.release();
    }
  });
});

describe("progress", () => {
  it("shows after a second, on a terminal alone, and is erased", async () => {
    let now = 0;
    const elapsed = (): number => (now += 600);
    const context = fake("/", { elapsed, isTTY: { stdin: false, stdout: false, stderr: true } });
    expect(await withProgress(context, "running", sleep(350, "value"))).toBe("value");
    expect(context.err.startsWith("\r\u001b[2K| running 1.2 s")).toBe(true);
    expect(context.err.endsWith("\r\u001b[2K")).toBe(true);
    const silent = fake("/", { elapsed });
    await withProgress(silent, "running", sleep(150));
    expect(silent.err).toBe("");
  });

  it("is erased when the work fails, and not shown for what is quick", async () => {
    const context = fake("/", { isTTY: { stdin: false, stdout: false, stderr: true } });
    await expect(withProgress(context, "running", Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(context.err).toBe("");
  });
});

describe("errors", () => {
  it("an unforeseen one is internal and shows its stack only when asked", () => {
    const context = fake("/");
    expect(reportError(context, new TypeError("x is undefined"), false)).toBe(70);
    expect(context.err).toBe("error EXO_INTERNAL: x is undefined\nset EXOARMUR_DEBUG=1 to see where it happened\n");
    const debug = fake("/", { env: { EXOARMUR_DEBUG: "1" } });
    reportError(debug, new TypeError("x is undefined"), false);
    expect(debug.err).toContain("\n    at ");
  });

  it("a foreseen one has its code, its place once and its exit code", () => {
    const context = fake("/srv");
    const error = new ExoArmurError("EXO_SCHEMA", "a\u001b[31mb", { file: "/srv/in.json", line: 3, pointer: "/a" });
    expect(reportError(context, error, false)).toBe(1);
    expect(context.err).toBe("error EXO_SCHEMA: a\\u001b[31mb\n  at in.json:3 /a\n");
    const json = fake("/srv");
    expect(reportError(json, error, true)).toBe(1);
    expect(JSON.parse(json.out)).toEqual({
      error: { code: "EXO_SCHEMA", message: "a\u001b[31mb", place: { file: "/srv/in.json", line: 3, pointer: "/a" } },
    });
    expect(json.err).toBe("");
    expect([exitCodeOf(new ExoArmurError("EXO_USAGE", "")), exitCodeOf(new ExoArmurError("EXO_INTERNAL", ""))]).toEqual(
      [2, 70],
    );
  });
});

describe("text", () => {
  it("counts, spans, words and paths", () => {
    expect([0, 999, 1000, 1204331].map(formatCount)).toEqual(["0", "999", "1,000", "1,204,331"]);
    expect([countOf(1, "host call"), countOf(12, "host call")]).toEqual(["1 host call", "12 host calls"]);
    expect([-5, 1, 60_000, 900_000, 10_000_000, 864_000_000].map(formatSpan)).toEqual([
      "0 s",
      "1 s",
      "60 s",
      "15 min",
      "3 h",
      "10 d",
    ]);
    expect([shellWord("a/b.json"), shellWord("it's")]).toEqual(["a/b.json", "'it'\\''s'"]);
    const context = fake("/srv/here");
    expect(
      ["/srv/here/a/b", "/srv/here/keys/", "/srv/here", "/srv/heretic", "/etc"].map((path) => shownPath(context, path)),
    ).toEqual(["a/b", "keys/", ".", "/srv/heretic", "/etc"]);
    expect(visible("a\tb\r\nc\u0085\u200b\u2028é漢")).toBe("a\\u0009b\\u000d\\u000ac\\u0085\\u200b\\u2028é漢");
    expect(
      formatRows([
        ["a", "1", "", "2"],
        ["longer name", "3"],
      ]),
    ).toBe("a             1   2\nlonger name   3\n");
  });
});
