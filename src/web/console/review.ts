import { openPreview } from "../../approval/preview.js";
import { digestOfJson } from "../../canonical/digest.js";
import { parseTime } from "../../canonical/time.js";
import type { ApprovalGrant, Preview } from "../../contracts/approval.js";
import type { ApprovalView } from "../../contracts/control.js";
import { decodeBase64 } from "../../crypto/encoding.js";

/** What came of looking at a request before anybody may sign it. */
export type Review = {
  /** What would run, from the bytes that the request names; null where these are not what came. */
  readonly preview: Preview | null;
  /** Why nobody may sign what was shown: it does not hold together. Empty when it does. */
  readonly altered: readonly string[];
};

/**
 * Computes every digest of an approval request again (spec/console.md, Review): a person signs the request's digest, so
 * what is shown has to be what that digest stands for. Nothing that came is believed beyond what it hashes to.
 */
export function reviewOf(view: ApprovalView): Review {
  const { request, requestDigest, previewMaterial } = view;
  const altered: string[] = [];
  const digest = digestOfJson(request);
  if (digest !== requestDigest) altered.push(`the request has the digest ${digest}, not ${requestDigest}`);
  if (previewMaterial === null) return { preview: null, altered: [...altered, "what would run was dropped"] };
  const preview = readPreview(previewMaterial, request);
  if (preview === null) altered.push("what would run does not have the digest that the request names");
  else if (preview.intentId !== request.intentId) {
    altered.push(`what would run is of the intent ${preview.intentId}, not of ${request.intentId}`);
  }
  return { preview, altered };
}

function readPreview(material: string, request: ApprovalView["request"]): Preview | null {
  const bytes = decodeBase64(material);
  if (bytes === undefined) return null;
  try {
    return openPreview(bytes, request) ?? null;
  } catch {
    return null;
  }
}

/** Enough people approved, and the run waits for the time that the request names: a denial still stops it. */
export function isHeld({ request, status }: Pick<ApprovalView, "request" | "status">): boolean {
  return status === "approved" && request.notBefore !== undefined;
}

/** Why a key may not decide a request so now; null when it may. `now` in milliseconds. */
export function barOf(
  view: Pick<ApprovalView, "request" | "status" | "decisions">,
  decision: ApprovalGrant["decision"],
  keyId: string | null,
  now: number,
): string | null {
  const { request, status, decisions } = view;
  if (isHeld(view) && decision === "approve") return `it is approved, and held until ${request.notBefore}`;
  if (status !== "pending" && !isHeld(view)) return `the request is ${status}`;
  if (now > parseTime(request.expiresAt)) return `the request expired at ${request.expiresAt}`;
  if (keyId === null) return "there is no key to sign with: log in with an approver's";
  const person = request.roster.find(({ keyIds }) => keyIds.includes(keyId))?.id;
  if (person === undefined) return "your key is not in the roster of this request";
  if (decisions.some(({ approver }) => approver === person)) return `${person} has decided`;
  return null;
}

/** Time that is left, such as `14 min 05 s`; both in milliseconds. */
export function leftWords(until: number, now: number): string {
  const seconds = Math.max(0, Math.floor((until - now) / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${Math.floor(hours / 24)} days`;
}
