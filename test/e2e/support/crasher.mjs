// Acts in a home until somebody kills it: `node crasher.mjs DIST HOME TAG [API]`. Sixteen writers at once, or twelve
// without an API. One JSON line for everything it asks and is told, written before it goes on, so that what was
// acknowledged is known to whoever reads.
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

const [, , dist, home, tag, api] = process.argv;
const { createRuntime } = await import(`${dist}/index.js`);
const { signGrant } = await import(`${dist}/exports/approval.js`);

function tell(line) {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const runtime = await createRuntime({ home });
tell({ type: "ready", inDoubt: runtime.inDoubt, checkpoint: runtime.checkpoint() });

function told(key, result) {
  const digest = "bundle" in result ? result.bundle.digest : null;
  const { status, intentId } = result;
  tell({ type: "told", key, status, intentId, digest, checkpoint: runtime.checkpoint() });
}

async function write(writer, number) {
  const key = `write-${tag}-${writer}-${number}`;
  const parameters = { path: `data/${key}.txt`, text: key };
  tell({ type: "ask", key, action: "fs.write", parameters });
  told(key, await runtime.execute({ actor: "crasher", action: "fs.write", parameters, idempotencyKey: key }));
}

const approver = JSON.parse(readFileSync(join(home, "keys", "approver.key"), "utf8"));

async function remove(remover, number) {
  const key = `remove-${tag}-${remover}-${number}`;
  const parameters = { path: `data/${key}.txt` };
  writeFileSync(join(dirname(home), parameters.path), key);
  tell({ type: "ask", key, action: "fs.remove", parameters });
  const asked = await runtime.execute({ actor: "crasher", action: "fs.remove", parameters, idempotencyKey: key });
  told(key, asked);
  if (asked.status !== "approval_pending") return;
  const grant = await signGrant(asked.approval, { key: approver, decision: "approve" });
  tell({ type: "grant", key, grant });
  // Two carriers of one grant at once: one of them is told, the other is refused.
  const both = await Promise.allSettled([runtime.decide(grant), runtime.decide(grant)]);
  const done = both.filter(({ status }) => status === "fulfilled");
  tell({ type: "decided", key, times: done.length, refusal: both.find((one) => "reason" in one)?.reason.code ?? null });
  for (const { value } of done) told(key, value);
}

/** Counts up by compare-and-set over two runs; whoever was overtaken has done nothing. */
async function count(counter, number) {
  const key = `count-${tag}-${counter}-${number}`;
  const name = `counter-${number % 2}`;
  const read = await runtime.execute({ actor: "crasher", action: "kv.get", parameters: { key: name } });
  if (read.status !== "executed") throw new Error(`${name} could not be read: ${read.status}`);
  const { found, json, version } = read.output;
  const parameters = { key: name, json: found ? json + 1 : 1, expect: version };
  tell({ type: "ask", key, action: "kv.put", parameters });
  const result = await runtime.execute({ actor: "crasher", action: "kv.put", parameters, idempotencyKey: key });
  if (result.output?.done) tell({ type: "counted", name });
  told(key, result);
}

async function ship(shipper, number) {
  const key = `ship-${tag}-${shipper}-${number}`;
  const parameters = { url: `${api}/v1/shipments`, method: "POST", json: { order: key } };
  tell({ type: "ask", key, action: "http.request", parameters });
  told(key, await runtime.execute({ actor: "crasher", action: "http.request", parameters, idempotencyKey: key }));
}

async function forever(act, lane) {
  for (let number = 0; ; number++) await act(lane, number);
}

const failed = (error) => tell({ type: "failed", code: String(error?.code), message: String(error?.stack ?? error) });
const lanes = [
  [write, 6],
  [count, 3],
  [remove, 3],
  [ship, api ? 4 : 0],
];
for (const [act, many] of lanes) {
  for (let lane = 0; lane < many; lane++) void forever(act, lane).catch(failed);
}
