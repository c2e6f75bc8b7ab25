import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { outputOf } from "../../scripts/stability/matrix.mjs";
import { binariesOf, marginWays, unknownFlags } from "../../scripts/stability/worlds.mjs";
import { workerStackMb } from "../../src/sandbox/settings.js";

type Margin = { readonly rows: readonly { readonly name: string; readonly end: string; readonly factor: number }[] };

const script = fileURLToPath(new URL("../../scripts/stability/margin.mjs", import.meta.url));
/** The stack that is measured; what is used of it grows in proportion. */
const measuredMb = 4;

describe("the native stack of a worker holds at least three times the greatest counted one", () => {
  for (const { path, version, flags } of binariesOf()) {
    for (const way of marginWays.filter((each) => unknownFlags(each, flags).length === 0)) {
      it(`${version}, ${way.name}`, async () => {
        const args = ["--no-warnings", ...way.flags, script, "--few", `--stack-mb=${measuredMb}`];
        const { rows } = JSON.parse(await outputOf(path, args)) as Margin;
        const found = rows.map((row) => ({ ...row, factor: (row.factor * workerStackMb) / measuredMb }));
        found.sort((a, b) => a.factor - b.factor);
        for (const { factor, name } of found.slice(0, 3)) {
          console.log(`${version} ${way.name}: ${factor.toFixed(1)} ${name}`);
        }
        expect(found.length).toBeGreaterThan(50);
        expect(found.filter(({ end }) => end !== "RangeError")).toEqual([]);
        expect(found.filter(({ factor }) => factor < 3)).toEqual([]);
      });
    }
  }
});
