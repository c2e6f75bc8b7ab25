import { describe, expect, it } from "vitest";
import { compareScenarios, replayEverywhere, runMatrix } from "../../scripts/stability/matrix.mjs";
import { binariesOf, nodeVersions } from "../../scripts/stability/worlds.mjs";

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

  it("a bundle recorded by one Node is replayed by every other", async () => {
    expect(await replayEverywhere(binaries)).toEqual([]);
  });
});
