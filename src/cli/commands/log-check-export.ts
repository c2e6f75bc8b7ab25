import { resolve } from "node:path";
import { encodeBase64 } from "../../crypto/encoding.js";
import type { NoteKey } from "../../crypto/note-key.js";
import { type ErrorCode, ExoArmurError } from "../../errors.js";
import { exportReader } from "../../home/tile-folder.js";
import { type Checkpoint, openCheckpoint, readCheckpoint } from "../../log/checkpoint.js";
import { auditTiles, type TilesAudit, type TilesProblem } from "../../log/tiles-audit.js";
import type { LogCheck } from "../../replay/audit-log.js";
import { countWitnesses } from "../../verify/check-log.js";
import { runCheck } from "../../verify/verify-bundle.js";
import { hasFlag, type Options, textOption } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { sinceCheck } from "../log-since.js";
import { countOf, formatRows, formatTable, printJson } from "../output.js";
import { stateWords } from "../states.js";
import { logKeysOption } from "./log-keys.js";
import { readTrustOption } from "./verify.js";

/** Which check a problem belongs to; all others are the tree's. */
const checkOf: Readonly<Partial<Record<ErrorCode, string>>> = {
  EXO_SIGNATURE: "signature",
  EXO_TRUST: "signature",
  EXO_LOG_FORK: "since",
  EXO_STORE_ROLLED_BACK: "since",
};

/** How many problems are told in a check's line. */
const shown = 5;

/**
 * `log check --dir DIR`: audits an export without its store. Its signature is checked under the keys of --vkey and
 * --trust; without either that check is not applicable. EXO_NOTE, EXO_SIGNATURE or EXO_TRUST for a checkpoint of --since
 * that counts for nothing, and as logKeysOption.
 */
export async function checkExport(context: CliContext, _args: readonly string[], options: Options): Promise<ExitCode> {
  const path = textOption(options, "dir") ?? "";
  const keys = await logKeysOption(context, options);
  const trust = await readTrustOption(context, options);
  const since = await readSince(context, textOption(options, "since"), keys);
  const audit = await auditTiles(exportReader(resolve(context.cwd, path)), {
    ...(keys === undefined ? {} : { keys }),
    ...(since === undefined ? {} : { since }),
  });
  const { note } = audit;
  const checks: LogCheck[] = [
    treeCheck(audit),
    signatureCheck(audit),
    ...(since === undefined ? [] : [earlierCheck(audit, since)]),
    ...(note === null
      ? []
      : [runCheck("witnesses", "witness quorum", () => countWitnesses(trust ?? null, () => note))]),
  ];
  const failed = checks.some(({ state }) => state === "fail");
  const result = failed ? "fail" : checks.some(({ state }) => state === "unable") ? "unable" : "pass";
  const { checkpoint, entries, tiles } = audit;
  const head = checkpoint && { ...checkpoint, root: encodeBase64(checkpoint.root) };
  if (hasFlag(options, "json"))
    printJson(context, { schema: "exoarmur.tiles-audit/v1", result, checkpoint: head, entries, tiles, checks });
  else
    context.stdout(
      `${formatTable(checks.map(rowOf))}\n${formatRows([[result, countOf(entries, "entry").replace("entrys", "entries"), countOf(tiles, "tile")]], 0)}`,
    );
  return { pass: exitCodes.done, fail: exitCodes.refused, unable: exitCodes.unable }[result];
}

async function readSince(
  context: CliContext,
  path: string | undefined,
  keys: readonly NoteKey[] | undefined,
): Promise<Checkpoint | undefined> {
  if (path === undefined) return undefined;
  const note = await readInput(context, path, inputs.note);
  const { origin, size, root } = readCheckpoint(note);
  if (keys === undefined) return { origin, size, root };
  const own = keys.filter(({ name }) => name === origin);
  if (own.length === 0) throw new ExoArmurError("EXO_TRUST", `${path}: no key is known for the log ${origin}`);
  openCheckpoint(note, own);
  return { origin, size, root };
}

function treeCheck(audit: TilesAudit): LogCheck {
  const found = audit.problems.filter(({ code }) => checkOf[code] === undefined);
  const check = { id: "tiles", title: "tiles and root recomputed" };
  const failed = firstOf(found);
  if (failed !== undefined) return { ...check, state: "fail", ...failed };
  return { ...check, state: "pass", message: `${audit.entries} entries, ${audit.tiles} tiles` };
}

function signatureCheck({ problems, signed, checkpoint }: TilesAudit): LogCheck {
  const check = { id: "signature", title: "checkpoint signature" };
  if (!signed) return { ...check, state: "not_applicable", message: "no key of the log was named: --vkey or --trust" };
  const failed = firstOf(problems.filter(({ code }) => checkOf[code] === "signature"));
  if (failed !== undefined) return { ...check, state: "fail", ...failed };
  if (checkpoint === null) return { ...check, state: "unable", code: "EXO_NOTE", message: "there is no checkpoint" };
  return { ...check, state: "pass", message: checkpoint.origin };
}

function earlierCheck({ problems, checkpoint, entries }: TilesAudit, since: Checkpoint): LogCheck {
  const failed = firstOf(problems.filter(({ code }) => checkOf[code] === "since"));
  const check = sinceCheck(failed, `${since.size} entries, as then`);
  const read = checkpoint !== null && entries >= since.size;
  if (failed !== undefined || read) return check;
  return { ...check, state: "unable", code: "EXO_LOG_PROOF", message: "the entries it covers could not be read" };
}

function firstOf(problems: readonly TilesProblem[]): TilesProblem | undefined {
  const [first] = problems;
  if (first === undefined) return undefined;
  const more = problems.length > shown ? [`and ${problems.length - shown} more`] : [];
  return { code: first.code, message: [...problems.slice(0, shown).map(({ message }) => message), ...more].join(" ") };
}

function rowOf({ state, title, code, message }: LogCheck): string[] {
  return [stateWords[state], title, code === undefined ? message : `${code}: ${message}`];
}
