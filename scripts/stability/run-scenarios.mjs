/** Runs every scenario in this process and writes what it emitted into one folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canonicalize } from "../../dist/canonical/jcs.js";
import { createRuntime } from "../../dist/index.js";
import { createMemoryStore } from "../../dist/stores/memory.js";
import { scenarios } from "./scenarios.mjs";
import { reorder, seededEntropy, seededWorld, signerNamed } from "./world.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Runs the scenarios one after the other. `order` seeds the key order of everything handed in. */
export async function runScenarios(out, order) {
  for (const scenario of scenarios) {
    const home = mkdtempSync(join(tmpdir(), "exoarmur-root-"));
    try {
      const emit = emitter(join(out, scenario.name), [home, tmpdir(), repository, process.cwd()]);
      await runScenario(scenario, home, order, emit);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  }
}

async function runScenario({ name, parts, play }, home, order, emit) {
  const world = seededWorld(name);
  const { policy, plugins, grants = {}, trust = { keys: [] }, files = {} } = parts;
  mkdirSync(join(home, "data"));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(home, "data", path), text);
  const runtime = await createRuntime({
    ...world,
    store: createMemoryStore(),
    policy: reorder(policy, order),
    plugins: plugins.map(({ wasm, manifest }) => ({ wasm, manifest: reorder(manifest, order) })),
    grants: reorder(grants, order),
    trust: reorder(trust, order),
    roots: { data: { path: join(home, "data"), access: "write" } },
    keys: {
      runtime: signerNamed("runtime"),
      log: signerNamed("log"),
      policyAuthor: signerNamed("author"),
      saltKey: seededEntropy("salt key").bytes(32),
    },
    sandbox: { workers: 1 },
  });
  try {
    const step = async (wanted, work) => {
      const result = await work;
      if (endOf(result) !== wanted) throw new Error(`${name}: expected ${wanted}, got ${endOf(result)}`);
      emitResult(emit, runtime, result);
      return result;
    };
    const execute = (wanted, draft) => step(wanted, runtime.execute(reorder(draft, order)));
    const decide = (wanted, grant) => step(wanted, runtime.decide(reorder(grant, order)));
    await play({ execute, decide, clock: world.clock, entropy: world.entropy });
  } finally {
    await runtime.close();
  }
}

/** How a result ended, as one word or two. */
function endOf(result) {
  if (result.status === "failed") return `failed ${result.execution.status}`;
  return "reason" in result ? `${result.status} ${result.reason.code}` : result.status;
}

function emitResult(emit, runtime, { bundle, output, ...facts }) {
  emit(
    "result.json",
    canonicalize({ ...facts, output: output instanceof Uint8Array ? [...output] : (output ?? null) }),
  );
  emit("events.json", canonicalize(runtime.pipeline.trace(facts.intentId)));
  emit("checkpoint.txt", Buffer.from(runtime.checkpoint()));
  if (bundle === undefined) return;
  const bytes = bundle.bytes();
  emit("proof.json", bytes);
  const { envelope, materials } = JSON.parse(Buffer.from(bytes).toString());
  const statement = Buffer.from(envelope.payload, "base64");
  emit("statement.json", statement);
  // Materials are base64 in the bundle: taken out, so that a host path inside one would be seen.
  for (const { role, digest } of JSON.parse(statement.toString()).predicate.materials) {
    const material = materials[digest];
    if (material !== undefined) emit(`${role}.bin`, Buffer.from(material, "base64"));
  }
}

/** Writes numbered files into a folder; refuses bytes that name a place of this machine. */
function emitter(folder, places) {
  mkdirSync(folder, { recursive: true });
  // A root such as `/` is in every path there is.
  const needles = [...new Set(places)].filter((place) => place.length > 1).map((place) => Buffer.from(place));
  let count = 0;
  return (name, bytes) => {
    const file = `${String(count++).padStart(4, "0")}-${name}`;
    const leaked = needles.find((needle) => Buffer.from(bytes).includes(needle));
    if (leaked !== undefined) throw new Error(`${file} of ${folder} holds the host path ${leaked}`);
    writeFileSync(join(folder, file), bytes);
  };
}
