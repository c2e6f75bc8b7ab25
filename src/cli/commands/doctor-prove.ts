import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { countOf, formatTable, printJson } from "../output.js";
import { withBar } from "../progress.js";
import type { GuaranteeState } from "../prove/finding.js";
import { guarantees, type ProofReport, proveGuarantees } from "../prove/prove.js";

const resultCodes = {
  held: exitCodes.done,
  broken: exitCodes.refused,
  could_not_be_tried: exitCodes.unable,
} as const satisfies Record<GuaranteeState, ExitCode>;

const words = { held: "held", broken: "BROKEN", could_not_be_tried: "could not be tried" } as const;

/** `doctor --prove`: tries the named guarantees in a scratch home. 0 when all held, 1 for a broken one, else 6. */
export async function doctorProve(context: CliContext, options: Options): Promise<ExitCode> {
  const dir = homeDir(context, textOption(options, "home"));
  const { clock, entropy, env, signal } = context;
  const report = await withBar(context, guarantees.length, (step) =>
    proveGuarantees(dir, { clock, entropy, env, signal, done: ({ state }) => step(state !== "held") }),
  );
  if (hasFlag(options, "json")) printJson(context, report);
  else context.stdout(textOf(report));
  return resultCodes[report.result];
}

function textOf({ guarantees: proofs, counts, addedRules }: ProofReport): string {
  const rows = proofs.map(({ state, id, title, policy, code, message }) => [
    words[state],
    id,
    policy,
    state === "held" ? title : `${title}; but ${code === undefined ? message : `${code}: ${message}`}`,
  ]);
  const sum = `${countOf(counts.held, "guarantee")} held, ${counts.broken} broken, ${counts.could_not_be_tried} could not be tried\n`;
  const added =
    addedRules.length === 0
      ? ""
      : `own: the home's policy as it is; derived: with the rules ${addedRules.join(", ")} before its own\n`;
  return `${formatTable(rows)}${added}${sum}`;
}
