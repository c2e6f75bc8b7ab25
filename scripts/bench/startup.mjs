/** How long it takes to be there: imports and the command line, each in a process of its own. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createMemoryStore } from "../../dist/stores/memory.js";
import { median, quantile } from "./measure.mjs";
import { draft, openRuntime } from "./parts.mjs";
import { row } from "./table.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));

async function wallTime(args, expected = 0) {
  const start = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: repository,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 60_000,
  });
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  if (status !== expected) throw new Error(`node ${args.join(" ")} ended with ${status}`);
  return performance.now() - start;
}

/** Runs each command in turn, so that all meet the same weather. */
async function wallTimes(commands, rounds) {
  const samples = commands.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [at, args] of commands.entries()) {
      const ms = await wallTime(args);
      if (round >= 0) samples[at].push(ms);
    }
  }
  return samples;
}

/** Rows about imports and `exoarmur verify`. */
export async function startupRows({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "exoarmur-bench-"));
  try {
    const runtime = await openRuntime(createMemoryStore());
    const file = join(folder, "one.proof.json");
    const trustFile = join(folder, "trust.json");
    writeFileSync(file, (await runtime.execute(draft)).bundle.bytes());
    writeFileSync(trustFile, JSON.stringify(runtime.trust));
    await runtime.close();
    const imports = (name) => ["--input-type=module", "-e", name === "" ? "" : `import "${name}"`];
    const commands = [
      imports(""),
      imports("zod"),
      imports("exoarmur"),
      ["dist/cli/main.js", "verify", file, "--trust", trustFile],
    ];
    const [node, zod, own, verify] = await wallTimes(commands, quick ? 5 : 21);
    const rowOf = (name, samples, more) =>
      row(name, { value: median(samples), unit: "ms", p99: quantile(samples, 0.99), ...more });
    const ratio = median(own) / median(zod);
    const net = (median(own) - median(node)) / (median(zod) - median(node));
    const note = `${net.toFixed(2)}x without Node's own start`;
    return [
      rowOf("node, nothing imported", node),
      rowOf('import "zod"', zod),
      rowOf('import "exoarmur"', own, { ratio, peer: "zod", target: "<= 1.5x", reached: ratio <= 1.5, note }),
      rowOf("exoarmur verify", verify, { target: "<= 250 ms", reached: median(verify) <= 250 }),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
