import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { SandboxConfig } from "../../contracts/config.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { openHome } from "../../home/open.js";
import type { SandboxHost } from "../../ports.js";
import { storeAuditSource } from "../../replay/audit-source.js";
import { ReplayEngine, type ReplayReport } from "../../replay/replay-engine.js";
import { openSandbox } from "../../runtime/sandbox.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { withHomeView } from "../home-view.js";
import { createStderrLogger } from "../logging.js";
import { countOf, formatCount, formatRows, formatTable, printJson } from "../output.js";
import { withProgress } from "../progress.js";
import { stateWords } from "../states.js";
import { readTrustOption } from "./verify.js";

const resultCodes = {
  success: exitCodes.done,
  failure: exitCodes.refused,
  no_audit_records: exitCodes.refused,
  partial: exitCodes.unable,
} as const;

/**
 * `replay BUNDLE|CORRELATION-ID`: an argument that is a path on disk, or looks like one, is a bundle; any other is a
 * correlation id of the home, whose trust file counts unless `--trust` names another. Performs no side effect.
 */
export async function replay(
  context: CliContext,
  [what = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const config = await sandboxConfigOf(homeDir(context, textOption(options, "home")));
  const sandbox = await openSandbox({ ...config, workers: 1 }, createStderrLogger(context));
  try {
    const report = await withProgress(context, "replaying", replayWith(context, what, options, sandbox));
    if (hasFlag(options, "json")) printJson(context, report);
    else context.stdout(formatReport(report));
    return resultCodes[report.result];
  } finally {
    await sandbox.close();
  }
}

/** How a home runs executors; the defaults where there is no home, which a bundle does not need. */
async function sandboxConfigOf(dir: string): Promise<SandboxConfig> {
  try {
    return (await openHome(dir)).resolved.sandbox;
  } catch (error) {
    if (isExoArmurError(error, "EXO_HOME_MISSING")) return {};
    throw error;
  }
}

async function replayWith(
  context: CliContext,
  what: string,
  options: Options,
  sandbox: SandboxHost,
): Promise<ReplayReport> {
  const trust = await readTrustOption(context, options);
  const given = trust === undefined ? { sandbox } : { sandbox, trust };
  if (isBundle(context, what)) {
    return await new ReplayEngine(given).replayBundle(await readInput(context, what, inputs.bundle));
  }
  return await withHomeView(homeDir(context, textOption(options, "home")), async ({ home, store, prover }) => {
    const engine = new ReplayEngine({ trust: home.trust, ...given, auditStore: storeAuditSource(store, prover) });
    return await engine.replayCorrelation(what);
  });
}

function isBundle(context: CliContext, what: string): boolean {
  if (what === "-" || existsSync(resolve(context.cwd, what))) return true;
  if (!/[/\\]|\.json$/.test(what)) return false;
  throw new ExoArmurError("EXO_FILE", `${what} does not exist`, { file: resolve(context.cwd, what) });
}

function formatReport(report: ReplayReport): string {
  const { checks, executions, levels, counts, divergence, warnings, failures, result } = report;
  const rows = checks
    .filter((check) => check.state !== "pass" || check.id === "re-execution")
    .map(({ state, level, title, code, message }) => [
      stateWords[state],
      level,
      title,
      code === undefined ? message : `${code}: ${message}`,
    ]);
  const compared = executions.flatMap(({ intentId, recorded, replayed }) => [
    ["execution", intentId, "status", "fuel", "host calls", "memory pages", "output"],
    ...(
      [
        ["recorded", recorded],
        ["replayed", replayed],
      ] as const
    ).map(([name, figures]) => [
      "",
      name,
      figures.status,
      formatCount(figures.fuel),
      String(figures.hostCalls),
      String(figures.memoryPeakPages),
      figures.output ?? "none",
    ]),
  ]);
  const parted: string[][] =
    divergence === null
      ? []
      : [
          ["diverged", `${divergence.level}, ${divergence.step}: ${divergence.kind}`],
          ["", `expected ${divergence.expected}, came ${divergence.actual}`],
        ];
  const passed = checks.filter((check) => check.state === "pass").length;
  const reached = (Object.keys(levels) as (keyof typeof levels)[]).map(
    (level) => `${level} ${stateWords[levels[level]]}`,
  );
  const sum = [
    countOf(counts.events, "event"),
    countOf(counts.intents, "intent"),
    countOf(counts.executions, "execution"),
  ];
  return [
    formatTable(rows),
    formatTable(compared),
    formatRows(parted),
    `\nReplay result: ${result}\n`,
    `Failures: ${failures.length === 0 ? "none" : failures.length}\n`,
    ...warnings.map((warning) => formatRows([["warning", warning]])),
    formatRows([
      ["levels", reached.join(", ")],
      ["records", sum.join(", ")],
      ["checks", `${passed} of ${checks.length} passed`, report.trustMode === "pinned" ? "pinned" : "self-check only"],
      ["engine", report.engine ?? "none"],
    ]),
    "A replay proves the computation, given the recorded answers; not that the world gave these answers.\n",
  ].join("");
}
