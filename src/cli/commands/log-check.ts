import { ExoArmurError } from "../../errors.js";
import { auditStore, type LogAudit, type OpenIntent } from "../../replay/audit-log.js";
import { usesCedar } from "../../replay/recorded-decisions.js";
import { loadCedar } from "../../runtime/cedar.js";
import type { Engines } from "../../verify/report.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { requireDirForKeys } from "../exported.js";
import { inputs, readInput } from "../files.js";
import { type HomeView, withHomeView } from "../home-view.js";
import { checkSince } from "../log-since.js";
import { countOf, formatRows, formatTable, printJson } from "../output.js";
import { stateWords } from "../states.js";
import { checkExport } from "./log-check-export.js";

const resultCodes = { pass: exitCodes.done, fail: exitCodes.refused, unable: exitCodes.unable } as const;

/**
 * `log check`: reads the store's whole file and audits it against its log, beside the owner or without one, and with
 * --since against an earlier checkpoint; with --dir an export instead. EXO_LOG_RANGE when empty, EXO_STORE_DAMAGED for a
 * file that is not whole, EXO_USAGE for keys without --dir.
 */
export async function checkLog(context: CliContext, args: readonly string[], options: Options): Promise<ExitCode> {
  if (textOption(options, "dir") !== undefined) return checkExport(context, args, options);
  requireDirForKeys(options);
  const since = textOption(options, "since");
  const earlier = since === undefined ? undefined : await readInput(context, since, inputs.note);
  const audit = await withHomeView(
    homeDir(context, textOption(options, "home")),
    async (view) => auditView(view, earlier, usesCedar(view.store) ? { cedar: await loadCedar() } : {}),
    true,
  );
  if (hasFlag(options, "json")) printJson(context, audit);
  else context.stdout(formatAudit(audit));
  return resultCodes[audit.result];
}

function auditView({ home, store, log }: HomeView, earlier: Uint8Array | undefined, engines: Engines): LogAudit {
  if (log() === undefined) throw new ExoArmurError("EXO_LOG_RANGE", "the log is empty; nothing was recorded yet");
  const found = auditStore(store, { ...home.log, trust: home.trust, ...engines });
  if (earlier === undefined) return found;
  const check = checkSince(store, earlier, home.trust);
  const result = check.state === "fail" ? "fail" : found.result;
  return { ...found, result, checks: [...found.checks, check] };
}

function formatAudit({ result, size, checks, counts, open }: LogAudit): string {
  const rows = checks.map(({ state, title, code, message }) => [
    stateWords[state],
    title,
    code === undefined ? message : `${code}: ${message}`,
  ]);
  const found = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return [
    formatTable(rows),
    formatRows(open.flatMap(openRows)),
    `\n${formatRows([[result, countOf(size, "log entry").replace("entrys", "entries"), found.join(", ")]], 0)}`,
  ].join("");
}

/** An intent that has not ended; of a run, what it was to do and each write it began, with what came of it. */
function openRows({ intentId, state, run }: OpenIntent): string[][] {
  if (run === undefined) return [["open", intentId, state]];
  const target = run.target === null ? "" : `target ${run.target}`;
  const since = run.startedAt === null ? "" : `started ${run.startedAt}`;
  const cause = run.cause === null ? "" : `because ${run.cause}`;
  return [
    ["open", intentId, stateText(state), run.action, target, since, cause],
    ...run.effects.flatMap((effect) => [
      [
        "  effect",
        `${effect.seq}`,
        effect.capability,
        effect.says === null
          ? "request not recorded"
          : Object.entries(effect.says)
              .map(([name, value]) => `${name} ${value}`)
              .join(" "),
        `started ${effect.startedAt}`,
        effect.outcome === null ? "no outcome recorded" : `recorded as ${effect.outcome}`,
      ],
      ["", `effect id ${effect.effectId}`, `request ${effect.requestDigest}`],
    ]),
    ...(run.resolve === null ? [] : [["  close", run.resolve]]),
  ];
}

function stateText(state: string): string {
  return state.replaceAll("_", " ");
}
