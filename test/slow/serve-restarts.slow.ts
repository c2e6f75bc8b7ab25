import { copyFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { signGrantWith } from "../../src/approval/sign.js";
import { formatTime } from "../../src/canonical/time.js";
import { type Client, createClient } from "../../src/client/client.js";
import { login } from "../../src/client/login.js";
import type { RemoteResult } from "../../src/client/result.js";
import type { ApprovalRequest } from "../../src/contracts/approval.js";
import { trustSchema } from "../../src/contracts/trust.js";
import { encodeBase64Url } from "../../src/crypto/encoding.js";
import { systemEntropy } from "../../src/crypto/random.js";
import { readKeyFile } from "../../src/home/keys.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { errorOf, jsonOf, near, ROOT, Shell } from "../e2e/cli.js";
import { controlFlags, type Served, startServed } from "../e2e/support/served.js";

let shell: Shell;
let served: Served;
let token: string;

const asking = { action: "demo.spin", parameters: { ask: true }, idempotencyKey: "asked" };
const spin = { action: "demo.spin", parameters: {}, idempotencyKey: "spin" };
const line = (at: number) => ({
  action: "fs.append",
  parameters: { path: `data/${at}.log`, text: `${at}\n` },
  idempotencyKey: `line-${at}`,
});

/** Steps of the guest that end by themselves after some seconds, or never. */
async function makeHome(fuel: number): Promise<void> {
  shell = new Shell();
  await near(shell, ["init"]);
  copyFileSync(`${ROOT}/plugins/spin.wasm`, shell.path(".exoarmur/plugins/spin.wasm"));
  const manifest = {
    schema: "exoarmur.executor/v1",
    name: "spin",
    version: "1.0.0",
    functions: [{ name: "spin", action: "demo.spin", effects: "none" }],
    limits: { fuel, timeoutMs: 60_000 },
  };
  shell.write(".exoarmur/plugins/spin.json", JSON.stringify(manifest));
  shell.edit(".exoarmur/config.json", (config) => ({
    ...config,
    grants: { fs: { fs_append: { roots: ["data"] } } },
    safety: { sources: { trustScore: "state", cellLoad: "off", networkHealth: "off" } },
  }));
  const rules = [
    {
      id: "ask",
      match: { action: "demo.spin", parameters: { "/ask": true } },
      verdict: "require_approval",
    },
    { id: "spin", match: { action: "demo.spin" }, verdict: "allow" },
    { id: "append", match: { action: "fs.append", target: { under: "data" } }, verdict: "allow" },
  ];
  shell.edit(".exoarmur/policy.json", (policy) => ({ ...policy, rules }));
  const made = await near(shell, ["tokens", "new", "--actor", "bot", "--action", "*", "--json"]);
  token = String(jsonOf(made)["token"]);
  served = await startServed(shell);
}

const portOf = () => Number(new URL(served.origin).port);
const client = (bearer = token): Client =>
  createClient({
    origin: served.origin,
    token: bearer,
    pollMs: 1000,
    patience: { attempts: 100, firstMs: 50, mostMs: 500 },
  });

async function restart(): Promise<void> {
  const port = portOf();
  served = await startServed(shell, port);
}

/** Hands an intent in and comes back as soon as it runs. */
async function started(draft: object): Promise<string> {
  for (;;) {
    const response = await fetch(`${served.origin}/v1/intents?waitMs=50`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(draft),
    });
    const { intentId, status } = (await response.json()) as { intentId: string; status: string };
    if (status === "running") return intentId;
    await sleep(20);
  }
}

async function session(role: "approver" | "operator"): Promise<string> {
  const { signer } = await readKeyFile(shell.path(".exoarmur", "keys", `${role}.key`), role);
  return (await login({ origin: served.origin, signer, role })).token;
}

async function grantOf(request: ApprovalRequest) {
  const { signer, id } = await readKeyFile(shell.path(".exoarmur", "keys", "approver.key"), "approver");
  const stamp = { signedAt: formatTime(Date.now()), nonce: encodeBase64Url(systemEntropy.bytes(32)) };
  return await signGrantWith(request, { signer, approverId: id, decision: "approve", ...stamp });
}

function pendingOf(result: RemoteResult): ApprovalRequest {
  if (result.status !== "approval_pending") throw new Error(result.status);
  return result.approval;
}

afterEach(async () => {
  await served.end("SIGKILL");
  shell.remove();
});

/** Far beyond what a guest can use in a minute, and about what it uses in a second. */
const endless = 9_000_000_000_000_000;
const brief = 1_000_000_000;

async function bundleOf(result: RemoteResult): Promise<void> {
  if (!("bundle" in result)) throw new Error(result.status);
  const trust = trustSchema.parse(JSON.parse(shell.read(".exoarmur/trust.json")));
  expect(verifyBundle(await result.bundle.bytes(), { trust }).result).toBe("pass");
}

async function logIsWhole(): Promise<void> {
  await served.end("SIGTERM");
  const check = await near(shell, ["log", "check", "--json"]);
  expect([check.code, check.stderr]).toEqual([0, ""]);
}

describe("serve is killed", () => {
  it("between a grant and the end of its run: in doubt, the wait is told, and the approval is spent", async () => {
    await makeHome(endless);
    const request = pendingOf(await client().execute(asking));
    const waiting = client().wait(request.intentId);
    const grant = await grantOf(request);
    const approver = await session("approver");
    const deciding = client(approver).decide(request.requestId, grant);
    deciding.catch(() => undefined);
    while ((await client().status(request.intentId)).status !== "running") await sleep(20);
    await served.end("SIGKILL");
    await expect(deciding).rejects.toMatchObject({ code: "EXO_CONTROL_PLANE" });
    await restart();
    expect(served.inDoubt).toEqual([request.intentId]);
    const told = await waiting;
    expect(told.status).toBe("in_doubt");
    if (told.status !== "in_doubt") throw new Error(told.status);
    expect(told.advice.nextSteps.map(({ step }) => step)).toEqual(["do_not_repeat", "resolve"]);
    // The very same decision again is told how it stands, and starts nothing.
    const again = await client(await session("approver")).decide(request.requestId, grant);
    expect(again).toMatchObject({ status: "in_doubt", intentId: request.intentId });
    // Under its own key it is the same intent, in doubt; it does not run again.
    expect(await client().execute(asking)).toMatchObject({ status: "in_doubt", intentId: request.intentId });
    await logIsWhole();
  });

  it("between a submission and its answer: the same request again is the same intent, and runs once", async () => {
    await makeHome(endless);
    const intentId = await started(spin);
    const answer = client().execute(spin);
    await served.end("SIGKILL");
    await restart();
    expect(await answer).toMatchObject({ status: "in_doubt", intentId });
    await logIsWhole();
  });

  it("while many hand in: whoever goes on asking is told, and no line is there twice", async () => {
    await makeHome(brief);
    for (let round = 0; round < 3; round++) {
      const lines = Array.from({ length: 30 }, (_, at) => line(round * 100 + at));
      const told = Promise.all(lines.map((one) => client().execute(one)));
      await sleep(60 + round * 140);
      await served.end("SIGKILL");
      await restart();
      for (const [at, result] of (await told).entries()) {
        const { path, text } = lines[at]?.parameters ?? { path: "", text: "" };
        const file = path.slice("data/".length);
        const found = shell.list("data").includes(file) ? shell.read(path) : "";
        // What is in doubt may have been done, once; what is said to be done has been.
        expect(result.status === "in_doubt" ? ["", text] : [text]).toContain(found);
        expect(["executed", "in_doubt"]).toContain(result.status);
        if (result.status === "executed") await bundleOf(result);
      }
    }
    await logIsWhole();
  });

  it("while a person is waited for: the wait goes on, and the grant runs it", async () => {
    await makeHome(brief);
    const request = pendingOf(await client().execute(asking));
    const waiting = client().wait(request.intentId);
    await sleep(300);
    await served.end("SIGKILL");
    await restart();
    expect(served.inDoubt).toEqual([]);
    const decided = await client(await session("approver")).decide(request.requestId, await grantOf(request));
    const told = await waiting;
    expect([told.status, decided.status]).toEqual(["failed", "failed"]);
    expect(told).toMatchObject({ reason: { code: "EXO_OUT_OF_FUEL" } });
    await bundleOf(told);
    await logIsWhole();
  });
});

describe("serve is ended", () => {
  it("with a run under way: it goes on to its record, and the wait is told after a restart", async () => {
    await makeHome(brief);
    const intentId = await started(spin);
    const waiting = client().wait(intentId);
    expect(await served.end("SIGTERM")).toBe(0);
    expect(served.stderr()).toBe("closing: what runs is finished and recorded; once more ends it at once\n");
    await restart();
    expect(served.inDoubt).toEqual([]);
    const told = await waiting;
    expect(told).toMatchObject({ status: "failed", intentId, reason: { code: "EXO_OUT_OF_FUEL" } });
    await bundleOf(told);
    await logIsWhole();
  });

  it("and while it lives nobody else takes the home", async () => {
    await makeHome(brief);
    const second = await shell.exo(["serve", "--port", "0", "--json"], { env: controlFlags });
    expect([second.code, errorOf(second)]).toEqual([1, "EXO_HOME_LOCKED"]);
    const run = await shell.run({ actor: "me", ...line(1) }, ["--json"]);
    expect([run.code, errorOf(run)]).toEqual([1, "EXO_HOME_LOCKED"]);
    expect((await client().execute(line(2))).status).toBe("executed");
  });
});
