import { approvalViews, readPreview } from "../../pipeline/present.js";
import { hasFlag, type Options, textOption } from "../action.js";
import { findApproval, previewCells, progressCells, standingOf } from "../approval-text.js";
import { type CliContext, homeDir } from "../context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { withHomeView } from "../home-view.js";
import { formatRows, formatTable, printJson } from "../output.js";

/** `approvals list`: the requests that wait, or with `--all` every one. Reads beside the owner. */
export async function listApprovals(
  context: CliContext,
  _args: readonly string[],
  options: Options,
): Promise<ExitCode> {
  await withHomeView(homeDir(context, textOption(options, "home")), ({ store }) => {
    const isShown = (standing: string): boolean => hasFlag(options, "all") || standing === "pending";
    const views = approvalViews(store).filter((view) => isShown(standingOf(context, view)));
    if (hasFlag(options, "json")) {
      const approvals = views.map((view) => ({
        request: view.request,
        status: standingOf(context, view),
        decisions: view.record.state.decisions,
        preview: readPreview(store, view.request),
      }));
      printJson(context, { schema: "exoarmur.approvals/v1", approvals });
      return;
    }
    if (views.length === 0) {
      context.stdout(hasFlag(options, "all") ? "no approval requests\n" : "nothing waits for approval\n");
      return;
    }
    const rows = views.map((view) => [
      view.record.requestId,
      standingOf(context, view),
      ...previewCells(readPreview(store, view.request)),
      ...progressCells(context, view),
    ]);
    context.stdout(formatTable(rows));
  });
  return exitCodes.done;
}

/** `approvals show ID`: everything an approver signs for. EXO_APPROVAL_UNKNOWN. */
export async function showApproval(
  context: CliContext,
  [id = ""]: readonly string[],
  options: Options,
): Promise<ExitCode> {
  await withHomeView(homeDir(context, textOption(options, "home")), ({ store }) => {
    const view = findApproval(store, id);
    const { request, record } = view;
    const preview = readPreview(store, request);
    const { decisions } = record.state;
    const status = standingOf(context, view);
    if (hasFlag(options, "json")) {
      printJson(context, { schema: "exoarmur.approval/v1", request, status, decisions, preview });
      return;
    }
    const rows: string[][] = [
      ["request", request.requestId, status, ...progressCells(context, view)],
      ["intent", request.intentId, `tenant ${request.tenantId}`],
      ["will run", ...previewCells(preview)],
      ["parameters", JSON.stringify(preview.parameters)],
      ["effects", preview.effects],
      ...preview.grants.capabilities.map((grant) => ["grant", grant.name, JSON.stringify(grant.constraints ?? {})]),
      ["plugin", request.pluginDigest],
      ["policy", request.policyDigest, request.verdict],
      ["requested", request.requestedAt],
      ["expires", request.expiresAt],
      ...request.roster.map((entry) => ["may decide", entry.id, entry.roles.join(", "), ...entry.keyIds]),
      ...decisions.map((one) => [
        one.decision === "deny" ? "denied" : "approved",
        one.approver,
        one.signedAt,
        one.reason ?? "",
      ]),
    ];
    context.stdout(formatRows(rows));
  });
  return exitCodes.done;
}
