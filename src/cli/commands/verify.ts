import { resolve } from "node:path";
import type { Cover, HiddenRole } from "../../contracts/redaction.js";
import type { Trust } from "../../contracts/trust.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { readTrust } from "../../home/open.js";
import { loadCedar } from "../../runtime/cedar.js";
import type { VerificationReport, VerificationResult } from "../../verify/report.js";
import { verifyLoading } from "../../verify/verify-bundle.js";
import { isCallDisclosure, verifyCall } from "../../verify/verify-call.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, isFolder, readInput } from "../files.js";
import { jobsOption } from "../jobs.js";
import { countOf, formatRows, formatTable, printJson } from "../output.js";
import { stateWords } from "../states.js";
import type { GivenFile } from "./verify-open.js";

/** Exit codes by result (spec/cli.md). */
export const resultCodes: Readonly<Record<VerificationResult, ExitCode>> = {
  pass: exitCodes.done,
  fail: exitCodes.refused,
  unable: exitCodes.unable,
  unsupported_revision: exitCodes.unable,
};

/**
 * `verify BUNDLE`, a proof bundle or a disclosed call: every check, one line each. A folder or several files: one line
 * each (verify-batch). EXO_FILE, EXO_BUNDLE for a file over the bound, EXO_USAGE, trust file errors.
 */
export async function verify(context: CliContext, paths: readonly string[], options: Options): Promise<ExitCode> {
  const trust = await readTrustOption(context, options);
  const jobs = jobsOption(options);
  const [path = "-", ...more] = paths;
  const many = more.length > 0 || (path !== "-" && (await isFolder(resolve(context.cwd, path))));
  if (many && hasFlag(options, "open")) throw new ExoArmurError("EXO_USAGE", "--open shows one bundle");
  if (many) {
    const { verifyBatch } = await import("./verify-batch.js");
    return await verifyBatch(context, paths, { trust, jobs, json: hasFlag(options, "json") });
  }
  const bytes = await readInput(context, path, inputs.bundle);
  if (hasFlag(options, "open")) return await openPage(context, { name: path, bytes }, options);
  const trusted = trust === undefined ? {} : { trust };
  const report = isCallDisclosure(bytes) ? verifyCall(bytes, trusted) : await verifyLoading(bytes, trusted, loadCedar);
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(formatReport(report));
  return resultCodes[report.result];
}

/** Hands the file to the page, and the trust file as it is: the page reads it by itself. */
async function openPage(context: CliContext, bundle: GivenFile, options: Options): Promise<ExitCode> {
  const { openVerifier } = await import("./verify-open.js");
  const file = textOption(options, "trust");
  const trust = file === undefined ? undefined : { name: file, bytes: await readInput(context, file, inputs.document) };
  return await openVerifier(context, { bundle, trust, browser: options["browser"] !== false });
}

/** The trust file of `--trust`, or undefined without the option. EXO_FILE when it is missing, and as readTrust. */
export async function readTrustOption(context: CliContext, options: Options): Promise<Trust | undefined> {
  const file = textOption(options, "trust");
  if (file === undefined) return undefined;
  try {
    return await readTrust(resolve(context.cwd, file));
  } catch (error) {
    if (!isExoArmurError(error, "EXO_HOME_DAMAGED")) throw error;
    throw new ExoArmurError("EXO_FILE", `the trust file ${file} does not exist`, error.place);
  }
}

function formatReport({ checks, counts, result, trustMode, hidden, limits }: VerificationReport): string {
  const rows = checks.map(({ state, title, code, message }) => [
    stateWords[state],
    title,
    code === undefined ? message : `${code}: ${message}`,
  ]);
  const made = counts.pass + counts.fail + counts.unable;
  const wrong = [
    counts.fail > 0 ? `${counts.fail} failed` : "",
    counts.unable > 0 ? `${counts.unable} could not be made` : "",
    counts.not_applicable > 0 ? `${counts.not_applicable} not applicable` : "",
  ].filter((part) => part !== "");
  const sum = [`${countOf(made, "check")}`, `${counts.pass} passed`, ...wrong].join(", ");
  const mode = trustMode === "pinned" ? "pinned" : "self-check only";
  return `${formatTable(rows)}${formatHidden(hidden)}\n${result}   ${mode}   ${sum}\n${limits.map((limit) => `${limit}\n`).join("")}`;
}

/** What a file hides, and what keeps it from being guessed; nothing for a whole bundle. */
export function formatHidden(hidden: readonly HiddenRole[]): string {
  const rows = Object.entries(coverWords).flatMap(([cover, words]) => {
    const roles = hidden.filter((one) => one.cover === cover).map(({ role, count }) => `${role} ${count}`);
    return roles.length === 0 ? [] : [["hidden", roles.join(", "), words]];
  });
  return formatRows(rows);
}

const coverWords: Readonly<Record<Cover, string>> = {
  salt: "salted, so not to be guessed",
  inside: "salted inside, so not to be guessed",
  none: "by digest alone; whoever has the bytes can tell",
};
