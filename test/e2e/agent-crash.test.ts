import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Trust } from "../../src/contracts/trust.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { ROOT, Shell } from "./cli.js";
import { built, DIST, randomFrom } from "./support/built.js";
import { auditProblems, type StoredIntent, withDeadHome } from "./support/dead-home.js";
import { OrdersApi } from "./support/orders-api.js";

const AGENT = fileURLToPath(new URL("support/agent.mjs", import.meta.url));
const orders = Array.from({ length: 8 }, (_, at) => `order-${at}`);
const kills = 6;

type Line = {
  readonly type: string;
  readonly key?: string;
  readonly digest?: string | null;
  readonly message?: string;
};

/** A home whose agent may ask the API, keep keys and write files, and nothing else. */
async function makeHome(shell: Shell, port: number): Promise<void> {
  expect((await shell.exo(["init"])).code).toBe(0);
  for (const name of ["http", "kv"]) {
    for (const kind of ["json", "wasm"]) {
      shell.write(`.exoarmur/plugins/${name}.${kind}`, readFileSync(`${ROOT}/plugins/${name}.${kind}`));
    }
  }
  mkdirSync(shell.path("data/receipts"));
  shell.write("data/shipped.log", "");
  const place = { scheme: "http", host: "127.0.0.1", port, methods: ["GET", "POST"], pathPrefix: "/v1" };
  const keys = { prefixes: ["claim/", "done/"] };
  shell.edit(".exoarmur/config.json", (config) => ({
    ...config,
    sandbox: { workers: 2 },
    grants: {
      http: { http_request: { allow: [{ ...place, networks: ["loopback"] }] } },
      kv: { kv_get: keys, kv_put: keys, kv_list: keys },
      fs: { fs_write: { roots: ["data"] }, fs_append: { roots: ["data"] } },
    },
  }));
  const shipper = { actor: { id: "shipper" } };
  const at = (path: string): object => ({ url: { scheme: "http", host: "127.0.0.1", port, path } });
  shell.edit(".exoarmur/policy.json", (policy) => ({
    ...policy,
    rules: [
      { id: "orders", match: { ...shipper, action: "http.get", target: at("/v1/orders") }, verdict: "allow" },
      {
        id: "ship",
        match: { ...shipper, action: "http.request", target: at("/v1/shipments") },
        verdict: "allow",
        obligations: { narrow: { http_request: { methods: ["POST"], urls: ["{target}"] } } },
      },
      { id: "keys", match: { ...shipper, action: ["kv.put", "kv.list"] }, verdict: "allow" },
      {
        id: "receipts",
        match: { ...shipper, action: "fs.write", target: { under: "data/receipts" } },
        verdict: "allow",
        obligations: { narrow: { fs_write: { paths: ["{target}"] } } },
      },
      { id: "log", match: { ...shipper, action: "fs.append", target: "data/shipped.log" }, verdict: "allow" },
    ],
  }));
}

/** Lets the agent work and kills it after so many lines, or lets it end. */
async function runAgent(home: string, api: string, killAfter: number | null, pauseMs: number): Promise<Line[]> {
  const child: ChildProcess = spawn(process.execPath, [AGENT, DIST, home, api], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let errors = "";
  let wake = (): void => undefined;
  child.stdout?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
    wake();
  });
  child.stderr?.setEncoding("utf8").on("data", (part: string) => (errors += part));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (killAfter !== null) {
    while (text.split("\n").length - 1 < killAfter && child.exitCode === null) {
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), ended]);
    }
    await sleep(pauseMs);
    child.kill("SIGKILL");
  }
  await ended;
  expect(errors).toBe("");
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
  return lines;
}

describe("an agent that ships orders through http, kv and fs, and dies again and again", () => {
  const api = new OrdersApi(orders);
  const told = new Map<string, string>();
  const verdicts: Record<string, string> = {};
  let shell: Shell;
  let home = "";
  let trust: Trust;

  beforeAll(async () => {
    await api.open();
    shell = new Shell();
    home = shell.path(".exoarmur");
    await makeHome(shell, api.port);
    trust = JSON.parse(shell.read(".exoarmur/trust.json")) as Trust;
  });
  afterAll(() => {
    api.close();
    shell.remove();
  });

  const fileOf = (order: string): string => shell.path("data/receipts", `${order}.json`);

  /** What really became of a step, told from the world alone. */
  function happened({ key, record }: StoredIntent): boolean {
    const order = key.replace(/^[a-z]+-(.*)#\d+$/, "$1");
    if (key.startsWith("ship-")) return api.shipments.some(({ effectId }) => effectId === record.effects[0]?.effectId);
    if (key.startsWith("receipt-")) return existsSync(fileOf(order));
    if (key.startsWith("line-")) return shell.read("data/shipped.log").includes(`${order}\n`);
    // Keys and values are written with the outcome, and there is none; the list of orders was only read.
    return false;
  }

  /** Opens the home as its next owner and lets an operator say of everything in doubt what became of it. */
  async function resolveDoubts(): Promise<number> {
    const runtime = await built.createRuntime({ home });
    await runtime.close();
    const doubtful = await withDeadHome(home, ({ intents }) =>
      [...intents.values()].filter(({ record }) => record.state === "in_doubt"),
    );
    for (const stored of doubtful) {
      const outcome = happened(stored) ? "committed" : "not_executed";
      shell.write("evidence.txt", `${stored.key}: ${outcome}\n`);
      const { intentId } = stored.record;
      const args = ["resolve", intentId, "--outcome", outcome, "--evidence", "evidence.txt"];
      const resolved = await shell.exo(args);
      expect([resolved.code, resolved.stderr]).toEqual([0, ""]);
      verdicts[stored.key] = outcome;
    }
    shell.write("verdicts.json", JSON.stringify(verdicts));
    return doubtful.length;
  }

  it("does every order once: nothing is lost, doubled or invented", { timeout: 300_000 }, async () => {
    const random = randomFrom(Number(process.env["EXOARMUR_SEED"] ?? 4_711));
    let doubts = 0;
    let finished = false;
    for (let life = 0; !finished && life < 30; life++) {
      const last = life >= kills;
      api.pauseMs = last ? 0 : Math.floor(random() * 30);
      const killAfter = last ? null : 1 + Math.floor(random() * 10);
      const lines = await runAgent(home, `http://127.0.0.1:${api.port}`, killAfter, random() * 60);
      await api.quiet();
      for (const { key = "", digest, message, type } of lines) {
        if (typeof digest === "string") told.set(key, digest);
        if (type === "stuck" && last) expect.fail(message);
      }
      finished = lines.some(({ type }) => type === "finished");
      doubts += await resolveDoubts();
      await withDeadHome(home, (dead) => {
        for (const [key, digest] of told) {
          const record = dead.intents.get(key)?.record;
          expect(dead.digestOf(record?.intentId ?? "", false), `${key} was told and is lost`).toBe(digest);
        }
        expect(auditProblems(dead.audit())).toEqual([]);
      });
    }
    expect(finished).toBe(true);
    expect(doubts).toBeGreaterThan(0);

    expect(api.shipments.map(({ order }) => order).sort()).toEqual(orders);
    expect(new Set(api.shipments.map(({ effectId }) => effectId)).size).toBe(orders.length);
    // A write that is killed before its rename leaves its temporary file, which no guest is shown.
    const receipts = shell.list("data/receipts").filter((name) => !/^\.exoarmur-write-\d+\.tmp$/.test(name));
    expect(receipts).toEqual(orders.map((order) => `${order}.json`));
    for (const order of orders) expect(readFileSync(fileOf(order), "utf8")).toBe(`{"order":"${order}"}\n`);
    expect(shell.read("data/shipped.log").split("\n").filter(Boolean).sort()).toEqual(orders);
  });

  it("recorded every effect before the world saw it, and keeps what it wrote of keys", async () => {
    await withDeadHome(home, ({ intents }) => {
      const journaled = [...intents.values()].flatMap(({ record }) => record.effects.map(({ effectId }) => effectId));
      for (const { effectId } of api.shipments) expect(journaled).toContain(effectId);
      expect(new Set(journaled).size).toBe(journaled.length);
    });
    for (const prefix of ["claim", "done"]) {
      const list = { actor: "shipper", action: "kv.list", parameters: { prefix: `${prefix}/` } };
      const { stdout } = await shell.run(list, ["--json"]);
      const { output } = JSON.parse(stdout) as { output: { entries: { key: string }[] } };
      expect(output.entries.map(({ key }) => key)).toEqual(orders.map((order) => `${prefix}/${order}`));
    }
  });

  it("left bundles that verify and replay with the API switched off and the files gone", {
    timeout: 120_000,
  }, async () => {
    api.close();
    renameSync(shell.path("data"), shell.path("gone"));
    mkdirSync(shell.path("data"));
    const runtime = await built.createRuntime({ home });
    try {
      const ids = await withDeadHome(home, ({ intents }) =>
        [...intents.values()].map(({ record }) => ({ id: record.intentId, state: record.state })),
      );
      expect(ids.length).toBeGreaterThan(orders.length * 5);
      for (const { id, state } of ids) {
        const bundle = runtime.pipeline.bundle(id) ?? expect.fail(`intent ${id} has no bundle`);
        const report = verifyBundle(bundle.bytes(), { trust });
        expect([id, report.result, report.trustMode]).toEqual([id, "pass", "pinned"]);
        if (state !== "completed") continue;
        const replayed = await runtime.replay(bundle);
        expect([id, replayed.result, replayed.failures]).toEqual([id, "success", []]);
      }
    } finally {
      await runtime.close();
    }
  });
});
