import { describe, expect, it } from "vitest";
import { compareScenarios, replayEverywhere, resultDigestsOn, runMatrix } from "../../scripts/stability/matrix.mjs";
import { binariesOf, nodeVersions } from "../../scripts/stability/worlds.mjs";
import { realPool } from "../support/real.js";
import { makeWebBundles } from "../web/bundles.js";
import { resultDigests } from "../web/result-digests.js";
import { fileIn, scratchFolder } from "../web/support.js";

const binaries = binariesOf();
const missing = nodeVersions.filter((version) => !binaries.some((binary) => binary.version === `v${version}`));
if (missing.length > 0) {
  const places = missing.map((version) => `npm i --no-save --prefix DIR/${version} node@${version}`).join("; ");
  console.log(
    `Node ${missing.join(", ")} left out: ${places}; then EXOARMUR_NODES=DIR/VERSION/node_modules/node/bin/node:...`,
  );
}

describe("the same bytes everywhere", () => {
  it.skipIf(missing.length > 0)(`Node ${nodeVersions.join(", ")} are there`, () => {
    expect(binaries.length).toBeGreaterThan(nodeVersions.length);
  });

  it("the corpus, under V8's flags and stack sizes, on every Node", async () => {
    expect(await runMatrix({ binaries })).toEqual([]);
  });

  it("the scenarios of the stability gate, on every Node", async () => {
    expect(await compareScenarios(binaries)).toEqual([]);
  });

  // The same record that test/web holds Chromium and Firefox to.
  describe("the recorded result digests", () => {
    const folder = scratchFolder();
    const sandbox = realPool({ size: 1 });

    it("are what every Node finds in the bundles that the browsers are given", async () => {
      const { rig, bytes } = await makeWebBundles(sandbox);
      const trust = fileIn(folder, "trust.json", JSON.stringify(rig.trust));
      const files = [...bytes].map(([name, content]) => fileIn(folder, `${name}.proof.json`, content));
      for (const binary of binaries) {
        const found = await resultDigestsOn(binary, trust, files);
        expect([binary.version, found]).toEqual([binary.version, resultDigests]);
      }
    });
  });

  it("a bundle recorded by one Node is replayed by every other", async () => {
    expect(await replayEverywhere(binaries)).toEqual([]);
  });
});
