import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../../src/client/client.js";
import { trustSchema } from "../../src/contracts/trust.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { near } from "../e2e/cli.js";
import { type Served, startServed } from "../e2e/support/served.js";
import { type Load, runAgent, type Told } from "./load/agents.js";
import { chanceOf } from "./load/chance.js";
import { type LoadHome, makeLoadHome } from "./load/home.js";
import { type Decisions, runOperator } from "./load/operators.js";

const seconds = Number(process.env["EXOARMUR_LOAD_SECONDS"] ?? 60);
const seed = Number(process.env["EXOARMUR_SEED"] ?? Date.now() % 2 ** 31);
const agents = 500;
const keyed = 10;
const operators = 4;
const mib = 1_048_576;
/** What the process may come to hold, and how much of that between the second and the last third of the load. */
const mostResident = 1536 * mib;
const mostGrowth = 384 * mib;
const sampled = 24;

let home: LoadHome;
let served: Served;
const told: Told[] = [];
const decisions: Decisions = { made: new Map(), late: 0 };

beforeAll(async () => {
  home = await makeLoadHome(agents, keyed, operators);
  served = await startServed(home.shell);
}, 300_000);
afterAll(async () => {
  await served.end("SIGKILL");
  home.shell.remove();
});

it(`${agents} agents and ${operators} slow operators: nothing lost, nothing twice, bounded memory`, async () => {
  console.log(`load: ${agents} agents for ${seconds} s; EXOARMUR_SEED=${seed}, EXOARMUR_LOAD_SECONDS for longer`);
  let cuts = 0;
  const cut = () => {
    cuts += 1;
  };
  const until = Date.now() + seconds * 1000;
  const { origin } = served;
  const load: Load = { origin, seed, until, told: (one) => void told.push(one), cut, doing: new Map() };
  const resident: number[] = [];
  const sampling = setInterval(() => void resident.push(served.resident()), 250);
  let over = false;
  const begun = Date.now();
  const noting = setInterval(() => {
    const { size } = decisions.made;
    const left = Date.now() < until ? [] : [...load.doing.values()].slice(0, 5);
    const at = Math.round((Date.now() - begun) / 1000);
    console.log(`load: ${at} s, ${told.length} actions, ${size} decided; left: ${left.join("; ")}`);
  }, 10_000);
  const people = home.operators.map((key, at) =>
    runOperator(key, { origin, seed: seed + at, over: () => over, decisions }),
  );
  try {
    await Promise.all([
      Promise.all(home.agents.map((agent, at) => runAgent(agent, at, load))).finally(() => {
        over = true;
      }),
      ...people,
    ]);
  } finally {
    clearInterval(sampling);
    clearInterval(noting);
  }
  console.log(`load: ${JSON.stringify(figures(cuts, begun, resident))}`);
  checkMemory(resident);
  checkEffects();
  await checkRecords();
});

/** Every effect that anybody was told of is in its file once, in no other, and nothing else is there. */
function checkEffects(): void {
  const expected = new Map<string, string[]>();
  for (const { agent, folder, line, status } of told) {
    if (status === "executed")
      expected.set(`${folder}/${agent}`, [...(expected.get(`${folder}/${agent}`) ?? []), line]);
  }
  let lines = 0;
  for (const { name } of home.agents) {
    for (const folder of ["free", "ask"]) {
      const found = home.shell.read(`data/${folder}/${name}.log`).split("\n").slice(0, -1);
      expect(found).toEqual(expected.get(`${folder}/${name}`) ?? []);
      lines += found.length;
    }
  }
  expect(lines).toBe(told.filter(({ status }) => status === "executed").length);
  expect(lines).toBeGreaterThan(agents);
}

/** What was told is what people decided, is in the log, and samples of it verify and replay. */
async function checkRecords(): Promise<void> {
  for (const { folder, intentId, status } of told) {
    const decided = decisions.made.get(intentId)?.decision;
    expect(decided !== undefined).toBe(folder === "ask");
    expect(status).toBe(decided === "deny" ? "denied" : "executed");
  }
  expect(new Set(told.map(({ intentId }) => intentId)).size).toBe(told.length);
  const trust = trustSchema.parse(JSON.parse(home.shell.read(".exoarmur/trust.json")));
  const chance = chanceOf(seed);
  const files: string[] = [];
  for (let n = 0; n < sampled; n++) {
    const one = told[Math.floor(chance() * told.length)];
    const token = home.agents.find(({ name }) => name === one?.agent)?.token;
    if (one === undefined || token === undefined) continue;
    const result = await createClient({ origin: served.origin, token }).status(one.intentId);
    if (!("bundle" in result)) return expect.fail(result.status);
    const bytes = await result.bundle.bytes();
    expect(verifyBundle(bytes, { trust }).result).toBe("pass");
    if (one.status === "executed") files.push(home.shell.write(`${one.intentId}.proof.json`, bytes));
  }
  expect(await served.end("SIGTERM")).toBe(0);
  const check = await near(home.shell, ["log", "check", "--json"]);
  expect(check.code, check.stderr).toBe(0);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files.slice(0, 8)) {
    const replayed = await near(home.shell, ["replay", file, "--json"]);
    expect([file, replayed.code]).toEqual([file, 0]);
  }
}

function figures(cuts: number, begunAt: number, resident: readonly number[]): object {
  const sorted = (times: readonly number[]) => [...times].sort((a, b) => a - b);
  const at = (times: readonly number[], share: number) => sorted(times)[Math.floor(times.length * share)] ?? 0;
  const spread = (times: readonly number[]) => ({
    p50: at(times, 0.5),
    p99: at(times, 0.99),
    most: at(times, 1 - 1e-9),
  });
  const afterDecision = told.flatMap(({ intentId, endedAt }) => {
    const decided = decisions.made.get(intentId);
    return decided === undefined ? [] : [Math.max(0, endedAt - decided.at)];
  });
  const statuses = new Map<string, number>();
  for (const { status } of told) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  return {
    actions: told.length,
    perSecond: Math.round((told.length * 1000) / (Math.max(...told.map(({ endedAt }) => endedAt)) - begunAt)),
    ...Object.fromEntries(statuses),
    answerMs: spread(told.map(({ firstMs }) => firstMs)),
    decided: decisions.made.size,
    decisionToToldMs: spread(afterDecision),
    lateDecisions: decisions.late,
    cutConnections: cuts,
    residentMiB: [resident[0] ?? 0, Math.max(...resident), resident.at(-1) ?? 0].map((bytes) =>
      Math.round(bytes / mib),
    ),
  };
}

/** Bounded, and not growing with what was done. */
function checkMemory(resident: readonly number[]): void {
  const third = Math.floor(resident.length / 3);
  const mean = (samples: readonly number[]) => samples.reduce((sum, one) => sum + one, 0) / samples.length;
  expect(Math.max(...resident)).toBeLessThan(mostResident);
  expect(mean(resident.slice(2 * third)) - mean(resident.slice(third, 2 * third))).toBeLessThan(mostGrowth);
}
