import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../../src/client/client.js";
import type { LiveMessage } from "../../src/client/live.js";
import { jsonOf, near, Shell } from "../e2e/cli.js";

/** How often the process is killed, and how many intents are handed in meanwhile, four at a time. */
const kills = 5;
const lanes = 4;

const flags = { EXOARMUR_FLAG_V2_FEDERATION_ENABLED: "1", EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED: "1" };
const patience = { attempts: 1000, firstMs: 20, mostMs: 200 };

let shell: Shell;
let served: ChildProcess;
let origin: string;

async function serve(port: string): Promise<void> {
  served = shell.start(["serve", "--port", port, "--json"], { env: flags });
  let text = "";
  for await (const part of served.stdout?.setEncoding("utf8") ?? []) {
    text += String(part);
    if (text.endsWith("}\n")) break;
  }
  origin = String((JSON.parse(text) as { origin: string }).origin);
}

async function tokenOf(args: readonly string[]): Promise<string> {
  return String(jsonOf(await near(shell, ["tokens", "new", ...args, "--json"]))["token"]);
}

beforeAll(async () => {
  shell = new Shell();
  await near(shell, ["init"]);
  await serve("0");
});
afterAll(async () => {
  if (served.exitCode === null && served.kill("SIGKILL")) await once(served, "close");
  shell.remove();
});

it("whoever follows a process that is killed again and again is told of each event once", {
  timeout: 240_000,
}, async () => {
  const agent = createClient({ origin, token: await tokenOf(["--actor", "me", "--action", "table.*"]), patience });
  const reader = createClient({ origin, token: await tokenOf(["--viewer"]), patience });
  const told: LiveMessage[] = [];
  const over = new AbortController();
  const following = (async () => {
    for await (const message of reader.follow({ signal: over.signal })) told.push(message);
  })().catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(() => told.length > 0);
  const port = new URL(origin).port;
  let stop = false;
  const work = Array.from({ length: lanes }, async (_, lane) => {
    for (let round = 0; !stop; round += 1) {
      const { status } = await agent.call(
        "table.stats",
        { path: "data/orders.csv" },
        { idempotencyKey: `${lane}/${round}` },
      );
      // A run that died with its process is in doubt, and never run again by itself.
      expect(["executed", "in_doubt"]).toContain(status);
    }
  });
  for (let kill = 0; kill < kills; kill += 1) {
    const seen = told.length;
    await until(() => told.length >= seen + 20 + kill * 7);
    served.kill("SIGKILL");
    await once(served, "close");
    await serve(port);
  }
  stop = true;
  await Promise.all(work);
  const last = await agent.call("table.stats", { path: "data/orders.csv" }, { idempotencyKey: "last" });
  const isLast = (message: LiveMessage): boolean =>
    message.kind === "event" &&
    message.event.intentId === last.intentId &&
    message.event.eventType === "execution_completed";
  await until(() => told.some(isLast));
  over.abort();
  await following;
  const whole: LiveMessage[] = [];
  for await (const message of reader.follow({ after: told[0]?.id ?? 0 })) {
    whole.push(message);
    if (isLast(message)) break;
  }
  const events = (messages: readonly LiveMessage[]) => messages.filter(({ kind }) => kind === "event");
  expect(told.filter(({ kind }) => kind === "reset")).toEqual([]);
  expect(told.filter(({ kind }) => kind === "ready").length).toBeGreaterThanOrEqual(kills + 1);
  expect(events(told)).toEqual(events(whole));
  expect(events(told).length).toBeGreaterThan(kills * 20);
});
