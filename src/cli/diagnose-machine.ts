import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifestDraftSchema } from "../contracts/manifest.js";
import { encodeUtf8 } from "../crypto/encoding.js";
import { parseDocument } from "../home/document.js";
import { createRuntime } from "../runtime.js";
import { openLmdbStore } from "../stores/lmdb.js";
import { createMemoryStore } from "../stores/memory.js";
import { readBundledPlugins } from "./bundled-plugins.js";
import { type Diagnosis, examine } from "./diagnosis.js";

/** The oldest Node.js this package runs on. */
const leastNode = [20, 19] as const;

/** Looks at the machine alone: Node.js, the store's driver, the sandbox with a whole run and its replay. */
export async function diagnoseMachine(): Promise<Diagnosis[]> {
  const folder = await mkdtemp(join(tmpdir(), "exoarmur-doctor-"));
  try {
    return [
      await examine("node", checkNode),
      await examine("store driver", () => checkDriver(join(folder, "store"))),
      await examine("sandbox", () => checkSandbox(folder)),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function checkNode(): ReturnType<Parameters<typeof examine>[1]> {
  const { node, v8 } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const message = `Node.js ${node}, V8 ${v8}`;
  const isOld = major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1]);
  return isOld ? { state: "fail", message: `${message}; expected ${leastNode.join(".")} or newer` } : message;
}

async function checkDriver(path: string): Promise<string> {
  const store = await openLmdbStore(path);
  try {
    await store.commit([{ key: "t/doctor", value: encodeUtf8("written") }], await store.acquire());
    if (store.get("t/doctor") === undefined) throw new Error("what was committed could not be read back");
  } finally {
    await store.close();
  }
  return "LMDB opens, commits and reads back";
}

/** A real run of a bundled executor on a real file, governed and recorded in memory, then replayed. */
async function checkSandbox(folder: string): Promise<string> {
  await writeFile(join(folder, "orders.csv"), "region,amount\nnorth,1\nsouth,2\n");
  const kind = { schema: manifestDraftSchema, version: "exoarmur.executor/v1" };
  const plugins = [];
  for (const { name, wasm, manifest } of await readBundledPlugins()) {
    plugins.push({ wasm, manifest: await parseDocument(manifest, `${name}.json`, kind) });
  }
  const runtime = await createRuntime({
    store: createMemoryStore(),
    policy: {
      schema: "exoarmur.policy/v1",
      policyId: "doctor",
      version: 1,
      rules: [{ id: "allow-stats", match: { action: "table.stats" }, verdict: "allow" }],
    },
    plugins,
    roots: { data: { path: folder, access: "read" } },
    grants: { "table-stats": { fs_read: { roots: ["data"] } } },
    sandbox: { workers: 1 },
    // The machine is looked at, not its settings.
    env: {},
  });
  try {
    const result = await runtime.as("doctor").call("table.stats", { path: "data/orders.csv" });
    if (result.status !== "executed") {
      throw new Error(`a bundled executor ended ${result.status}: ${"reason" in result ? result.reason.message : ""}`);
    }
    const replay = await runtime.replay(result.bundle);
    if (replay.result !== "success")
      throw new Error(`its replay ended ${replay.result}: ${replay.failures.join("; ")}`);
    return `table-stats ran and replayed to the same bytes and fuel (${result.fuel.used})`;
  } finally {
    await runtime.close();
  }
}
