/**
 * Our own command by the kit's contract (spec/conformance.md): `conformance-adapter.mjs FILE TRUST`. Says what
 * `exoarmur verify FILE --trust TRUST --json` reports, with its exit code.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const [file = "", trust = ""] = process.argv.slice(2);
const args = [main, "verify", file, "--trust", trust, "--json"];
const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 });
process.exitCode = status ?? 70;
try {
  const { result, checks } = JSON.parse(stdout);
  const wrong = checks.filter(({ state }) => state === "fail" || state === "unable");
  const undecided = { unable: "indeterminate", unsupported_revision: "indeterminate" };
  const verdict = { pass: "accept", fail: "reject", ...undecided }[result];
  console.log(JSON.stringify({ verdict, codes: [...new Set(wrong.map(({ code }) => code))] }));
} catch {
  // No report: the runner sees that there is no answer.
  process.stderr.write(stderr ?? "");
}
