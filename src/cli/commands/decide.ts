import { signGrantWith } from "../../approval/sign.js";
import type { ApprovalGrant, ApprovalRequest, Preview } from "../../contracts/approval.js";
import { stampOf } from "../../contracts/order.js";
import { ExoArmurError } from "../../errors.js";
import { readPreview } from "../../pipeline/present.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { findApproval, outdatedOf, previewCells } from "../approval-text.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes, statusCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { isConfirmed } from "../operator.js";
import { deliverOrder } from "../order-delivery.js";
import { readOrderSummary } from "../order-summary.js";
import { formatRows, printJson, shownPath } from "../output.js";
import { withProgress } from "../progress.js";
import { type SigningHome, withSigningKey } from "../signing-key.js";

type Decision = ApprovalGrant["decision"];

/** `approvals approve ID`: shows what will run, signs, has it carried out. EXO_APPROVAL_*, EXO_ORDER, withSigningKey's. */
export async function approve(context: CliContext, [id = ""]: readonly string[], options: Options): Promise<ExitCode> {
  return await decide(context, id, options, "approve");
}

/** `approvals deny ID --reason TEXT`: the same for a deny, which closes the request. */
export async function deny(context: CliContext, [id = ""]: readonly string[], options: Options): Promise<ExitCode> {
  return await decide(context, id, options, "deny");
}

type Found = { readonly home: SigningHome; readonly request: ApprovalRequest; readonly preview: Preview };

async function decide(context: CliContext, id: string, options: Options, decision: Decision): Promise<ExitCode> {
  const { home, request, preview } = await withHomeView(
    homeDir(context, textOption(options, "home")),
    (view): Found => {
      const found = findApproval(view.store, id);
      const outdated = decision === "approve" ? outdatedOf(context, view, found) : null;
      // Before anybody is asked: no approval of it could be carried out.
      if (outdated !== null) throw new ExoArmurError(outdated.code, outdated.message);
      const { request } = found;
      return { home: view.home, request, preview: readPreview(view.store, request) };
    },
  );
  const json = hasFlag(options, "json");
  const shown = formatRows([[decision === "approve" ? "will run" : "will not run", ...previewCells(preview)]]);
  if (json) context.stderr(shown);
  else context.stdout(shown);
  if (!(await isConfirmed(context, options, decision))) {
    throw new ExoArmurError("EXO_CANCELLED", "not confirmed; nothing was signed");
  }
  const reason = textOption(options, "reason");
  const envelope = await withSigningKey(context, home, "approver", options, ({ id: approverId, signer }) => {
    const grant = { signer, approverId, decision, ...(reason === undefined ? {} : { reason }) };
    return signGrantWith(request, { ...grant, ...stampOf(context) });
  });
  const work = deliverOrder(context, home.paths, envelope);
  const summary = readOrderSummary(await withProgress(context, `${decision} ${request.requestId}`, work));
  if (json) printJson(context, { schema: "exoarmur.decision/v1", requestId: request.requestId, decision, ...summary });
  else {
    const { status, reason: why, bundle } = summary;
    const label = status === "approval_pending" ? "approval pending" : status.replace("_", " ");
    const place = bundle === null ? "" : `bundle ${shownPath(context, bundle)}`;
    context.stdout(formatRows([[label, why === null ? "" : `${why.code}: ${why.message}`, place]]));
  }
  // A deny that was counted did what was asked.
  return decision === "deny" && summary.status === "denied" ? exitCodes.done : statusCodes[summary.status];
}
