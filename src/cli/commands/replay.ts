import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { SandboxConfig } from "../../contracts/config.js";
import type { ReplayReport } from "../../contracts/replay-report.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import { openHome } from "../../home/open.js";
import type { SandboxHost } from "../../ports.js";
import { storeAuditSource } from "../../replay/audit-source.js";
import { looksLikeReference } from "../../replay/reference-read.js";
import { ReplayEngine } from "../../replay/replay-engine.js";
import { loadCedar } from "../../runtime/cedar.js";
import { openSandbox } from "../../runtime/sandbox.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { formatBytes } from "../hex-dump.js";
import { withHomeView } from "../home-view.js";
import { jobsOption } from "../jobs.js";
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
 * `replay BUNDLE|CORRELATION-ID`, `replay --all`: an argument that is a path on disk, or looks like one, is a bundle; any
 * other is a correlation id of the home, whose trust file counts unless `--trust` names another. A file of events of
 * ExoArmur-Core is replayed in reference mode. Performs no side effect. EXO_USAGE unless exactly one of argument and
 * `--all` is given.
 */
export async function replay(context: CliContext, [what]: readonly string[], options: Options): Promise<ExitCode> {
  const all = hasFlag(options, "all");
  if (all === (what !== undefined)) {
    throw new ExoArmurError("EXO_USAGE", "replay takes a bundle, a correlation id, or --all");
  }
  const file =
    what !== undefined && isBundle(context, what) ? await readInput(context, what, inputs.bundle) : undefined;
  if (isReference(what, file, options)) {
    const { replayReferenceFile } = await import("./replay-reference.js");
    return await replayReferenceFile(context, file, options);
  }
  const jobs = jobsOption(options);
  const config = await sandboxConfigOf(homeDir(context, textOption(options, "home")));
  const sandbox = await openSandbox({ ...config, workers: all ? jobs : 1 }, createStderrLogger(context));
  try {
    if (what === undefined) {
      const { replayAll } = await import("./replay-all.js");
      return await withEngine(context, options, sandbox, (engine) =>
        replayAll(context, engine, { jobs, json: hasFlag(options, "json") }),
      );
    }
    const report = await withProgress(context, "replaying", replayOne(context, file ?? what, options, sandbox));
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

async function replayOne(
  context: CliContext,
  what: string | Uint8Array,
  options: Options,
  sandbox: SandboxHost,
): Promise<ReplayReport> {
  if (typeof what !== "string") {
    const trust = await readTrustOption(context, options);
    const engine = new ReplayEngine({ sandbox, cedar: loadCedar, ...(trust === undefined ? {} : { trust }) });
    return await engine.replayBundle(what);
  }
  return await withEngine(context, options, sandbox, (engine) => engine.replayCorrelation(what));
}

/** Does `work` with an engine over the home's records, under its trust file unless `--trust` names another. */
async function withEngine<T>(
  context: CliContext,
  options: Options,
  sandbox: SandboxHost,
  work: (engine: ReplayEngine) => Promise<T>,
): Promise<T> {
  const given = await readTrustOption(context, options);
  return await withHomeView(homeDir(context, textOption(options, "home")), async ({ home, store, prover }) => {
    const auditStore = storeAuditSource(store, prover);
    return await work(new ReplayEngine({ trust: given ?? home.trust, sandbox, auditStore, cedar: loadCedar }));
  });
}

/** Reference mode: asked for, or what the file looks like. EXO_USAGE where its options have nothing to apply to. */
function isReference(what: string | undefined, file: Uint8Array | undefined, options: Options): file is Uint8Array {
  const asked = textOption(options, "mode") === "reference";
  if (asked && file === undefined) {
    throw new ExoArmurError("EXO_USAGE", `--mode reference replays a file of events, came ${what ?? "--all"}`);
  }
  const found = asked || (file !== undefined && looksLikeReference(file));
  if (!found && textOption(options, "correlation") !== undefined) {
    throw new ExoArmurError("EXO_USAGE", "--correlation is for a stream of ExoArmur-Core events");
  }
  return found;
}

function isBundle(context: CliContext, what: string): boolean {
  if (what === "-" || existsSync(resolve(context.cwd, what))) return true;
  if (!/[/\\]|\.jsonl?$/.test(what)) return false;
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
          ...formatBytes(divergence),
          ...(divergence.fuelDelta === undefined ? [] : [["", `fuel ${signed(divergence.fuelDelta)}`]]),
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

const signed = (value: number): string => `${value < 0 ? "-" : "+"}${formatCount(Math.abs(value))}`;
