/** The scenarios of the stability gate. Every one is sequential: nothing in it depends on how threads are scheduled. */
import { readFileSync } from "node:fs";
import wabtFactory from "wabt";
import { signGrantWith } from "../../dist/approval/sign.js";
import { formatTime } from "../../dist/canonical/time.js";
import { encodeBase64Url } from "../../dist/crypto/encoding.js";
import { signerNamed, trusted } from "./world.mjs";

const approver = signerNamed("alice");
const actor = { id: "report-agent", type: "agent" };

function fileOf(path) {
  return readFileSync(new URL(`../../${path}`, import.meta.url));
}

/** A plugin of the repository; `limits` are laid over its manifest. */
function pluginAt(path, limits) {
  const manifest = JSON.parse(fileOf(`${path}.json`).toString());
  return {
    wasm: new Uint8Array(fileOf(`${path}.wasm`)),
    manifest: limits === undefined ? manifest : { ...manifest, limits },
  };
}

function policyOf(rules) {
  return { schema: "exoarmur.policy/v1", policyId: "stability", version: 1, rules };
}

const allowAll = policyOf([{ id: "allow-all", match: { action: "*" }, verdict: "allow", rationale: "a fixture" }]);

async function assemble(path) {
  const wabt = await wabtFactory();
  return wabt.parseWat(path, fileOf(path).toString()).toBinary({}).buffer;
}

/** A guest that asks for random bytes, assembled here: no other test needs it. */
const random = {
  wasm: await assemble("scripts/stability/random.wat"),
  manifest: {
    schema: "exoarmur.executor/v1",
    name: "random",
    version: "1.0.0",
    functions: [{ name: "random", action: "test.random", effects: "none", output: "bytes" }],
    capabilities: [{ name: "random_bytes" }, { name: "clock_now" }],
  },
};

/** A scenario that runs fixtures without files. */
function fixture(name, plugin, steps, grants = {}) {
  const play = async ({ execute }) => {
    for (const [action, wanted, parameters = {}] of steps) await execute(wanted, { actor, action, parameters });
  };
  return { name, parts: { policy: allowAll, plugins: [plugin], grants }, play };
}

/** A table with quotes, umlauts, empty cells and numbers whose sums depend on the order of addition. */
function table(rows) {
  const lines = ["id,region,item,amount"];
  let state = 7;
  for (let row = 1; row <= rows; row++) {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    const amount = state % 11 === 0 ? "" : `${(state % 100_000) / 100}e${(state % 7) - 3}`;
    lines.push(`${row},${["Åland", "ısı", "straße"][state % 3]},"bolt, ""${state % 5}""",${amount}`);
  }
  return `${lines.join("\n")}\n`;
}

const fsPolicy = policyOf([
  { id: "stats", match: { action: "table.stats", target: { under: "data" } }, verdict: "allow" },
  { id: "files", match: { action: ["fs.read", "fs.write", "fs.list"], target: { under: "data" } }, verdict: "allow" },
  {
    id: "remove-needs-a-person",
    match: { action: "fs.remove", target: { under: "data" } },
    verdict: "require_approval",
    obligations: {
      approvals: 1,
      roles: ["approver"],
      expiresInSeconds: 900,
      narrow: { fs_remove: { paths: ["{target}"] } },
    },
  },
]);
const roots = { roots: ["data"] };
const fsParts = {
  policy: fsPolicy,
  plugins: [pluginAt("plugins/table-stats"), pluginAt("plugins/fs")],
  grants: {
    "table-stats": { fs_read: roots },
    fs: { fs_read: roots, fs_write: roots, fs_list: roots, fs_remove: roots },
  },
  trust: { keys: [trusted("approver", "alice", approver)] },
  files: { "orders.csv": table(3000), "b.txt": "b", "a.txt": "a", "Ä.txt": "umlaut" },
};

/** Asks for a removal and has it decided by alice. */
async function decided({ execute, decide, clock, entropy }, path, decision, wanted, reason) {
  const draft = { actor, action: "fs.remove", parameters: { path } };
  const { approval } = await execute("approval_pending", draft);
  const grant = await signGrantWith(approval, {
    signer: approver,
    approverId: "alice",
    decision,
    ...(reason === undefined ? {} : { reason }),
    signedAt: formatTime(clock.now()),
    nonce: encodeBase64Url(entropy.bytes(32)),
  });
  await decide(wanted, grant);
}

/** Every scenario: its name, the parts of its runtime, and what happens. */
export const scenarios = [
  {
    name: "table-stats",
    parts: fsParts,
    play: async ({ execute }) => {
      await execute("executed", { actor, action: "table.stats", parameters: { path: "data/orders.csv" } });
    },
  },
  {
    name: "files",
    parts: fsParts,
    play: async (stage) => {
      const { execute } = stage;
      const run = (wanted, action, path, more = {}) =>
        execute(wanted, { actor, action, parameters: { path, ...more }, context: { z: 1, a: { y: 2, b: [3] } } });
      await run("executed", "fs.write", "data/ünï.txt", { text: "grüße, ıIiİ\n" });
      await run("executed", "fs.list", "data");
      await run("executed", "fs.read", "data/ünï.txt");
      await run("failed guest_error", "fs.read", "data/missing.txt");
      await decided(stage, "data/ünï.txt", "approve", "executed");
      await run("executed", "fs.list", "data");
    },
  },
  {
    name: "denied",
    parts: fsParts,
    play: async ({ execute }) => {
      const parameters = { path: "secrets/keys.csv" };
      await execute("denied EXO_POLICY_DENIED", { actor, action: "fs.remove", parameters });
      await execute("denied EXO_EXECUTOR_UNKNOWN", { actor, action: "no.such", parameters });
    },
  },
  {
    name: "approval",
    parts: fsParts,
    play: async (stage) => {
      await decided(stage, "data/a.txt", "approve", "executed");
      await decided(stage, "data/b.txt", "deny", "denied EXO_APPROVAL_DENIED", "not today");
    },
  },
  fixture("out-of-fuel", pluginAt("test/fixtures/loop", { fuel: 20_000_000 }), [["test.loop", "failed out_of_fuel"]]),
  fixture("guest-error", pluginAt("test/fixtures/guest-error"), [["test.guest-error", "failed guest_error"]]),
  fixture("recursion", pluginAt("test/fixtures/recurse"), [["test.recurse", "failed stack_overflow"]]),
  fixture("memory-bomb", pluginAt("test/fixtures/memory-bomb"), [
    ["test.memory-bomb", "failed out_of_memory"],
    ["test.memory-bomb-touch", "executed"],
  ]),
  fixture("trap", pluginAt("test/fixtures/trap"), [
    ["test.trap", "failed trapped"],
    ["test.trap-divide", "failed trapped"],
    ["test.trap-bounds", "failed trapped"],
  ]),
  fixture("nan", pluginAt("test/fixtures/nan"), [["test.nan", "executed"]]),
  fixture("clock", pluginAt("test/fixtures/clock"), [["test.clock", "executed"]], { clock: { clock_now: {} } }),
  fixture("random", random, [["test.random", "executed"]], { random: { random_bytes: {}, clock_now: {} } }),
  fixture("many-calls", pluginAt("test/fixtures/many-calls"), [["test.many-calls", "executed", { calls: 300 }]]),
];
