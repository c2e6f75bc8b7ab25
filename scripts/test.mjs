/**
 * What `npm test` runs: every gate in order, one line each, stopping at the first that fails. The last line counts
 * vitest's tests over all its runs; a gate that is no test run and fails counts as one failure.
 * `node scripts/test.mjs NAME...` runs only the named gates; the long ones, slow and soak, only run when named.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const bin = {
  tsc: "node_modules/typescript/bin/tsc",
  biome: "node_modules/@biomejs/biome/bin/biome",
  oxlint: "node_modules/oxlint/bin/oxlint",
  vitest: "node_modules/vitest/vitest.mjs",
};
const nobleTests = "crypto canonical contracts policy safety approval wasm log proof verify pipeline replay"
  .split(" ")
  .map((folder) => `test/${folder}/`);

const gates = [
  { name: "build", args: [bin.tsc, "-p", "tsconfig.json"] },
  { name: "types", args: [bin.tsc, "-p", "tsconfig.test.json"] },
  { name: "webtypes", args: [bin.tsc, "-p", "src/web"] },
  { name: "web", says: true, args: ["scripts/build-web.mjs"] },
  { name: "format", args: [bin.biome, "ci", "--colors=off", "."] },
  { name: "lint", args: [bin.oxlint, "--type-aware", "--deny-warnings"] },
  { name: "floors", args: ["scripts/check-floors.mjs"] },
  { name: "docs", args: ["scripts/check-docs.mjs"] },
  { name: "size", args: ["scripts/check-size.mjs"] },
  { name: "lock", args: ["scripts/complete-lock.mjs", "--check"] },
  { name: "errors", args: ["scripts/generate-errors-page.mjs", "--check"] },
  { name: "schemas", args: ["scripts/generate-schemas.mjs", "--check"] },
  { name: "plugins", args: ["scripts/build-plugins.mjs", "--check"] },
  { name: "guests", says: true, args: ["scripts/bench/build-guests.mjs", "--check"] },
  { name: "sdks", says: true, args: ["scripts/build-toolchain-plugins.mjs", "--check"] },
  { name: "dropins", says: true, args: ["scripts/build-dropins.mjs", "--check"] },
  { name: "tests", vitest: true, args: [bin.vitest, "run"] },
  { name: "readme", args: ["scripts/readme.mjs"] },
  { name: "stability", args: ["scripts/stability.mjs"] },
  { name: "noble", long: true, vitest: true, args: [bin.vitest, "run", ...nobleTests], env: { BACKEND: "noble" } },
  { name: "slow", long: true, vitest: true, args: [bin.vitest, "run", "--mode", "slow"] },
  { name: "soak", long: true, vitest: true, args: [bin.vitest, "run", "--mode", "soak"] },
];

const scratch = mkdtempSync(join(tmpdir(), "exoarmur-test-"));
const noSkip = process.env.EXOARMUR_NO_SKIP === "1";
const total = { passed: 0, failed: 0 };

/** Adds a vitest run's counts to the total; returns a line about it and whether it was whole. */
function count(report) {
  const counts = JSON.parse(readFileSync(report, "utf8"));
  const skipped = counts.numPendingTests + counts.numTodoTests;
  // A file that could not be loaded has no tests of its own, and still is a failure.
  const failed = Math.max(counts.numFailedTests, counts.success ? 0 : 1) + (noSkip ? skipped : 0);
  total.passed += counts.numPassedTests;
  total.failed += failed;
  return { failed, line: `${counts.numPassedTests} passed, ${failed} failed, ${skipped} skipped` };
}

function run(gate) {
  const report = join(scratch, `${gate.name}.json`);
  const reporters = gate.vitest ? ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`] : [];
  process.stdout.write(`${gate.name.padEnd(10)}${gate.long ? "\n" : ""}`);
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [...gate.args, ...reporters], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    // The long ones tell how they are getting on.
    stdio: ["ignore", gate.long ? "inherit" : "pipe", gate.long ? "inherit" : "pipe"],
    env: { ...process.env, NO_COLOR: "1", ...gate.env },
  });
  const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`.padStart(8);
  let good = status === 0;
  let detail = "";
  try {
    if (gate.vitest) {
      const counted = count(report);
      good &&= counted.failed === 0;
      detail = `   ${counted.line}`;
      if (!good && counted.failed === 0) total.failed++;
    } else if (!good) total.failed++;
    else if (gate.says) detail = `   ${stdout.trim()}`;
  } catch {
    good = false;
    total.failed++;
  }
  console.log(`${good ? "pass" : "FAIL"} ${seconds}${detail}`);
  if (!good)
    console.log(`\n${stdout ?? ""}${stderr ?? ""}${error ?? ""}\nrun it alone: node scripts/test.mjs ${gate.name}`);
  return good;
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !gates.some((gate) => gate.name === name));
if (unknown.length > 0) {
  console.error(`no gate ${unknown.join(", ")}; there are ${gates.map((gate) => gate.name).join(", ")}`);
  process.exit(2);
}
const chosen = gates.filter((gate) => (names.length === 0 ? !gate.long : names.includes(gate.name)));
const whole = chosen.every(run);
rmSync(scratch, { recursive: true, force: true });
process.exitCode = whole ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
