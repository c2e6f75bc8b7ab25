import { writeFileSync } from "node:fs";
import { test } from "vitest";
import { ReplayEngine } from "../../src/replay/replay-engine.js";
import { resultDigest } from "../../src/replay/result-digest.js";
import { realPool } from "../support/real.js";
import { bundleNames, makeWebBundles } from "./bundles.js";
import { resultDigestsFile } from "./result-digests.js";

const sandbox = realPool({ size: 1 });

/** `npm run generate:vectors` writes the record; the tests of the engines check it. */
test("writes the result digests of the test bundles", async () => {
  const { rig, bytes } = await makeWebBundles(sandbox);
  const engine = new ReplayEngine({ sandbox, trust: rig.trust });
  const found: Record<string, string> = {};
  for (const name of bundleNames) {
    found[name] = resultDigest(await engine.replayBundle(bytes.get(name) ?? new Uint8Array()));
  }
  writeFileSync(resultDigestsFile, `${JSON.stringify(found, null, 2)}\n`);
});
