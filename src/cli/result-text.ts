import { parseTime } from "../canonical/time.js";
import type { Advice } from "../contracts/advice.js";
import type { Reason } from "../contracts/event.js";
import { encodeBase64 } from "../crypto/encoding.js";
import type { ExecutionResult } from "../pipeline/types.js";
import type { CliContext } from "./context.js";
import { countOf, formatCount, formatRows, formatSpan, shellWord, shownPath } from "./output.js";

/** What is known of a result beside itself: executor and function, target, actor, duration, where the bundle went. */
export type ResultFacts = {
  readonly executor: string | undefined;
  readonly target: string | undefined;
  readonly actor: string;
  readonly milliseconds: number;
  readonly bundle: string | undefined;
  /** When an earlier call handed the same request in. */
  readonly recordedBefore: string | undefined;
  readonly home: string;
  /** ` --home DIR` when the home is not the default. */
  readonly homeOption: string;
};

/** An action's result as text (spec/cli.md). */
export function formatResult(context: CliContext, result: ExecutionResult, facts: ResultFacts): string {
  const bundle = facts.bundle === undefined ? [] : [["bundle", shownPath(context, facts.bundle)]];
  const before =
    facts.recordedBefore === undefined ? [] : [["known", `recorded ${facts.recordedBefore}; nothing ran now`]];
  const rule = `rule ${result.decision?.ruleIds.join(", ") ?? "none"}`;
  const { executor = "" } = facts;
  switch (result.status) {
    case "executed": {
      const { fuel, hostCalls } = result;
      const time = facts.recordedBefore === undefined ? `${Math.round(facts.milliseconds)} ms` : "";
      const figures = [`${formatCount(fuel.used)} fuel`, countOf(hostCalls, "host call"), time];
      const gone = result.outputDropped === true ? [["output", "was dropped from the store"]] : [];
      return formatRows([["executed", executor, rule, ...figures], ...before, ...gone, ...bundle]);
    }
    case "denied": {
      const { code, ruleIds, message } = result.reason;
      const rules = ruleIds.length === 0 ? "" : `rule ${ruleIds.join(", ")}`;
      return formatRows([
        ["denied", code, rules, message],
        ...adviceRows(result.reason, result.advice),
        ...before,
        ...bundle,
      ]);
    }
    case "failed": {
      const fuel = `${formatCount(result.execution.fuel.used)} fuel`;
      const failed = ["failed", result.reason.code, executor, fuel, result.reason.message];
      return formatRows([failed, ...adviceRows(result.reason, result.advice), ...before, ...bundle]);
    }
    case "approval_pending":
      return formatPending(context, result, rule, facts);
    case "in_doubt":
    case "running": {
      const message = result.status === "running" ? "started, and not ended yet" : result.reason.message;
      const how = `npx exoarmur resolve ${result.intentId} --outcome OUTCOME --evidence FILE${facts.homeOption}`;
      return formatRows([
        ["in doubt", result.intentId, message],
        ["resolve with", how],
      ]);
    }
  }
}

/** The grant that was missing, unless the reason says so itself, and who can do what next. */
function adviceRows(reason: Reason, { missing, nextSteps }: Advice): string[][] {
  const lacking =
    missing === undefined || missing.message === reason.message
      ? []
      : [["missing", missing.capability, missing.message]];
  return [...lacking, ...nextSteps.map(({ by, text }) => ["next", by, text])];
}

function formatPending(
  context: CliContext,
  { approval: request, heldUntil }: Extract<ExecutionResult, { status: "approval_pending" }>,
  rule: string,
  facts: ResultFacts,
): string {
  const roles = [...new Set(request.roster.flatMap((entry) => entry.roles))].sort().join(", ");
  const { requestId, threshold } = request;
  const left = `expires in ${formatSpan(parseTime(request.expiresAt) - context.clock.now())}`;
  const key = shellWord(shownPath(context, `${facts.home}/keys/approver.key`));
  const target = facts.target === undefined ? "" : `target ${facts.target}`;
  if (heldUntil !== undefined) {
    return formatRows([
      [`approved, held until ${heldUntil}`, requestId, rule, left],
      ["will run", facts.executor ?? "", target, `by ${facts.actor}`],
      ["stop with", `npx exoarmur approvals deny ${requestId} --reason REASON --key KEY${facts.homeOption}`],
    ]);
  }
  return formatRows([
    ["approval pending", requestId, rule, `0 of ${threshold} approvals, role ${roles}, ${left}`],
    ["will run", facts.executor ?? "", target, `by ${facts.actor}`],
    ["approve with", `npx exoarmur approvals approve ${requestId} --key ${key}${facts.homeOption}`],
  ]);
}

/** An action's result as a JSON document: the result's own members, the bundle as digest and path. */
export function resultDocument(result: ExecutionResult, facts: ResultFacts, intent: unknown): object {
  const { bundle, recordedBefore } = facts;
  return {
    schema: "exoarmur.run/v1",
    ...result,
    ...("output" in result && result.output instanceof Uint8Array
      ? { output: { base64: encodeBase64(result.output) } }
      : {}),
    bundle: "bundle" in result ? { digest: result.bundle.digest, path: bundle ?? null } : null,
    recordedBefore: recordedBefore ?? null,
    intent,
  };
}
