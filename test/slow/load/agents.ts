import { type Client, createClient } from "../../../src/client/client.js";
import type { RemoteResult } from "../../../src/client/result.js";
import { decodeBase64 } from "../../../src/crypto/encoding.js";
import { signerFromSeed } from "../../../src/crypto/signer.js";
import { systemClock } from "../../../src/runtime/system.js";
import { chanceOf } from "./chance.js";
import type { LoadAgent } from "./home.js";

/** What an agent was told of one action. `line` is what the action appends to the agent's file in `folder`. */
export type Told = {
  readonly agent: string;
  readonly folder: "free" | "ask";
  readonly line: string;
  readonly intentId: string;
  readonly status: RemoteResult["status"];
  /** Until the first answer, and when the last one came. Milliseconds. */
  readonly firstMs: number;
  readonly endedAt: number;
};

/** What all agents have in common. */
export type Load = {
  readonly origin: string;
  readonly seed: number;
  /** No action is begun afterwards. */
  readonly until: number;
  readonly told: (told: Told) => void;
  readonly cut: () => void;
  /** What each agent that has not ended waits for. */
  readonly doing: Map<string, string>;
};

const asks = 0.08;
const cuts = 0.1;
const repeats = 0.1;
const longestCutMs = 40;

/** Connections that are cut at a moment of their own, before or after the other side has done what was asked. */
function cuttingFetch(chance: () => number, cut: () => void): typeof fetch {
  return async (input, init = {}) => {
    if (chance() >= cuts) return await fetch(input, init);
    const scissors = new AbortController();
    const timer = setTimeout(() => {
      cut();
      scissors.abort(new Error("cut"));
    }, chance() * longestCutMs);
    const signals = [scissors.signal, ...(init.signal instanceof AbortSignal ? [init.signal] : [])];
    try {
      const answer = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
      const bytes = await answer.arrayBuffer();
      return new Response(bytes, { status: answer.status, headers: answer.headers });
    } finally {
      clearTimeout(timer);
    }
  };
}

function clientOf({ token, key }: LoadAgent, { origin, cut }: Load, chance: () => number): Client {
  const options = {
    origin,
    fetch: cuttingFetch(chance, cut),
    patience: { attempts: 60, firstMs: 50, mostMs: 2000 },
    pollMs: 5000,
  };
  if (token !== undefined) return createClient({ ...options, token });
  const signer = signerFromSeed(decodeBase64(key?.seed ?? "") ?? new Uint8Array(0));
  return createClient({ ...options, agent: { signer, cellId: "local", clock: systemClock } });
}

/** One agent: acts, waits for people where it must, repeats itself at times, until the load is over. */
export async function runAgent(agent: LoadAgent, at: number, load: Load): Promise<void> {
  const chance = chanceOf(load.seed * 1000 + at);
  const client = clientOf(agent, load, chance);
  for (let round = 0; Date.now() < load.until; round++) {
    const folder = chance() < asks ? "ask" : "free";
    const line = `${agent.name}/${round}`;
    const draft = {
      action: "fs.append",
      parameters: { path: `data/${folder}/${agent.name}.log`, text: `${line}\n` },
      idempotencyKey: line,
    };
    const begun = Date.now();
    load.doing.set(agent.name, `${line}, handed in`);
    const first = await client.execute(draft);
    const firstMs = Date.now() - begun;
    load.doing.set(agent.name, `${line}, ${first.status}`);
    const last = first.status === "approval_pending" ? await client.wait(first.intentId) : first;
    const { intentId, status } = last;
    load.told({ agent: agent.name, folder, line, intentId, status, firstMs, endedAt: Date.now() });
    if (chance() >= repeats) continue;
    load.doing.set(agent.name, `${line}, handed in again`);
    const again = await client.execute(draft);
    if (again.intentId !== intentId || again.status !== status) {
      throw new Error(`${line}: ${intentId} ${status}, and again ${again.intentId} ${again.status}`);
    }
  }
  load.doing.delete(agent.name);
}
