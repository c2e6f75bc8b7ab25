// An agent that ships orders: `node agent.mjs DIST HOME API`. It reads what is known of doubtful steps from verdicts.json
// beside the home, does what is left of its work, and says in one JSON line what it was told. Every step of every order
// has an idempotency key of its own, so starting again is asking again.
import { existsSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

const [, , dist, home, api] = process.argv;
const { createRuntime } = await import(`${dist}/index.js`);
const file = join(dirname(home), "verdicts.json");
const verdicts = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};

const tell = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

const runtime = await createRuntime({ home });
const agent = runtime.as("shipper");
tell({ type: "ready" });

/** One step, under a new key for every time it was shown not to have happened. null: it happened, its answer is lost. */
async function step(name, action, parameters) {
  for (let attempt = 0; ; attempt++) {
    const key = `${name}#${attempt}`;
    if (verdicts[key] === "committed") return null;
    if (verdicts[key] === "not_executed") continue;
    const result = await agent.call(action, parameters, { idempotencyKey: key });
    const digest = "bundle" in result ? result.bundle.digest : null;
    tell({ type: "told", key, status: result.status, intentId: result.intentId, digest });
    if (result.status === "executed") return result.output;
    throw new Error(`${key}: ${result.status}: ${result.reason?.code}: ${result.reason?.message}`);
  }
}

async function ship(order) {
  await step(`claim-${order}`, "kv.put", { key: `claim/${order}`, json: { by: "shipper" }, expect: 0 });
  await step(`ship-${order}`, "http.request", { url: `${api}/v1/shipments`, method: "POST", json: { order } });
  await step(`receipt-${order}`, "fs.write", { path: `data/receipts/${order}.json`, text: `{"order":"${order}"}\n` });
  await step(`line-${order}`, "fs.append", { path: "data/shipped.log", text: `${order}\n` });
  await step(`done-${order}`, "kv.put", { key: `done/${order}`, json: { order }, expect: 0 });
}

try {
  const { json } = await step("orders", "http.get", { url: `${api}/v1/orders` });
  // Two at a time, so that keys and values are asked for by more than one run at once.
  const left = [...json.orders];
  const lane = async () => {
    for (let order = left.shift(); order !== undefined; order = left.shift()) await ship(order);
  };
  await Promise.all([lane(), lane()]);
  tell({ type: "finished" });
} catch (error) {
  tell({ type: "stuck", message: String(error?.message ?? error) });
}
await runtime.close();
