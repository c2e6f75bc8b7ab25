import { countsStill } from "../../approval/outdated.js";
import type { Preview } from "../../contracts/approval.js";
import { approvalViews, keptPreview } from "../../pipeline/present.js";
import { hasFlag, type Options, textOption } from "../action.js";
import {
  countingOf,
  findApproval,
  isOpen,
  outdatedOf,
  previewCells,
  progressCells,
  standingOf,
} from "../approval-text.js";
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
    const isShown = (standing: string): boolean => hasFlag(options, "all") || isOpen(standing);
    const views = approvalViews(store).filter((view) => isShown(standingOf(context, view)));
    if (hasFlag(options, "json")) {
      const approvals = views.map((view) => ({
        request: view.request,
        status: standingOf(context, view),
        decisions: view.record.state.decisions,
        preview: keptPreview(store, view.request),
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
      ...previewCells(keptPreview(store, view.request)),
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
  await withHomeView(homeDir(context, textOption(options, "home")), (home) => {
    const { store } = home;
    const view = findApproval(store, id);
    const { request, record } = view;
    const preview = keptPreview(store, request);
    const { decisions } = record.state;
    const status = standingOf(context, view);
    const outdated = outdatedOf(context, home, view);
    if (hasFlag(options, "json")) {
      printJson(context, { schema: "exoarmur.approval/v1", request, status, outdated, decisions, preview });
      return;
    }
    const counting = countingOf(home, view);
    const keyText = (person: string, keyId: string): string =>
      countsStill(counting, person, keyId) ? keyId : `${keyId} (no longer counts)`;
    const rows: string[][] = [
      ["request", request.requestId, status, ...progressCells(context, view)],
      ...(outdated === null ? [] : [["ask again", `${outdated.code}: ${outdated.message}`]]),
      ["intent", request.intentId, `tenant ${request.tenantId}`],
      ["will run", ...previewCells(preview)],
      ...(preview === null ? [] : previewRows(preview)),
      ["plugin", request.pluginDigest],
      ["policy", request.policyDigest, request.verdict],
      ["requested", request.requestedAt],
      ...(request.notBefore === undefined ? [] : [["not before", request.notBefore]]),
      ["expires", request.expiresAt],
      ...request.roster.map(({ id: person, roles, keyIds }) => [
        "may decide",
        person,
        roles.join(", "),
        ...keyIds.map((keyId) => keyText(person, keyId)),
      ]),
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

function previewRows({ parameters, effects, grants }: Preview): string[][] {
  return [
    ["parameters", JSON.stringify(parameters)],
    ["effects", effects],
    ...grants.capabilities.map((grant) => ["grant", grant.name, JSON.stringify(grant.constraints ?? {})]),
  ];
}
