import type { Trust } from "../../contracts/trust.js";
import { ExoArmurError } from "../../errors.js";
import type { VerificationResult } from "../../verify/report.js";
import { type FoundBundles, findBundles } from "../batch/find-bundles.js";
import { type BatchRow, rowWithout } from "../batch/rows.js";
import { type Outcomes, type Tally, tally } from "../batch/tally.js";
import { verifyFiles } from "../batch/verify-pool.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, formatFirst, printJson, shownPath } from "../output.js";
import { withBar } from "../progress.js";

/** How a batch is verified and reported. */
export type BatchOptions = { readonly trust: Trust | undefined; readonly jobs: number; readonly json: boolean };

/** Files shown one by one below the sums, at most. */
const shownFiles = 20;

/** Results from the one that decides over all others. */
const worst: Outcomes<VerificationResult> = [
  ["fail", exitCodes.refused, "failed"],
  ["unsupported_revision", exitCodes.unable, "of a revision this build does not know"],
  ["unable", exitCodes.unable, "could not be checked"],
  ["pass", exitCodes.done, "passed"],
];

type NamedRow = BatchRow & { readonly path: string };

/**
 * Verifies every file named and every `*.proof.json` below the folders named, on several threads (spec/cli.md, Many
 * bundles). The worst result decides. EXO_USAGE for standard input; EXO_FILE when there is nothing to verify.
 */
export async function verifyBatch(
  context: CliContext,
  paths: readonly string[],
  { trust, jobs, json }: BatchOptions,
): Promise<ExitCode> {
  if (paths.includes("-"))
    throw new ExoArmurError("EXO_USAGE", "standard input is verified alone, without other files");
  const found = await findBundles(context, paths);
  if (found.files.length + found.unread.length === 0) {
    throw new ExoArmurError("EXO_FILE", `there is no *.proof.json in ${paths.join(", ")}`);
  }
  const rows = await withBar(context, found.files.length, (step) =>
    verifyFiles(found.files, { trust, jobs, signal: context.signal, onDone: ({ result }) => step(result !== "pass") }),
  );
  const named = [
    ...rows.map((row, at) => ({ path: shownPath(context, found.files[at] ?? ""), ...row })),
    ...found.unread.map(({ path, errno }) => ({
      path: shownPath(context, path),
      ...rowWithout("fail", "EXO_FILE", `the folder could not be listed: ${errno}`),
    })),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const trustMode = trust === undefined ? "self_check_only" : "pinned";
  const batch = { trustMode, rows: named, found, tally: tally(worst, named, { good: "pass", none: "fail" }) } as const;
  if (json) printJson(context, documentOf(context, batch));
  else context.stdout(formatBatch(context, batch));
  return batch.tally.code;
}

type Batch = {
  readonly tally: Tally<VerificationResult, NamedRow>;
  readonly trustMode: "pinned" | "self_check_only";
  readonly rows: readonly NamedRow[];
  readonly found: FoundBundles;
};

const limitsOf = ({ rows }: Batch): readonly string[] => [...new Set(rows.flatMap(({ limits }) => limits))];

function documentOf(context: CliContext, batch: Batch): object {
  const {
    tally: { result, counts },
    trustMode,
    rows,
    found,
  } = batch;
  return {
    schema: "exoarmur.verification-batch/v1",
    trustMode,
    result,
    counts,
    files: rows.map(({ limits: _said, ...row }) => row),
    notFollowed: found.notFollowed.map((path) => shownPath(context, path)),
    limits: limitsOf(batch),
  };
}

function formatBatch(context: CliContext, batch: Batch): string {
  const {
    tally: { result, bad, sums },
    trustMode,
    rows,
    found,
  } = batch;
  const shown = bad.map((row) => [row.result, row.path, reasonOf(row)]);
  const links = found.notFollowed.map((path) => `not followed: ${shownPath(context, path)}, a link to a folder\n`);
  const mode = trustMode === "pinned" ? "pinned" : "self-check only";
  const said = limitsOf(batch).map((limit) => `${limit}\n`);
  const line = [result, mode, countOf(rows.length, "file"), sums].join("   ");
  return `${formatFirst(shown, shownFiles)}${links.slice(0, shownFiles).join("")}${line}\n${said.join("")}`;
}

/** What is hidden; else the first check that failed, or that could not be made, and how many more there are. */
function reasonOf({ result, hidden, wrong }: BatchRow): string {
  if (result === "unable" && hidden.length > 0) {
    const what = hidden.map(({ role, count }) => `${role} ${count}`).join(", ");
    return `hidden: ${what}; ${countOf(wrong.length, "check")} could not be made`;
  }
  const first = wrong.find(({ state }) => state === "fail") ?? wrong[0];
  if (first === undefined) return "";
  const others = wrong.length === 1 ? "" : `; ${wrong.length - 1} more`;
  return `${first.id}: ${first.code ?? ""}: ${first.message.slice(0, 160)}${others}`;
}
