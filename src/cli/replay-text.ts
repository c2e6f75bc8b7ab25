import type { ReplayReport } from "../contracts/replay-report.js";
import { formatBytes } from "./hex-dump.js";
import { countOf, formatCount, formatRows, formatTable } from "./output.js";
import { stateWords } from "./states.js";

/** A replay's report for people (spec/cli.md, replay): what is no pass, the figures compared, the first difference, the sums. */
export function formatReport(report: ReplayReport): string {
  const { checks, executions, levels, counts, divergence, warnings, failures, result } = report;
  const rows = checks
    .filter((check) => check.state !== "pass" || check.id === "re-execution")
    .map(({ state, level, title, code, message }) => [
      stateWords[state],
      level,
      title,
      code === undefined ? message : `${code}: ${message}`,
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
    formatExecutions(executions),
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

/** Recorded and replayed figures of executions, one above the other. */
export function formatExecutions(executions: ReplayReport["executions"]): string {
  return formatTable(
    executions.flatMap(({ intentId, recorded, replayed }) => [
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
    ]),
  );
}

/** A count with its sign. */
export const signed = (value: number): string => `${value < 0 ? "-" : "+"}${formatCount(Math.abs(value))}`;
