import { removeKillFile, writeKillFile } from "../../home/kill-file.js";
import { type Claim, type Found, held, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import { scratchActions } from "./guests.js";
import { describe, mustEnd, mustRefuse, refusalOf, type Stage, through } from "./stage.js";

/** What the pipeline denies before anything runs. */
export const ruleGuarantees: readonly Guarantee[] = [
  {
    id: "unknown-action",
    title: "an action that no executor offers is denied",
    tried: `${scratchActions.unknown}, which nothing offers`,
    expected: "denied",
    codes: ["EXO_EXECUTOR_UNKNOWN"],
    ground: "own",
    attempt: async ({ runtime }, claim) => mustEnd(await runtime.as(agent).call(scratchActions.unknown, {}), claim),
  },
  {
    id: "default-deny",
    title: "an action that no rule names is denied",
    tried: `${scratchActions.unnamed}, which an executor offers and no rule names`,
    expected: "denied",
    codes: ["EXO_POLICY_DENIED", "EXO_POLICY_DEFERRED", "EXO_POLICY_ERROR"],
    ground: "own",
    attempt: tryUnnamed,
  },
  {
    id: "second-owner",
    title: "a home has one owner",
    tried: "a second runtime opened over the same home",
    expected: "refused",
    codes: ["EXO_HOME_LOCKED"],
    ground: "own",
    attempt: trySecondOwner,
  },
  {
    id: "kill-switch",
    title: "the kill switch stops what is allowed",
    tried: `${scratchActions.idle}, carried out before, with a KILL file in place`,
    expected: "denied",
    codes: ["EXO_KILL_SWITCH"],
    ground: "derived",
    attempt: tryKilled,
  },
];

const agent = "exoarmur-prove-agent";

async function tryUnnamed({ runtime }: Stage, claim: Claim): Promise<Found> {
  const result = await runtime.as(agent).call(scratchActions.unnamed, {});
  const found = mustEnd(result, claim);
  if (found.state === "held") return held(`${describe(result)}`, found.code);
  const named = result.decision?.ruleIds.includes("default") === false ? "; it names every action" : "";
  return { ...found, message: `${found.message}${named}` };
}

async function trySecondOwner({ open, scratch }: Stage, claim: Claim): Promise<Found> {
  return mustRefuse(
    await refusalOf(open(scratch.paths.home).then((second) => second.close())),
    claim,
    "a second runtime",
  );
}

async function tryKilled(stage: Stage, claim: Claim): Promise<Found> {
  const before = await through(stage, scratchActions.idle);
  if (before.status !== "executed") return notTried(`without a kill switch it was ${describe(before)}`);
  await writeKillFile(stage.scratch.paths, "exoarmur doctor --prove");
  try {
    return mustEnd(await through(stage, scratchActions.idle), claim);
  } finally {
    await removeKillFile(stage.scratch.paths);
  }
}
