import { writeFile } from "node:fs/promises";
import { createRuntime } from "exoarmur";

const runtime = await createRuntime({ home: ".exoarmur" }); // made by `npx exoarmur init`
const agent = runtime.as({ id: "report-agent", type: "agent" }); // one actor, many calls

// 1. Real work in the sandbox. Executor, target, ids and idempotency key follow from the manifest.
const stats = await agent.call("table.stats", { path: "data/orders.csv" });
if (stats.status !== "executed") throw new Error(stats.reason.message);
console.log(stats.output.rows, "rows,", stats.fuel.used, "fuel,", stats.hostCalls, "host calls");

// 2. Not in the policy: a value, not an exception.
const outside = await agent.call("fs.remove", { path: "secrets/keys.csv" });
console.log(outside.status, outside.reason.code, outside.decision.ruleIds); // denied EXO_POLICY_DENIED [ 'default' ]

// 3. Needs a person. Somebody else signs, in another terminal; we only wait.
const remove = await agent.call("fs.remove", { path: "data/orders.csv" }, { idempotencyKey: "cleanup-42" });
if (remove.status === "approval_pending") {
  console.log(`npx exoarmur approvals approve ${remove.approval.requestId}`);
  const done = await runtime.wait(remove.intentId, { signal: AbortSignal.timeout(300_000) });
  console.log(done.status); // executed
}

// 4. One file for whoever does not trust us.
await writeFile("stats.proof.json", stats.bundle.bytes());
console.log((await runtime.replay(stats.bundle)).result); // success: re-executed, same bytes, same fuel
await runtime.close();
