/**
 * `npm run interop`: whether software not written here accepts what this software signs and proves, and refuses the same
 * with a bit changed (spec/interop.md). Installs nothing: a checker that is not there is a row that says what to
 * install, and under EXOARMUR_NO_SKIP=1 a failure.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkersIn } from "./checkers.mjs";
import { kitRow } from "./kit.mjs";
import { pageCheckers } from "./page.mjs";
import { format, judge, summary } from "./table.mjs";

if (!existsSync(fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url)))) {
  console.error("no dist/cli/main.js; run npm run build first");
  process.exit(2);
}
// Only now: they read the build.
const { makeEvidence } = await import("./evidence.mjs");
const { casesOf } = await import("./cases.mjs");
const { tileCases } = await import("./tiles.mjs");

const scratch = mkdtempSync(join(tmpdir(), "exoarmur-interop-"));
try {
  const cases = await casesOf(await makeEvidence(join(scratch, "work")), await tileCases(scratch));
  const rows = await judge([...checkersIn(scratch), ...pageCheckers(scratch)], cases);
  rows.push(await kitRow());
  const { exitCode, lines } = summary(rows, process.env.EXOARMUR_NO_SKIP === "1");
  for (const line of [...format(rows), ...lines]) console.log(line);
  process.exitCode = exitCode;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
