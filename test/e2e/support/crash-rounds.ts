import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Envelope } from "../../../src/contracts/dsse.js";
import type { ExecutionResult } from "../../../src/pipeline/types.js";
import type { Runtime } from "../../../src/runtime.js";
import { Shell } from "../cli.js";
import { built, DIST, randomFrom } from "./built.js";
import { crashTemplate } from "./crash-home.js";
import { auditProblems, type DeadHome, type StoredIntent, withDeadHome } from "./dead-home.js";
import { type Moment, OrdersApi } from "./orders-api.js";

const CRASHER = fileURLToPath(new URL("crasher.mjs", import.meta.url));

/** How often a home is made anew, so that first openings die too and audits stay short. */
const roundsPerHome = 5;

type Ask = {
  readonly key: string;
  readonly action: string;
  readonly parameters: { readonly [name: string]: string | number | { readonly order: string } };
};
type Told = {
  readonly key: string;
  readonly status: ExecutionResult["status"];
  readonly intentId: string;
  readonly digest: string | null;
  readonly checkpoint: string;
};
/** What the crasher prints. */
export type Line =
  | { readonly type: "ready"; readonly inDoubt: readonly string[]; readonly checkpoint: string }
  | ({ readonly type: "ask" } & Ask)
  | ({ readonly type: "told" } & Told)
  | { readonly type: "counted"; readonly name: string }
  | { readonly type: "grant"; readonly key: string; readonly grant: Envelope }
  | { readonly type: "decided"; readonly key: string; readonly times: number; readonly refusal: string | null }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

/** What the rounds came to. */
export type CrashCounts = {
  rounds: number;
  /** Killed before the runtime was open. */
  opening: number;
  told: number;
  inDoubt: number;
  spent: number;
  /** Shipments the API made, each for one effect. */
  shipped: number;
  /** Shipments made of which the log knows no outcome; all of them are in doubt. */
  shippedInDoubt: number;
};

/** A process that acts in a home until it is killed. */
export class Crasher {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<string | null>;
  #text = "";
  #stderr = "";
  #wake: () => void = () => undefined;

  constructor(home: string, tag: string, api = "") {
    this.#child = spawn(process.execPath, [CRASHER, DIST, home, tag, api], { stdio: ["ignore", "pipe", "pipe"] });
    this.#ended = new Promise((resolve) => this.#child.once("close", (_code, signal) => resolve(signal)));
    this.#child.stdout.setEncoding("utf8").on("data", (part: string) => {
      this.#text += part;
      this.#wake();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (part: string) => (this.#stderr += part));
  }

  /** Waits until so many lines were told, or lines that hold this, or the process has ended. */
  async until(enough: (lines: number, text: string) => boolean): Promise<void> {
    while (!enough(this.#text.split("\n").length - 1, this.#text) && this.#child.exitCode === null) {
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), this.#ended]);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends the signal; `kill` collects what it told. */
  die(): void {
    this.#child.kill("SIGKILL");
  }

  /** Kills it and returns what it told. It must not have ended by itself. */
  async kill(): Promise<Line[]> {
    this.die();
    if ((await this.#ended) !== "SIGKILL") throw new Error(`the crasher ended by itself: ${this.#stderr}`);
    const lines = this.#text.split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Line);
  }
}

/** A home that was killed in, and everything that was ever acknowledged in it. */
export class KilledHome {
  readonly shell: Shell;
  readonly asked = new Map<string, Ask>();
  readonly told = new Map<string, Told>();
  readonly checkpoints = new Set<string>();
  readonly grants = new Map<string, Envelope>();
  /** How often each counter among the keys and values was told to have been raised. */
  readonly counted = new Map<string, number>();
  /** Paths the checks took away or put back themselves. */
  readonly touched = new Set<string>();

  readonly api: OrdersApi | undefined;
  /** How many shipments the API had made before this home's first process. */
  readonly #shippedBefore: number;

  constructor(shell: Shell, api?: OrdersApi) {
    this.shell = shell;
    this.api = api;
    this.#shippedBefore = api?.shipments.length ?? 0;
  }

  /** What the API was asked for by this home's processes. */
  get shipments(): OrdersApi["shipments"] {
    return this.api?.shipments.slice(this.#shippedBefore) ?? [];
  }

  get home(): string {
    return this.shell.path(".exoarmur");
  }

  /**
   * Lets the crasher act and kills it at an instant of this random source, or, in a quarter of the rounds, just when a
   * shipment is about to be made, was made, or was answered. Returns what it told.
   */
  async killOnce(tag: string, random: () => number): Promise<Line[]> {
    const opening = random() < 0.2;
    // In lines rather than in time, so that a slow machine kills at the same points as a quick one.
    const wanted = opening ? 0 : 1 + Math.floor(random() * 120);
    const pause = opening ? random() * 900 : random() ** 2 * 100;
    const moment = random() < 0.3 ? moments[Math.floor(random() * moments.length)] : undefined;
    const pauseMs = Math.floor(random() * 20);
    if (this.api !== undefined) this.api.pauseMs = pauseMs;
    const crasher = new Crasher(this.home, tag, this.api && `http://127.0.0.1:${this.api.port}`);
    await crasher.until((lines) => lines >= wanted);
    await (opening || moment === undefined || this.api === undefined ? sleep(pause) : dieAt(crasher, this.api, moment));
    const lines = await crasher.kill();
    await this.api?.quiet();
    return lines;
  }

  /** Keeps what was told. A failure of the crasher is one of the test unless `failing` lists its code. */
  remember(lines: readonly Line[], failing: readonly string[] = []): void {
    for (const line of lines) {
      if (line.type === "failed" && !failing.includes(line.code)) throw new Error(line.message);
      if ("checkpoint" in line) this.checkpoints.add(line.checkpoint);
      if (line.type === "ask") this.asked.set(line.key, line);
      else if (line.type === "told") this.told.set(line.key, line);
      else if (line.type === "counted") this.counted.set(line.name, (this.counted.get(line.name) ?? 0) + 1);
      else if (line.type === "grant") this.grants.set(line.key, line.grant);
      else if (line.type === "decided" && !failing.includes(line.refusal ?? ""))
        expect(line, "one grant, decided twice at once").toMatchObject(decidedOnce);
    }
  }

  file(key: string): string {
    return this.shell.path("data", `${key}.txt`);
  }
}

const moments: readonly Moment[] = ["asked", "shipped", "answered"];

/** Kills the crasher when its next shipment comes to this moment. */
async function dieAt(crasher: Crasher, api: OrdersApi, moment: Moment): Promise<void> {
  let died = false;
  api.onMoment = (now) => {
    if (now === moment) crasher.die();
    died ||= now === moment;
  };
  // The shippers never stop asking, so the moment comes, or the process ends and `kill` says so.
  await crasher.until(() => died);
  api.onMoment = () => undefined;
}

const decidedOnce = { times: 1, refusal: "EXO_APPROVAL_SPENT" };

/** Which rounds to play; everything about a round but the exact time of its kill follows from the seed and its number. */
export type CrashOptions = {
  readonly seed: number;
  /** Number of the first round, counted from 0. Default 0. */
  readonly from?: number;
  /** Number after the last round. */
  readonly to: number;
  /** When to stop before that, in milliseconds since the epoch. */
  readonly until?: number;
  /** Told of every round that was played and passed. */
  readonly note?: (round: number, counts: CrashCounts) => void;
};

/** Kills and inspects, several times in each of a row of homes. Returns what the rounds came to. */
export async function playCrashRounds(options: CrashOptions): Promise<CrashCounts> {
  const { seed, from = 0, to, until = Number.POSITIVE_INFINITY } = options;
  const api = new OrdersApi([]);
  await api.open();
  const template = await crashTemplate(api.port);
  const counts = { rounds: 0, opening: 0, told: 0, inDoubt: 0, spent: 0, shipped: 0, shippedInDoubt: 0 };
  let killed = new KilledHome(new Shell(template), api);
  let round = from;
  try {
    for (; round < to && Date.now() < until; round++) {
      if (round > from && round % roundsPerHome === 0) {
        await checkLast(killed);
        killed.shell.remove();
        killed = new KilledHome(new Shell(template), api);
      }
      await playRound(killed, `r${round}`, randomFrom(seed + round * 7919), counts);
      options.note?.(round, counts);
    }
    await checkLast(killed);
  } catch (error) {
    throw new Error(`seed ${seed}, round ${round}, home ${killed.home}`, { cause: error });
  } finally {
    api.close();
    template.remove();
  }
  killed.shell.remove();
  return counts;
}

/** What the last reopening recorded. */
async function checkLast(killed: KilledHome): Promise<void> {
  await withDeadHome(killed.home, (dead) => checkDead(killed, dead, []));
}

async function playRound(killed: KilledHome, tag: string, random: () => number, counts: CrashCounts): Promise<void> {
  const shippedBefore = killed.shipments.length;
  const lines = await killed.killOnce(tag, random);
  killed.remember(lines);
  const keys = [...new Set(lines.flatMap((line) => ("key" in line ? [line.key] : [])))];
  const found = await checkKilled(killed, keys);
  const shipped = killed.shipments.slice(shippedBefore).map(({ order }) => found.states.get(order)?.record.intentId);
  counts.rounds += 1;
  counts.opening += lines.length === 0 ? 1 : 0;
  counts.told += lines.filter((line) => line.type === "told").length;
  counts.inDoubt += found.started.length;
  counts.spent += lines.filter((line) => line.type === "decided").length;
  counts.shipped += shipped.length;
  counts.shippedInDoubt += shipped.filter((id) => id !== undefined && found.started.includes(id)).length;
}

/** What a killed home holds, as far as the next owner will meet it. */
export type Found = { readonly started: readonly string[]; readonly states: ReadonlyMap<string, StoredIntent> };

/** Looks at a home as its owner left it and then lets the next owner open it. */
export async function checkKilled(killed: KilledHome, keys: readonly string[]): Promise<Found> {
  const found = await withDeadHome(killed.home, (dead) => checkDead(killed, dead, keys));
  await checkReopened(killed, keys, found);
  return found;
}

/** Everything that was acknowledged is there and proven, and nothing happened that was not recorded first. */
function checkDead(killed: KilledHome, dead: DeadHome, keys: readonly string[]): Found {
  for (const note of killed.checkpoints) expect(dead.isConsistent(note), note).toBe(true);
  for (const { key, intentId, digest } of killed.told.values()) {
    expect(dead.intents.get(key)?.record.intentId, key).toBe(intentId);
    if (digest !== null) expect(dead.digestOf(intentId, false), key).toBe(digest);
  }
  for (const key of keys) {
    const told = killed.told.get(key);
    if (told !== undefined && told.digest !== null) expect(dead.digestOf(told.intentId, true)).toBe(told.digest);
  }
  for (const { key, action } of killed.asked.values()) {
    const effects = dead.intents.get(key)?.record.effects.length ?? 0;
    expect(effects, key).toBeLessThanOrEqual(1);
    if (killed.touched.has(key) || !action.startsWith("fs.")) continue;
    const path = killed.file(key);
    const done = existsSync(path) === (action === "fs.write");
    if (done) expect(effects, `${key} was performed before it was recorded`).toBe(1);
    if (killed.told.get(key)?.status === "executed") expect(done, `${key} was told and is not done`).toBe(true);
    if (existsSync(path)) expect(readFileSync(path, "utf8")).toBe(key);
  }
  checkCounters(killed, dead);
  checkShipments(killed, dead);
  for (const { key, record } of dead.intents.values()) {
    const starts = record.events.filter(({ eventType }) => eventType === "execution_started").length;
    expect(starts, `${key} was started more than once`).toBeLessThanOrEqual(1);
  }
  // Among the rest: keys and values are exactly what the completed runs wrote.
  if (dead.size > 0) expect(auditProblems(dead.audit())).toEqual([]);
  const started = [...dead.intents.values()].filter(({ record }) => record.state === "started");
  return { started: started.map(({ record }) => record.intentId).sort(), states: dead.intents };
}

/** The API saw each effect once, after it was journaled; a run that was told shipped, and any other shipment is in doubt. */
function checkShipments(killed: KilledHome, dead: DeadHome): void {
  const seen = killed.shipments;
  expect(new Set(seen.map(({ effectId }) => effectId)).size, "an effect reached the API twice").toBe(seen.length);
  expect(new Set(seen.map(({ order }) => order)).size, "a shipment was made twice").toBe(seen.length);
  const orders = new Set(seen.map(({ order }) => order));
  for (const { order, effectId } of seen) {
    const record = dead.intents.get(order)?.record;
    expect(
      record?.effects.map((effect) => effect.effectId),
      order,
    ).toEqual([effectId]);
    expect(["started", "in_doubt", "completed"], order).toContain(record?.state);
  }
  for (const { key, status } of killed.told.values()) {
    if (killed.asked.get(key)?.action !== "http.request" || status !== "executed") continue;
    expect(orders.has(key), `${key} was told and never reached the API`).toBe(true);
  }
}

/** A counter stands where the completed runs that raised it brought it: none that was told is lost, none is invented. */
function checkCounters(killed: KilledHome, dead: DeadHome): void {
  const asked = [...killed.asked.values()].filter(({ action }) => action === "kv.put");
  const stored = new Map(dead.keys.map(([name, value]) => [name, Number(value)]));
  for (const [name, told] of killed.counted) expect(stored.get(name), name).toBeGreaterThanOrEqual(told);
  for (const [name, value] of stored) {
    expect(value, name).toBeLessThanOrEqual(asked.filter(({ parameters }) => parameters["key"] === name).length);
  }
}

/** The next owner finds in doubt what had started, runs none of it again, and answers everything else as before. */
async function checkReopened(killed: KilledHome, keys: readonly string[], { started, states }: Found): Promise<void> {
  const shipped = killed.shipments.length;
  const runtime = await built.createRuntime({ home: killed.home });
  try {
    expect([...runtime.inDoubt].sort()).toEqual(started);
    for (const key of keys) {
      const ask = killed.asked.get(key);
      const record = states.get(key)?.record;
      if (ask === undefined) continue;
      if (record !== undefined && started.includes(record.intentId)) await checkInDoubt(killed, runtime, ask);
      else if (record?.state === "pending") expect((await again(runtime, ask)).status).toBe("approval_pending");
      else if (record !== undefined)
        expect(digestIn(await again(runtime, ask))).toBe(digestIn(runtime.status(record.intentId)));
    }
    // A request that left no record is one that nobody has seen: the same key runs it now.
    const unseen = [...killed.asked.values()].find(({ key, action }) => action === "fs.write" && !states.has(key));
    if (unseen !== undefined) expect(await again(runtime, unseen)).toMatchObject({ status: "executed" });
    for (const key of keys) await checkSpent(killed, runtime, key, states.get(key)?.record.state === "pending");
    await killed.api?.quiet();
    expect(killed.shipments, "a key that was known was shipped again").toHaveLength(shipped);
  } finally {
    await runtime.close();
  }
}

async function again(runtime: Runtime, { key, action, parameters }: Ask): Promise<ExecutionResult> {
  return await runtime.execute({ actor: "crasher", action, parameters, idempotencyKey: key });
}

function digestIn(result: ExecutionResult): string | null {
  return "bundle" in result ? result.bundle.digest : null;
}

async function checkInDoubt(killed: KilledHome, runtime: Runtime, ask: Ask): Promise<void> {
  if (!ask.action.startsWith("fs.")) {
    const { intentId, status } = await again(runtime, ask);
    const events = runtime.pipeline.trace(intentId).length;
    expect([status, (await again(runtime, ask)).status]).toEqual(["in_doubt", "in_doubt"]);
    expect(runtime.pipeline.trace(intentId)).toHaveLength(events);
    return;
  }
  const path = killed.file(ask.key);
  const removes = ask.action === "fs.remove";
  // The world as it was before, so that a second performance would be seen.
  killed.touched.add(ask.key);
  if (removes) writeFileSync(path, ask.key);
  else rmSync(path, { force: true });
  const first = await again(runtime, ask);
  expect(first.status).toBe("in_doubt");
  const events = runtime.pipeline.trace(first.intentId).length;
  expect((await again(runtime, ask)).status).toBe("in_doubt");
  expect(runtime.pipeline.trace(first.intentId)).toHaveLength(events);
  expect(existsSync(path), `${ask.key} was performed again`).toBe(removes);
}

/** A grant that was signed before the crash counts once: now if it was not spent, and never again. */
async function checkSpent(killed: KilledHome, runtime: Runtime, key: string, pending: boolean): Promise<void> {
  const grant = killed.grants.get(key);
  if (grant === undefined) return;
  if (pending) expect((await runtime.decide(grant)).status).toBe("executed");
  await expect(runtime.decide(grant)).rejects.toMatchObject({ code: "EXO_APPROVAL_SPENT" });
}
