import type { ApprovalRequest } from "../contracts/approval.js";
import { ExoArmurError } from "../errors.js";
import { readRequest } from "../pipeline/decide.js";
import { type ApprovalRecord, type IntentRecord, readState } from "../pipeline/documents.js";
import { approvalKeys, intentKeys } from "../pipeline/store-keys.js";
import { AccessDenied } from "./denied.js";
import { type Principal, reachesTenant, seesIntent } from "./principal.js";
import type { Call } from "./route.js";

type AnyCall = Pick<Call<unknown, unknown, unknown>, "desk" | "principal" | "route">;

/** An intent that the caller may see. EXO_INTENT_UNKNOWN, in the same words whether it is another's or not there. */
export function findIntent(call: AnyCall, intentId: string): IntentRecord {
  const record = readState<IntentRecord>(call.desk.store, intentKeys.one(intentId));
  if (record !== undefined && seesIntent(call.principal, record)) return record;
  if (record !== undefined) countHidden(call);
  throw new ExoArmurError("EXO_INTENT_UNKNOWN", `no intent has the id ${intentId}`);
}

/** An approval request that the caller may see. EXO_APPROVAL_UNKNOWN, in the same words. */
export function findApproval(
  call: AnyCall,
  requestId: string,
): { readonly record: ApprovalRecord; readonly request: ApprovalRequest } {
  const { store } = call.desk;
  const record = readState<ApprovalRecord>(store, approvalKeys.one(requestId));
  const request = record === undefined ? undefined : readRequest(store, record.digest);
  if (record !== undefined && request !== undefined && reachesTenant(call.principal, request.tenantId)) {
    return { record, request };
  }
  if (record !== undefined) countHidden(call);
  throw new ExoArmurError("EXO_APPROVAL_UNKNOWN", `no approval request has the id ${requestId}`);
}

/** Which tenants a list shows: the one that is asked for, else all that the caller reaches. EXO_FORBIDDEN for another. */
export function shownTenants(principal: Principal, asked: string | undefined): (tenantId: string) => boolean {
  if (asked === undefined) return (tenantId) => reachesTenant(principal, tenantId);
  if (!reachesTenant(principal, asked))
    throw new AccessDenied("EXO_FORBIDDEN", "tenant", "not a tenant of the caller's");
  return (tenantId) => tenantId === asked;
}

/** What is hidden from the caller is no less denied. */
function countHidden({ desk, principal, route }: AnyCall): void {
  const { credential } = principal;
  desk.denials.count({ code: "EXO_FORBIDDEN", cause: "other_tenant", route, credential });
}
