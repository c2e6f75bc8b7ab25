/**
 * `replay-digests.mjs TRUST BUNDLE...`: replays bundle files on the Node that runs it and prints the digest of each
 * result (spec/replay.md, Report) as one JSON object by the file's name before `.proof.json`.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { ReplayEngine } from "../../dist/replay/replay-engine.js";
import { resultDigest } from "../../dist/replay/result-digest.js";
import { createSandboxPool } from "../../dist/sandbox/pool.js";

const [trustFile, ...files] = process.argv.slice(2);
const trust = JSON.parse(readFileSync(trustFile, "utf8"));
const sandbox = createSandboxPool({ workerUrl: new URL("../../dist/sandbox/worker.js", import.meta.url), size: 1 });
try {
  const engine = new ReplayEngine({ sandbox, trust });
  const found = {};
  for (const file of files) {
    const report = await engine.replayBundle(new Uint8Array(readFileSync(file)));
    found[basename(file, ".proof.json")] = resultDigest(report);
  }
  console.log(JSON.stringify(found));
} finally {
  await sandbox.close();
}
