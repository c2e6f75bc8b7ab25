import { type OutdatedInput, outdatedRequest } from "../approval/outdated.js";
import { parseTime } from "../canonical/time.js";
import type { Preview } from "../contracts/approval.js";
import type { AttestationFacts } from "../contracts/attestation.js";
import { ExoArmurError, type Refusal } from "../errors.js";
import { type ApprovalView, approvalViews } from "../pipeline/present.js";
import type { StoreReader } from "../ports.js";
import type { CliContext } from "./context.js";
import type { HomeView } from "./home-view.js";
import { formatSpan } from "./output.js";

/** The request with this id, or the newest request of the intent with this id. EXO_APPROVAL_UNKNOWN. */
export function findApproval(reader: StoreReader, id: string): ApprovalView {
  const views = approvalViews(reader);
  const found =
    views.find(({ record }) => record.requestId === id) ?? views.findLast(({ record }) => record.intentId === id);
  if (found === undefined)
    throw new ExoArmurError("EXO_APPROVAL_UNKNOWN", `no approval request or intent has the id ${id}`);
  return found;
}

/** What would run, in cells: executor and function, target, who asked; or that this was dropped. */
export function previewCells(preview: Preview | null): string[] {
  if (preview === null) return ["dropped from the store"];
  const { executor, target, actor, attestations = [] } = preview;
  const { name, version, function: fn } = executor;
  return [
    `${name}@${version} ${fn}`,
    target === null ? "" : `target ${target}`,
    `by ${actor.id}`,
    ...attestations.map(attested),
  ];
}

/** What somebody else attested: of which kind, by whom, about what first. */
function attested({ predicateType, signers, subjects }: AttestationFacts): string {
  const by = [...new Set(signers.map(({ attester }) => attester))].join(", ");
  const [first] = subjects;
  const more = subjects.length > 1 ? ` and ${subjects.length - 1} more` : "";
  return `attested ${predicateType} by ${by}${first === undefined ? "" : ` of ${first.digest}${more}`}`;
}

/** Where a request stands, in words; an open one whose time has passed is called expired. */
export function standingOf(context: CliContext, { record, request }: ApprovalView): string {
  const isPast = parseTime(request.expiresAt) <= context.clock.now();
  return isPast && isOpen(record.state.status) ? "expired" : record.state.status;
}

/** Whether a request with this standing can still be decided: it waits for people, or for its time. */
export function isOpen(standing: string): boolean {
  return standing === "pending" || standing === "approved";
}

/** What tells who of a request's roster counts now. */
export function countingOf({ home, log }: HomeView, { request, record }: ApprovalView): OutdatedInput {
  return { request, decisions: record.state.decisions, trust: home.trust, logSize: log()?.size ?? 0 };
}

/** Why a pending request has to be asked again, or null. EXO_APPROVAL_ROSTER. */
export function outdatedOf(context: CliContext, home: HomeView, view: ApprovalView): Refusal | null {
  return standingOf(context, view) === "pending" ? outdatedRequest(countingOf(home, view)) : null;
}

/** Approvals given of those needed, and how long is left. */
export function progressCells(context: CliContext, view: ApprovalView): string[] {
  const { request, record } = view;
  const given = record.state.decisions.filter((one) => one.decision === "approve").length;
  const left = parseTime(request.expiresAt) - context.clock.now();
  const counted = `${given} of ${request.threshold} approvals`;
  const standing = standingOf(context, view);
  const held = standing === "approved" && request.notBefore !== undefined ? `held until ${request.notBefore}` : "";
  return [counted, ...(held === "" ? [] : [held]), standing === "pending" ? `expires in ${formatSpan(left)}` : ""];
}
