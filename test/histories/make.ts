import type { PolicyRule } from "../../src/contracts/policy.js";
import { type Trust, trustSchema } from "../../src/contracts/trust.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { Performer, SandboxHost } from "../../src/ports.js";
import { redactBundle } from "../../src/proof/redact.js";
import { artifact, attest, attesterKey, builder, provenanceType, tester } from "../support/attestation.js";
import { FakeDisk } from "../support/fake-sandbox.js";
import { place } from "../support/http.js";
import {
  agent,
  openRig,
  type Plugin,
  pluginAt,
  type Rig,
  type RigOptions,
  requestOf,
  signedPlugin,
} from "../support/rig.js";
import { grant, killOrder, resolution, scoreOrder } from "../support/sign.js";
import { keys, testClock, trusted, usualKeys } from "../support/world.js";

/** A bundle as it is recorded, under the name of what happened. */
export type Recording = { readonly name: string; readonly bytes: Uint8Array };

/** What all recordings of one making are checked under. */
export type Recordings = { readonly trust: Trust; readonly recordings: readonly Recording[] };

const trustKeys = [
  ...usualKeys,
  trusted("publisher", "acme", keys.publisher),
  attesterKey(builder),
  attesterKey(tester),
];

const bounded = (path: string, limits: object): Plugin => pluginAt(path, (draft) => ({ ...draft, limits }));

/** Every executor that is shipped, as it is shipped, and the small ones that end in every other way. */
const plugins: readonly Plugin[] = [
  ...["fs", "http", "kv", "table-stats", "json-transform", "text-diff", "checksum", "containment"].map((name) =>
    pluginAt(`plugins/${name}`),
  ),
  bounded("plugins/spin", { fuel: 100_000 }),
  bounded("test/fixtures/memory-bomb", { memoryPages: 8 }),
  bounded("test/fixtures/big-output", { outputBytes: 1024 }),
  bounded("test/fixtures/many-calls", { hostCalls: 3 }),
  bounded("test/fixtures/loop", { fuel: 1_000_000_000_000, timeoutMs: 200 }),
  // Nobody here performs what it asks for.
  pluginAt("test/fixtures/clock", (draft) => ({
    ...draft,
    name: "faulty",
    functions: [{ name: "now", action: "test.faulty", effects: "none", output: "bytes" }],
  })),
  ...["echo", "guest-error", "trap", "recurse", "clock", "nan"].map((name) => pluginAt(`test/fixtures/${name}`)),
];

const rules: readonly PolicyRule[] = [
  { id: "ask-one", match: { action: "test.echo", parameters: { "/ask": 1 } }, verdict: "require_approval" },
  {
    id: "ask-two",
    match: { action: "test.echo", parameters: { "/ask": 2 } },
    verdict: "require_approval",
    obligations: { approvals: 2, roles: ["approver"], expiresInSeconds: 600 },
  },
  { id: "not-this", match: { action: "test.trap-bounds" }, verdict: "deny" },
  { id: "cannot-tell", match: { action: "test.nan", parameters: { "/missing": true } }, verdict: "deny" },
  { id: "later", match: { action: "test.clock", parameters: { "/later": true } }, verdict: "defer" },
  {
    id: "narrow-remove",
    match: { action: "fs.remove" },
    verdict: "require_approval",
    obligations: { narrow: { fs_remove: { paths: ["{target}"] } } },
  },
  { id: "any", match: {}, verdict: "allow" },
];

const files = { fs_read: { roots: ["data"] } };
const keysGrant = { prefixes: ["orders/"] };
const network = { http_request: { allow: [place(8001)] } };
const grants: NonNullable<RigOptions["grants"]> = {
  fs: { ...files, fs_write: { roots: ["data"] }, fs_remove: { roots: ["data"] } },
  http: network,
  containment: network,
  kv: { kv_get: keysGrant, kv_put: keysGrant, kv_delete: keysGrant, kv_list: keysGrant },
  "table-stats": files,
  checksum: files,
  "many-calls": { log: {} },
  faulty: { clock_now: {} },
};

const csv = "order,region,amount\n1,north,10.5\n2,süd,-3\n3,north,1e3\n";
const origin = "http://127.0.0.1:8001";

/** A file that is read in parts, as executors do it. */
const reading: Performer = {
  perform: ({ path, offset, length }) => {
    if (path !== "data/orders.csv") return { outcome: "error", code: "EXO_FS_NOT_FOUND", message: "no such file" };
    const bytes = encodeUtf8(csv);
    const from = Number(offset ?? 0);
    return {
      outcome: "ok",
      value: { bytes: bytes.slice(from, from + Number(length ?? bytes.length)), size: bytes.length },
    };
  },
};

/** A server without a socket. */
const answering: Performer = {
  perform: ({ method, url }) => {
    const path = String(url).slice(origin.length);
    const parts = path.split("/");
    const body = path.startsWith("/edr") ? { endpoint: parts[3], isolated: true } : { method, path, total: 12.5 };
    return {
      outcome: "ok",
      value: { status: 200, headers: { "content-type": "application/json" }, body: encodeUtf8(JSON.stringify(body)) },
    };
  },
};

type Step = readonly [name: string, action: string, parameters: { readonly [name: string]: unknown }];

/** A run of every executor that is shipped, and what else completes. */
const executed: readonly Step[] = [
  ["fs-read", "fs.read", { path: "data/orders.csv" }],
  ["http-request", "http.request", { url: `${origin}/orders`, method: "POST", json: { amount: 1.5 } }],
  ["kv-put", "kv.put", { key: "orders/7", json: { total: 12.5 } }],
  ["table-stats", "table.stats", { path: "data/orders.csv" }],
  [
    "json-transform",
    "json.transform",
    { expression: "orders[?open].id | sort(@)", input: { orders: [{ id: "b", open: true }] } },
  ],
  ["text-diff", "text.diff", { before: "a\nb\nc\n", after: "a\nB\nc\n" }],
  ["checksum", "file.checksum", { path: "data/orders.csv" }],
  ["containment", "containment.isolate", { api: `${origin}/edr`, endpoint: "endpoint-demo-001", order: "evt-1" }],
  ["echo", "test.echo", { text: "süd" }],
  ["log", "test.many-calls", { calls: 2 }],
];

/** Every way in which a run does not complete, and an intent does not run. */
const others: readonly Step[] = [
  ["guest-error", "test.guest-error", {}],
  ["trapped", "test.trap", {}],
  ["out-of-fuel", "demo.spin", {}],
  ["out-of-memory", "test.memory-bomb", {}],
  ["stack-overflow", "test.recurse", {}],
  ["output-limit", "test.big-output", { size: 2000 }],
  ["host-call-limit", "test.many-calls", { calls: 100 }],
  ["host-fault", "test.faulty", {}],
  ["capability-denied", "fs.list", { path: "data" }],
  ["timed-out", "test.loop", {}],
  ["denied-by-rule", "test.trap-bounds", {}],
  ["denied-by-error", "test.nan", { path: "x" }],
  ["denied-deferred", "test.clock", { later: true }],
  ["denied-unknown-executor", "no.such", {}],
  ["denied-wrong-parameters", "containment.isolate", { api: origin, endpoint: "e" }],
];

async function act(rig: Rig, [name, action, parameters]: Step, more: object = {}): Promise<string> {
  rig.clock.advance(1000);
  const target = action === "no.such" ? { target: "x" } : {};
  const draft = { actor: agent, action, parameters, correlationId: name, ...target, ...more };
  return (await rig.pipeline.execute(draft as never)).intentId;
}

function recorded(rig: Rig, name: string, intentId: string): Recording {
  const bundle = rig.pipeline.bundle(intentId);
  if (bundle === undefined) throw new Error(`${name}: ${JSON.stringify(rig.pipeline.status(intentId))}`);
  return { name, bytes: bundle.bytes() };
}

async function approvals(rig: Rig): Promise<Recording[]> {
  const ask = async (name: string, count: number): Promise<string> =>
    await act(rig, [name, "test.echo", { ask: count }]);
  const request = (intentId: string): ReturnType<typeof requestOf> => requestOf(rig.pipeline.status(intentId));
  const one = await ask("approved", 1);
  await rig.pipeline.decide(await grant(request(one), "alice", keys.alice));
  const two = await ask("approved-by-two", 2);
  await rig.pipeline.decide(await grant(request(two), "alice", keys.alice));
  await rig.pipeline.decide(await grant(request(two), "bob", keys.bob));
  const no = await ask("approval-denied", 1);
  await rig.pipeline.decide(await grant(request(no), "carol", keys.carol, { decision: "deny", reason: "not today" }));
  const narrow = await act(rig, ["approved-narrowed", "fs.remove", { path: "data/new.txt" }]);
  await rig.pipeline.decide(await grant(request(narrow), "alice", keys.alice));
  const late = await ask("approval-expired", 2);
  rig.clock.advance(700_000);
  await rig.pipeline.expireApprovals();
  const ended = {
    approved: one,
    "approved-by-two": two,
    "approval-denied": no,
    "approved-narrowed": narrow,
    "approval-expired": late,
  };
  return Object.entries(ended).map(([name, intentId]) => recorded(rig, name, intentId));
}

/** An action whose outcome nobody saw, closed by an operator. */
async function resolved(rig: Rig, disk: FakeDisk): Promise<Recording> {
  disk.onWrite = () => Promise.resolve("unknown");
  const intentId = await act(rig, ["resolved", "fs.write", { path: "data/doubtful.txt", text: "x" }]);
  disk.onWrite = null;
  await rig.pipeline.resolve(await resolution(intentId, "committed"));
  return recorded(rig, "resolved", intentId);
}

async function signedAndAttested(options: RigOptions): Promise<Recording[]> {
  const echo = await signedPlugin(pluginAt("test/fixtures/echo"), keys.publisher);
  const built: PolicyRule = {
    id: "built-by-us",
    match: {
      action: "test.echo",
      attestation: { predicateType: provenanceType, attester: "builder", subject: { parameter: "/artifact" } },
    },
    verdict: "allow",
  };
  const rig = await openRig({
    ...options,
    seed: "histories/signed",
    rules: [built],
    plugins: [echo],
    requireSignatures: true,
  });
  const parameters = { artifact };
  const yes = { actor: agent, action: "test.echo", parameters, correlationId: "signed-and-attested" } as never;
  const { intentId } = await rig.pipeline.execute(yes, { attestations: [attest([builder])] });
  const no = await act(rig, ["denied-not-attested", "test.echo", parameters]);
  return [recorded(rig, "signed-and-attested", intentId), recorded(rig, "denied-not-attested", no)];
}

/** An action that the policy allows and the safety gate does not, for an agent that lost its operator's trust. */
async function distrusted(options: RigOptions): Promise<Recording> {
  const allow: PolicyRule = { id: "any", match: {}, verdict: "allow" };
  const plugins = [pluginAt("test/fixtures/echo")];
  const rig = await openRig({ ...options, seed: "histories/distrusted", rules: [allow], plugins });
  await rig.pipeline.setTrustScore(await scoreOrder(0.4));
  const intentId = await act(rig, ["approved-for-safety", "test.echo", {}]);
  await rig.pipeline.decide(await grant(requestOf(rig.pipeline.status(intentId)), "alice", keys.alice));
  return recorded(rig, "approved-for-safety", intentId);
}

/**
 * Makes every recording through the pipeline on a real sandbox. All but what a machine's load decides (the time that a
 * loop was stopped at) is the same in every run.
 */
export async function makeRecordings(sandbox: SandboxHost): Promise<Recordings> {
  const disk = new FakeDisk();
  const options: RigOptions = {
    sandbox,
    disk,
    trustKeys,
    grants,
    clock: testClock(),
    performers: {
      fs_read: reading,
      fs_write: disk.performers.fs_write,
      fs_remove: disk.performers.fs_remove,
      http_request: answering,
      log: { perform: () => ({ outcome: "ok", value: {} }) },
    },
  };
  const rig = await openRig({ ...options, seed: "histories", rules, plugins });
  const recordings: Recording[] = [];
  for (const step of [...executed, ...others]) recordings.push(recorded(rig, step[0], await act(rig, step)));
  recordings.push(...(await approvals(rig)), await resolved(rig, disk));
  await rig.pipeline.switchKill(await killOrder(true));
  recordings.push(recorded(rig, "denied-kill-switch", await act(rig, ["denied-kill-switch", "test.echo", {}])));
  recordings.push(...(await signedAndAttested({ ...options, clock: testClock() })));
  recordings.push(await distrusted({ ...options, clock: testClock() }));
  const echoed = recordings.find(({ name }) => name === "echo");
  if (echoed === undefined) throw new Error("nothing was echoed");
  recordings.push({ name: "redacted", bytes: redactBundle(echoed.bytes, { hide: ["input", "output"] }).bytes });
  return { trust: trustSchema.parse(rig.trust), recordings };
}
