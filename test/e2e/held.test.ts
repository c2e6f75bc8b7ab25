import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Envelope, openEnvelope, payloadTypes } from "../../src/contracts/dsse.js";
import type { ManifestDraft } from "../../src/contracts/manifest.js";
import type { PolicyDocument } from "../../src/contracts/policy.js";
import { roleKeys, type Trust } from "../../src/contracts/trust.js";
import type { Clock, Notice } from "../../src/ports.js";
import type { Runtime } from "../../src/runtime.js";
import { verifyBundle } from "../../src/verify/verify-bundle.js";
import { grant } from "../support/sign.js";
import { keys, trusted } from "../support/world.js";
import { NearShell, ROOT, removeIntent } from "./cli.js";
import { built, builtMemory } from "./support/built.js";

const holdMs = 600_000;
const later = (ms: number): Clock => ({ now: () => Date.now() + ms });

let shell: NearShell;
let server: Server;
let posted: string[];

beforeEach(async () => {
  shell = new NearShell();
  await shell.exo(["init"]);
  posted = [];
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      posted.push(body);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  shell.edit(".exoarmur/config.json", (config) => ({ ...config, notify: { url } }));
  shell.edit(".exoarmur/policy.json", (value) => {
    const policy = value as PolicyDocument;
    const rules = policy.rules.map((rule) =>
      rule.verdict === "require_approval"
        ? { ...rule, obligations: { ...rule.obligations, holdSeconds: holdMs / 1000 } }
        : rule,
    );
    return { ...policy, rules };
  });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  shell.remove();
});

const open = async (clock?: Clock): Promise<Runtime> =>
  await built.createRuntime({ home: shell.path(".exoarmur"), ...(clock === undefined ? {} : { clock }) });

/** What the receiver got, opened under the home's runtime key. */
function notices(trust: Trust): Notice[] {
  const keys = roleKeys(trust, "runtime", 0).map(({ publicKey }) => publicKey);
  return posted.map((body) => {
    const opened = openEnvelope(JSON.parse(body) as Envelope, payloadTypes.notification, keys);
    if (!opened.ok) throw new Error(`${opened.error.code}: ${opened.error.message}`);
    return JSON.parse(new TextDecoder().decode(opened.value.payload)) as Notice;
  });
}

describe("a home whose policy holds what was approved", () => {
  it("says so, forgets it in no restart, runs it once when its time has come, and tells a receiver", async () => {
    let intentId = "";
    {
      await using runtime = await open();
      const asked = await runtime.execute(removeIntent as never);
      if (asked.status !== "approval_pending") return expect.fail(JSON.stringify(asked));
      ({ intentId } = asked);
      const { requestId, notBefore } = asked.approval;
      const shown = await shell.exo(["approvals", "show", requestId]);
      expect(shown.stdout).toMatch(new RegExp(`not before +${notBefore}`));
      const approved = await shell.exo(["approvals", "approve", requestId, "--yes"]);
      expect([approved.code, approved.stdout]).toEqual([
        4,
        expect.stringContaining(`approved, held until ${notBefore}`),
      ]);
      const listed = await shell.exo(["approvals", "list"]);
      expect(listed.stdout).toMatch(new RegExp(`${requestId} +approved .*1 of 1 approvals +held until ${notBefore}`));
      expect(runtime.status(intentId)).toMatchObject({ status: "approval_pending", heldUntil: notBefore });
    }
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
    const doctor = await shell.exo(["doctor"]);
    const { port } = server.address() as AddressInfo;
    expect(doctor.stdout).toMatch(new RegExp(`notifications +http://127.0.0.1:${port}, 0 notices not delivered yet`));
    expect(doctor.stdout).not.toContain("/hook");
    {
      await using runtime = await open();
      expect(runtime.status(intentId).status).toBe("approval_pending");
    }
    await using runtime = await open(later(holdMs + 60_000));
    const ended = await runtime.wait(intentId);
    if (ended.status !== "executed") return expect.fail(JSON.stringify(ended));
    expect(existsSync(shell.path("data/orders.csv"))).toBe(false);
    expect(verifyBundle(ended.bundle.bytes(), { trust: runtime.trust }).result).toBe("pass");
    while (posted.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(notices(runtime.trust).map(({ event, status }) => [event, status])).toEqual([
      ["approval_waiting", undefined],
      ["approval_decided", "approved"],
      ["approval_decided", "spent"],
    ]);
  });

  it("stops it when another approver denies by the command line, and tells of an expiry it slept through", async () => {
    await shell.exo(["keys", "new", "--role", "approver", "--id", "bob", "-o", "bob.key"]);
    const { role, id, publicKey } = JSON.parse(shell.read("bob.key")) as Record<string, unknown>;
    const input = JSON.stringify({ role, id, publicKey, from: null, until: null });
    const added = await shell.exo(["keys", "trust", "add", "-"], { input });
    expect(added).toMatchObject({ code: 0, stderr: "" });
    let [denied, slept] = ["", ""];
    {
      await using runtime = await open();
      const asked = await runtime.execute({ ...(removeIntent as object), idempotencyKey: "a" } as never);
      const other = await runtime.execute({ ...(removeIntent as object), idempotencyKey: "b" } as never);
      if (asked.status !== "approval_pending" || other.status !== "approval_pending") return expect.fail("not pending");
      [denied, slept] = [asked.intentId, other.intentId];
      const { requestId } = asked.approval;
      await shell.exo(["approvals", "approve", requestId, "--yes"]);
      const stopped = await shell.exo([
        "approvals",
        "deny",
        requestId,
        "--reason",
        "wait",
        "--yes",
        "--key",
        "bob.key",
      ]);
      expect([stopped.code, stopped.stdout]).toEqual([0, expect.stringContaining("EXO_APPROVAL_DENIED")]);
    }
    await using runtime = await open(later(1_000_000));
    expect([denied, slept].map((id) => runtime.status(id))).toMatchObject([
      { status: "denied", reason: { code: "EXO_APPROVAL_DENIED" } },
      { status: "denied", reason: { code: "EXO_APPROVAL_EXPIRED" } },
    ]);
    expect(existsSync(shell.path("data/orders.csv"))).toBe(true);
    while (posted.length < 5) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(notices(runtime.trust).map(({ intentId, status }) => [intentId, status])).toEqual([
      [denied, undefined],
      [slept, undefined],
      [denied, "approved"],
      [denied, "denied"],
      [slept, "expired"],
    ]);
  });
});

describe("a runtime from parts", () => {
  it("starts what was held by itself, and its notifier is told", async () => {
    let ahead = 0;
    const told: Notice[] = [];
    const rules: PolicyDocument["rules"] = [
      {
        id: "ask",
        match: { action: "table.stats" },
        verdict: "require_approval",
        obligations: { approvals: 1, holdSeconds: 60 },
      },
    ];
    await using runtime = await built.createRuntime({
      store: builtMemory.createMemoryStore(),
      policy: { schema: "exoarmur.policy/v1", policyId: "held", version: 1, rules },
      plugins: [
        {
          wasm: new Uint8Array(readFileSync(join(ROOT, "plugins", "table-stats.wasm"))),
          manifest: JSON.parse(readFileSync(join(ROOT, "plugins", "table-stats.json"), "utf8")) as ManifestDraft,
        },
      ],
      roots: { data: { path: shell.path("data"), access: "read" } },
      grants: { "table-stats": { fs_read: { roots: ["data"] } } },
      trust: { keys: [trusted("approver", "alice", keys.alice)] },
      features: {},
      clock: { now: () => Date.now() + ahead },
      notifier: { deliver: (notice) => Promise.resolve(void told.push(notice)) },
    });
    const order = { actor: "me", action: "table.stats", parameters: { path: "data/orders.csv" } };
    const asked = await runtime.execute(order as never);
    if (asked.status !== "approval_pending") return expect.fail(JSON.stringify(asked));
    const approved = await runtime.decide(await grant(asked.approval, "alice", keys.alice));
    expect(approved).toMatchObject({ status: "approval_pending", heldUntil: asked.approval.notBefore });
    ahead = 60_000;
    expect((await runtime.wait(asked.intentId)).status).toBe("executed");
    while (told.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(told.map(({ event, status }) => [event, status])).toEqual([
      ["approval_waiting", undefined],
      ["approval_decided", "approved"],
      ["approval_decided", "spent"],
    ]);
  });
});
