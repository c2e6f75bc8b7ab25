import { digestOf } from "../../canonical/digest.js";
import { checkUlid } from "../../canonical/ids.js";
import { payloadTypes } from "../../contracts/dsse.js";
import { resolutionOrderSchema, signOrder } from "../../contracts/order.js";
import { openHome } from "../../home/open.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { inputs, readInput } from "../files.js";
import { deliverOrder } from "../order-delivery.js";
import { readOrderSummary } from "../order-summary.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { withProgress } from "../progress.js";
import { withSigningKey } from "../signing-key.js";

const answerMs = 60_000;

/**
 * `resolve INTENT-ID`: closes an action that is in doubt with a signed statement of how it ended. EXO_ID,
 * EXO_INTENT_UNKNOWN, EXO_NOT_IN_DOUBT, EXO_ORDER*, withSigningKey's.
 */
export async function resolveIntent(
  context: CliContext,
  [id = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const intentId = checkUlid(id);
  const outcome = textOption(options, "outcome") ?? "";
  const evidence = digestOf(await readInput(context, textOption(options, "evidence") ?? "-", inputs.evidence));
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const order = {
    schema: resolutionOrderSchema.shape.schema.value,
    cellId: home.resolved.cellId,
    intentId,
    outcome,
    evidence: [evidence],
  };
  const { by, envelope } = await withSigningKey(context, home, "operator", options, async (key) => {
    return { by: key.id, envelope: await signOrder(context, key, payloadTypes.resolution, order) };
  });
  const work = deliverOrder(context, home.paths, envelope, { timeoutMs: answerMs });
  const { bundle } = readOrderSummary(await withProgress(context, `resolving ${intentId}`, work));
  if (hasFlag(options, "json")) {
    printJson(context, { schema: "exoarmur.resolved/v1", intentId, outcome, evidence: [evidence], bundle });
    return exitCodes.done;
  }
  const rows = [["resolved", intentId, outcome, `by ${by}`]];
  if (bundle !== null) rows.push(["bundle", shownPath(context, bundle)]);
  context.stdout(formatRows(rows));
  return exitCodes.done;
}
