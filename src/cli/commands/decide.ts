import { signGrantWith } from "../../approval/sign.js";
import { parseCanonical, readJson } from "../../canonical/read.js";
import {
  type ApprovalGrant,
  type ApprovalRequest,
  approvalGrantSchema,
  type Preview,
} from "../../contracts/approval.js";
import { parseContract } from "../../contracts/common.js";
import { type Envelope, envelopeSchema, payloadTypes } from "../../contracts/dsse.js";
import { stampOf } from "../../contracts/order.js";
import { decodeBase64 } from "../../crypto/encoding.js";
import { ExoArmurError } from "../../errors.js";
import type { HomePaths } from "../../home/paths.js";
import { readState } from "../../pipeline/documents.js";
import { readPreview } from "../../pipeline/present.js";
import { approvalKeys } from "../../pipeline/store-keys.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { findApproval, outdatedOf, previewCells } from "../approval-text.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes, statusCodes } from "../exit-codes.js";
import { inputName, inputs, readInput } from "../files.js";
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
  return await carry(context, home.paths, { envelope, requestId: request.requestId, decision }, json);
}

/**
 * `approvals submit FILE`: has a decision carried out that was signed elsewhere, such as in a console opened from a file.
 * EXO_ENVELOPE for a file that is no signed decision, EXO_APPROVAL_*, EXO_ORDER, EXO_FILE.
 */
export async function submit(
  context: CliContext,
  [path = "-"]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const envelope = parseContract(
    envelopeSchema,
    readJson(await readInput(context, path, inputs.document)),
    inputName(path),
  );
  const grant = readGrant(envelope, inputName(path));
  const { paths, requestId } = await withHomeView(homeDir(context, textOption(options, "home")), ({ store, home }) => {
    const id = readState<string>(store, approvalKeys.byDigest(grant.requestDigest));
    if (id !== undefined) return { paths: home.paths, requestId: id };
    throw new ExoArmurError("EXO_APPROVAL_UNKNOWN", `no approval request has the digest ${grant.requestDigest}`);
  });
  return await carry(context, paths, { envelope, requestId, decision: grant.decision }, hasFlag(options, "json"));
}

/** What a signed decision says; whether its signature counts is for the owner to judge. */
function readGrant({ payloadType, payload }: Envelope, what: string): ApprovalGrant {
  const bytes = decodeBase64(payload);
  if (payloadType !== payloadTypes.approvalGrant || bytes === undefined) {
    throw new ExoArmurError("EXO_ENVELOPE", `${what}: expected a signed decision, got ${payloadType.slice(0, 100)}`);
  }
  return parseContract(approvalGrantSchema, parseCanonical(bytes), `${what}: the decision`);
}

type Signed = { readonly envelope: Envelope; readonly requestId: string; readonly decision: Decision };

async function carry(
  context: CliContext,
  paths: HomePaths,
  { envelope, requestId, decision }: Signed,
  json: boolean,
): Promise<ExitCode> {
  const work = deliverOrder(context, paths, envelope);
  const summary = readOrderSummary(await withProgress(context, `${decision} ${requestId}`, work));
  if (json) printJson(context, { schema: "exoarmur.decision/v1", requestId, decision, ...summary });
  else {
    const { status, reason: why, bundle } = summary;
    const label = status === "approval_pending" ? "approval pending" : status.replace("_", " ");
    const place = bundle === null ? "" : `bundle ${shownPath(context, bundle)}`;
    context.stdout(formatRows([[label, why === null ? "" : `${why.code}: ${why.message}`, place]]));
  }
  // A deny that was counted did what was asked.
  return decision === "deny" && summary.status === "denied" ? exitCodes.done : statusCodes[summary.status];
}
