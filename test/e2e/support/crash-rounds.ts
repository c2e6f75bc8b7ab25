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
import { auditProblems, type DeadHome, type StoredIntent, withDeadHome } from "./dead-home.js";

const CRASHER = fileURLToPath(new URL("crasher.mjs", import.meta.url));

/** How often a home is made anew, so that first openings die too and audits stay short. */
const roundsPerHome = 5;

type Ask = {
  readonly key: string;
  readonly action: string;
  readonly parameters: { readonly [name: string]: string | number };
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
};

/** A process that acts in a home until it is killed. */
export class Crasher {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<string | null>;
  #text = "";
  #stderr = "";
  #wake: () => void = () => undefined;

  constructor(home: string, tag: string) {
    this.#child = spawn(process.execPath, [CRASHER, DIST, home, tag], { stdio: ["ignore", "pipe", "pipe"] });
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

  /** Kills it and returns what it told. It must not have ended by itself. */
  async kill(): Promise<Line[]> {
    this.#child.kill("SIGKILL");
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

  constructor(shell: Shell) {
    this.shell = shell;
  }

  get home(): string {
    return this.shell.path(".exoarmur");
  }

  /** Lets the crasher act and kills it at an instant of this random source. Returns what it told. */
  async killOnce(tag: string, random: () => number): Promise<Line[]> {
    const opening = random() < 0.2;
    // In lines rather than in time, so that a slow machine kills at the same points as a quick one.
    const wanted = opening ? 0 : 1 + Math.floor(random() * 45);
    const pause = opening ? random() * 900 : random() ** 2 * 100;
    const crasher = new Crasher(this.home, tag);
    await crasher.until((lines) => lines >= wanted);
    await sleep(pause);
    return await crasher.kill();
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

const decidedOnce = { times: 1, refusal: "EXO_APPROVAL_SPENT" };

/** How often to kill, with what seed, and when to stop before that (milliseconds since the epoch). */
export type CrashOptions = {
  readonly seed: number;
  readonly rounds: number;
  readonly until?: number;
  readonly note?: (text: string) => void;
};

/** Kills and inspects `rounds` times. Everything about the kills but their exact time follows from the seed. */
export async function playCrashRounds(template: Shell, options: CrashOptions): Promise<CrashCounts> {
  const random = randomFrom(options.seed);
  const counts: CrashCounts = { rounds: 0, opening: 0, told: 0, inDoubt: 0, spent: 0 };
  let killed = new KilledHome(new Shell(template));
  try {
    for (let round = 0; round < options.rounds && Date.now() < (options.until ?? Number.POSITIVE_INFINITY); round++) {
      if (round > 0 && round % roundsPerHome === 0) {
        killed.shell.remove();
        killed = new KilledHome(new Shell(template));
      }
      const lines = await killed.killOnce(`r${round}`, random);
      killed.remember(lines);
      const keys = [...new Set(lines.flatMap((line) => ("key" in line ? [line.key] : [])))];
      const found = await checkKilled(killed, keys);
      counts.rounds += 1;
      counts.opening += lines.length === 0 ? 1 : 0;
      counts.told += lines.filter((line) => line.type === "told").length;
      counts.inDoubt += found.started.length;
      counts.spent += lines.filter((line) => line.type === "decided").length;
      options.note?.(`round ${round + 1}: ${lines.length} lines, ${found.started.length} in doubt`);
    }
    // What the last reopening recorded.
    await withDeadHome(killed.home, (dead) => checkDead(killed, dead, []));
  } catch (error) {
    throw new Error(`seed ${options.seed}, round ${counts.rounds + 1}, home ${killed.home}`, { cause: error });
  }
  killed.shell.remove();
  return counts;
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
  for (const key of keys.slice(-3)) {
    const told = killed.told.get(key);
    if (told !== undefined && told.digest !== null) expect(dead.digestOf(told.intentId, true)).toBe(told.digest);
  }
  for (const { key, action } of killed.asked.values()) {
    const effects = dead.intents.get(key)?.record.effects.length ?? 0;
    expect(effects, key).toBeLessThanOrEqual(1);
    if (killed.touched.has(key) || action === "kv.put") continue;
    const path = killed.file(key);
    const done = existsSync(path) === (action === "fs.write");
    if (done) expect(effects, `${key} was performed before it was recorded`).toBe(1);
    if (killed.told.get(key)?.status === "executed") expect(done, `${key} was told and is not done`).toBe(true);
    if (existsSync(path)) expect(readFileSync(path, "utf8")).toBe(key);
  }
  checkCounters(killed, dead);
  // Among the rest: keys and values are exactly what the completed runs wrote.
  if (dead.size > 0) expect(auditProblems(dead.audit())).toEqual([]);
  const started = [...dead.intents.values()].filter(({ record }) => record.state === "started");
  return { started: started.map(({ record }) => record.intentId).sort(), states: dead.intents };
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
  if (ask.action === "kv.put") {
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

/** The long form for the suites that are only run by name: another seed every time, told with every tenth round. */
export async function playLongCrashRounds(template: Shell, rounds: number, budgetMs: number): Promise<CrashCounts> {
  const seed = Number(process.env["EXOARMUR_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`crash rounds: seed ${seed}; EXOARMUR_SEED=${seed} kills at the same points again`);
  let number = 0;
  const note = (text: string): void => {
    number += 1;
    if (number % 10 === 0) console.log(text);
  };
  const counts = await playCrashRounds(template, { seed, rounds, until: Date.now() + budgetMs, note });
  console.log(`crash rounds: ${JSON.stringify(counts)}`);
  return counts;
}
