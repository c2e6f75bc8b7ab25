// What another policy would have said of what was done, and whether it allows more than the present one. Nothing runs.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime } from "exoarmur";
import { policySchema } from "exoarmur/contracts";
import { createMemoryStore } from "exoarmur/stores/memory";
import { backtestPolicy, diffPolicies } from "exoarmur/what-if";

const policyOf = (version, rules) =>
  policySchema.parse({ schema: "exoarmur.policy/v1", policyId: "tables", version, rules });
const tables = { action: "table.stats" };
const present = policyOf(1, [{ id: "data", match: { ...tables, target: { under: "data" } }, verdict: "allow" }]);
const candidate = policyOf(2, [
  { id: "salaries", match: { ...tables, target: "data/salaries.csv" }, verdict: "require_approval" },
  { id: "data", match: { ...tables, target: { under: "data" } }, verdict: "allow" },
  { id: "archive", match: { ...tables, target: { under: "archive" } }, verdict: "allow" },
]);

const shipped = (name) => readFile(new URL(`plugins/${name}`, import.meta.resolve("exoarmur/package.json")));
const data = await mkdtemp(join(tmpdir(), "exoarmur-what-if-"));
const store = createMemoryStore();
const runtime = await createRuntime({
  store,
  policy: present,
  plugins: [{ wasm: await shipped("table-stats.wasm"), manifest: JSON.parse(await shipped("table-stats.json")) }],
  roots: { data: { path: data, access: "read" } },
  grants: { "table-stats": { fs_read: { roots: ["data"] } } },
});
const agent = runtime.as("analyst");
for (const path of ["data/orders.csv", "data/salaries.csv", "archive/2019.csv", "secrets/keys.csv"]) {
  if (path.startsWith("data/")) await writeFile(join(data, path.slice(5)), "name,amount\na,1.00\n");
  console.log(`${path}: ${(await agent.call("table.stats", { path })).status}`);
}

// 1. Every recorded decision under the candidate. A store of a home: openLmdbStore(PATH, { readOnly: true }).
const { counts, flips } = backtestPolicy(store, candidate, { since: null, until: null, tenant: null });
console.log(`backtest: ${counts.decisions} decisions, ${counts.same} the same, ${counts.flips} would differ`);
for (const { target, classes, candidate: now } of flips)
  console.log(`  ${target}: ${classes.join()} by ${now.ruleIds.join()}`);

// 2. The two documents, whatever was asked so far: proven, or with a request that shows otherwise.
const { result, widenings } = diffPolicies(present, candidate);
console.log(`diff: ${result}`);
for (const { class: what, witness } of widenings) console.log(`  ${what}: ${witness.action} ${witness.target}`);

await runtime.close();
await rm(data, { recursive: true });
