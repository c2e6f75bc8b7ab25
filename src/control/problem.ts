import { nextStepsOf } from "../contracts/advice.js";
import type { Problem } from "../contracts/control.js";
import { type ErrorCode, type ErrorKind, ExoArmurError, errorKind, errorTable } from "../errors.js";

/** HTTP status by kind of error; what has a better one is below. */
const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  input: 400,
  denied: 403,
  execution: 409,
  verification: 422,
  unable: 422,
  state: 503,
  internal: 500,
};

const statusOfCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  EXO_AUTHENTICATION: 401,
  EXO_ROUTE: 404,
  EXO_INTENT_UNKNOWN: 404,
  EXO_APPROVAL_UNKNOWN: 404,
  EXO_LOG_RANGE: 404,
  EXO_IDEMPOTENCY_CONFLICT: 409,
  EXO_INTENT_REUSED: 409,
  EXO_APPROVAL_CLOSED: 409,
  EXO_APPROVAL_DUPLICATE: 409,
  EXO_APPROVAL_SPENT: 409,
  EXO_APPROVAL_APPROVER: 403,
  EXO_NOT_IN_DOUBT: 409,
  EXO_POLICY_PROPOSALS: 409,
  EXO_POLICY_REPLACED: 409,
  EXO_POLICY_UNKNOWN: 404,
  EXO_POLICY_UNSIGNED: 422,
  EXO_POLICY_VERSION: 409,
  EXO_MATERIAL_DROPPED: 410,
  EXO_MATERIAL_KEPT: 409,
  EXO_JSON_SIZE: 413,
  EXO_MEDIA_TYPE: 415,
  EXO_METHOD: 405,
  EXO_RATE: 429,
};

/** HTTP status of a code. */
function statusOf(code: ErrorCode): number {
  return statusOfCode[code] ?? statusOfKind[errorKind(code)];
}

/** An error as a problem document. What nobody foresaw is told apart by its request id alone. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = error instanceof ExoArmurError ? error : undefined;
  const code = known?.code ?? "EXO_INTERNAL";
  const shown = known !== undefined && errorKind(code) !== "internal";
  const { pointer } = known?.place ?? {};
  const nextSteps = nextStepsOf(code);
  return {
    type: `urn:exoarmur:error:${code}`,
    title: errorTable[code][1],
    status: statusOf(code),
    detail: shown ? known.message : "the control plane failed; its log has the reason under this request id",
    code,
    requestId,
    ...(pointer === undefined || pointer === "" ? {} : { pointer }),
    ...(nextSteps.length === 0 ? {} : { nextSteps }),
  };
}
