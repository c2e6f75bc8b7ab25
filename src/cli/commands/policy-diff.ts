import type { IntentDraft } from "../../contracts/intent.js";
import { diffAny, type PolicyDiff } from "../../policy/diff.js";
import { hasFlag, type Options } from "../action.js";
import type { CliContext } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, formatRows, printJson } from "../output.js";
import { nameOf, readPolicyArgument } from "../policy/read-policy.js";

const codes = { same_or_narrower: exitCodes.done, widens: exitCodes.refused, undecided: exitCodes.unable } as const;

/** Widenings and open questions shown one by one, at most. */
const shownRows = 20;

/**
 * `policy diff OLD NEW`: whether NEW allows anything that OLD did not. Exit 0 when it is proven not to, 1 when it does, 6
 * when it is not decided. The errors of the files read.
 */
export async function diff(
  context: CliContext,
  [before = "", after = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const { document: old } = await readPolicyArgument(context, before);
  const { document: now } = await readPolicyArgument(context, after);
  const found = diffAny(old, now);
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.policy-diff/v1", before: nameOf(old), after: nameOf(now), ...found });
  } else context.stdout(formatDiff(found));
  return codes[found.result];
}

function formatDiff({ result, widenings, undecided, tried }: PolicyDiff): string {
  const rows = widenings.slice(0, shownRows).flatMap((one) => [
    [one.class, `${one.before.ruleIds.join(", ")} -> ${one.after.ruleIds.join(", ")}`, one.about],
    ["", requestText(one.witness)],
  ]);
  const open = undecided.slice(0, shownRows).map((what) => ["undecided", what]);
  const hidden = Math.max(0, widenings.length - shownRows) + Math.max(0, undecided.length - shownRows);
  return [
    formatRows([...rows, ...open]),
    hidden === 0 ? "" : `... and ${hidden} more; --json has all\n`,
    `${[result.replaceAll("_", " "), countOf(widenings.length, "widening"), `${countOf(tried, "request")} tried`].join("   ")}\n`,
  ].join("");
}

function requestText({ actor, action, target, tenantId, executor, parameters }: IntentDraft): string {
  const who = typeof actor === "string" ? actor : `${actor.id} (${actor.type})`;
  const on = typeof executor === "string" ? ` on ${executor}` : "";
  const where = tenantId === undefined ? "" : ` in ${tenantId}`;
  const given = Object.keys(parameters).length === 0 ? "" : ` with ${JSON.stringify(parameters)}`;
  return `${who}${where}: ${action}${on} ${target === undefined ? "without a target" : JSON.stringify(target)}${given}`;
}
