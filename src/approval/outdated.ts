import type { ApprovalRequest } from "../contracts/approval.js";
import { entryKeyId, isValidAt, personOf, type Trust } from "../contracts/trust.js";
import type { Refusal } from "../errors.js";
import type { ApprovalDecision } from "./state.js";

/** A request, what was decided on it, and who counts now. `logSize`: entries in the log, for the keys' validity. */
export type OutdatedInput = {
  readonly request: ApprovalRequest;
  readonly decisions: readonly ApprovalDecision[];
  readonly trust: Trust;
  readonly logSize: number;
};

/** True when the trust file has a key of a request's roster as that person's alone, valid now and for the request's tenant. */
export function countsStill({ request, trust, logSize }: OutdatedInput, person: string, keyId: string): boolean {
  const entries = trust.keys.filter((key) => entryKeyId(key) === keyId);
  if (entries.some((key) => personOf(key) !== person)) return false;
  return entries.some(
    (key) => key.role === "approver" && isValidAt(key, logSize) && (key.tenants?.includes(request.tenantId) ?? true),
  );
}

/**
 * Why a request can no longer be approved: its roster was fixed when it was made, and keys of it were rotated or revoked
 * since (spec/approval.md, Roster). EXO_APPROVAL_ROSTER when fewer people than its threshold can still decide, or a counted
 * approval is by a key that has ended, which would have the completed request refused. Null while enough can come.
 */
export function outdatedRequest(input: OutdatedInput): Refusal | null {
  const { request, decisions } = input;
  const approvals = decisions.filter(({ decision }) => decision === "approve");
  const lost = approvals.some(({ approver, keyId }) => !countsStill(input, approver, keyId));
  const able = request.roster.filter(({ id, keyIds }) => keyIds.some((keyId) => countsStill(input, id, keyId)));
  if (!lost && able.length >= request.threshold) return null;
  const gone = request.roster.flatMap(({ id, keyIds }) =>
    keyIds.filter((keyId) => !countsStill(input, id, keyId)).map((keyId) => `${id}'s ${keyId}`),
  );
  const message = `the request was made for keys that no longer count (${gone.join(", ")}), so it cannot be approved any more; ask again: give the intent anew`;
  return { code: "EXO_APPROVAL_ROSTER", message };
}
