// One action, and what it did run again from its bundle after the file it read is gone. No home, nothing on disk but the file.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime } from "exoarmur";
import { createMemoryStore } from "exoarmur/stores/memory";

const shipped = (name) => readFile(new URL(`plugins/${name}`, import.meta.resolve("exoarmur/package.json")));
const data = await mkdtemp(join(tmpdir(), "exoarmur-replay-"));
await writeFile(join(data, "orders.csv"), "order,amount\n1,10.50\n2,20.00\n3,7.00\n");

const runtime = await createRuntime({
  store: createMemoryStore(),
  policy: {
    schema: "exoarmur.policy/v1",
    policyId: "replay-example",
    version: 1,
    rules: [{ id: "allow-stats", match: { action: "table.stats", target: { under: "data" } }, verdict: "allow" }],
  },
  plugins: [{ wasm: await shipped("table-stats.wasm"), manifest: JSON.parse(await shipped("table-stats.json")) }],
  roots: { data: { path: data, access: "read" } },
  grants: { "table-stats": { fs_read: { roots: ["data"] } } },
});
const done = await runtime.as("analyst").call("table.stats", { path: "data/orders.csv" });
if (done.status !== "executed") throw new Error(done.reason.message);
console.log(`executed: ${done.output.rows} rows, ${done.fuel.used} fuel, ${done.hostCalls} host call`);
await rm(data, { recursive: true });

// 1. The plugin runs again on the recorded input and the recorded answers of the host.
const report = await runtime.replay(done.bundle);
const [{ recorded, replayed }] = report.executions;
console.log(`replay: ${report.result}, ${recorded.fuel} fuel recorded, ${replayed.fuel} here, the file being gone`);

// 2. The same bundle with one byte of the host's answer changed.
const bundle = JSON.parse(new TextDecoder().decode(done.bundle.bytes()));
const { predicate } = JSON.parse(atob(bundle.envelope.payload));
const { digest } = predicate.materials.find(({ role }) => role === "host_call");
const answer = bundle.materials[digest];
bundle.materials[digest] = (answer.startsWith("A") ? "B" : "A") + answer.slice(1);
const tampered = await runtime.replay(new TextEncoder().encode(JSON.stringify(bundle)));
console.log(`tampered: ${tampered.result}, ${tampered.divergence.kind} at ${tampered.divergence.step}`);
await runtime.close();
