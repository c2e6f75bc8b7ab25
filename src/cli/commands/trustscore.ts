import { z } from "zod";
import { payloadTypes } from "../../contracts/dsse.js";
import { signOrder, trustScoreOrderSchema } from "../../contracts/order.js";
import { ExoArmurError } from "../../errors.js";
import { openHome } from "../../home/open.js";
import { hasFlag, textOption, type Work } from "../action.js";
import { homeDir } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { deliverOrder } from "../order-delivery.js";
import { formatRows, printJson } from "../output.js";
import { withProgress } from "../progress.js";
import { withSigningKey } from "../signing-key.js";

const answerMs = 10_000;

const answerSchema = z.object({ tenantId: z.string(), actorId: z.string(), score: z.number() });

/**
 * `trustscore`: has a signed order recorded that sets an actor's trust score (spec/safety.md). EXO_USAGE for a score that
 * is no number from 0 to 1, EXO_ORDER*, withSigningKey's, EXO_TENANT_UNKNOWN.
 */
export const setTrustScore: Work = async (context, [actorId = "", text = ""], options) => {
  const score = /^(?:0|1|0?\.\d{1,15}|1\.0{1,15})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(score))
    throw new ExoArmurError("EXO_USAGE", `expected a score from 0 to 1, got ${text.slice(0, 100)}`);
  const home = await openHome(homeDir(context, textOption(options, "home")));
  const order = {
    schema: trustScoreOrderSchema.shape.schema.value,
    cellId: home.resolved.cellId,
    tenantId: textOption(options, "tenant") ?? home.resolved.tenantId,
    actorId,
    score,
  };
  const envelope = await withSigningKey(context, home, "operator", options, (key) =>
    signOrder(context, key, payloadTypes.trustScore, order),
  );
  const work = deliverOrder(context, home.paths, envelope, { timeoutMs: answerMs });
  const answer = answerSchema.safeParse(await withProgress(context, "trust score", work));
  if (!answer.success) throw new ExoArmurError("EXO_INTERNAL", "the owner's answer does not have the expected shape");
  const { tenantId } = answer.data;
  if (hasFlag(options, "json")) printJson(context, { schema: "exoarmur.trust-score-state/v1", ...answer.data });
  else context.stdout(formatRows([["trust score", `${actorId} ${answer.data.score}`, `tenant ${tenantId}`]]));
  return exitCodes.done;
};
