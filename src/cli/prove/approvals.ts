import { digestOfJson } from "../../canonical/digest.js";
import { canonicalize } from "../../canonical/jcs.js";
import { parseCanonical } from "../../canonical/read.js";
import { parseTime } from "../../canonical/time.js";
import type { ApprovalRequest } from "../../contracts/approval.js";
import type { Envelope } from "../../contracts/dsse.js";
import { decodeBase64, encodeBase64 } from "../../crypto/encoding.js";
import { broken, type Claim, type Found, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import {
  askPerson,
  describe,
  enoughGrants,
  grantBy,
  mustEnd,
  mustRefuse,
  refusalOf,
  type Stage,
  worst,
} from "./stage.js";

/** What an approval is good for, and what it is not. */
export const approvalGuarantees: readonly Guarantee[] = [
  {
    id: "changed-approval",
    title: "an approval counts for the request it was signed for, unchanged",
    tried: "a signed grant turned to another request; a grant for a request with another expiry",
    expected: "refused, and both requests still wait",
    codes: ["EXO_SIGNATURE", "EXO_ENVELOPE", "EXO_TRUST", "EXO_APPROVAL_UNKNOWN"],
    ground: "asking",
    attempt: tryChanged,
  },
  {
    id: "replayed-approval",
    title: "an approval is spent once",
    tried: "the grants of a carried out action handed in again, and for a second action like it",
    expected: "refused, and the second action still waits",
    codes: ["EXO_APPROVAL_SPENT"],
    ground: "asking",
    attempt: tryReplayed,
  },
  {
    id: "own-approval",
    title: "who asks for an action cannot approve it",
    tried: "an approver asks and signs the grant for it",
    expected: "refused, and the request still waits",
    codes: ["EXO_APPROVAL_APPROVER", "EXO_APPROVAL_ROSTER"],
    ground: "derived",
    attempt: tryOwn,
  },
  {
    id: "expired-approval",
    title: "an approval after its time is refused",
    tried: "a grant signed in time and handed in after the request's expiry",
    expected: "refused, and the action is denied",
    codes: ["EXO_APPROVAL_EXPIRED", "EXO_APPROVAL_CLOSED"],
    ground: "asking",
    attempt: tryExpired,
  },
];

/** A request that waits; a finding when the action does not wait for a person. */
async function waiting(stage: Stage): Promise<{ intentId: string; request: ApprovalRequest } | Found> {
  const result = await askPerson(stage);
  if (result.status === "executed") return broken(`${describe(result)}: nobody was asked`);
  if (result.status !== "approval_pending") return notTried(describe(result));
  return { intentId: result.intentId, request: result.approval };
}

/** Whether a request was left as it was. */
function stillWaits({ runtime }: Stage, intentId: string): Found | null {
  const { status } = runtime.status(intentId);
  return status === "approval_pending" ? null : broken(`the refused grant left the action ${status}`);
}

async function tryChanged(stage: Stage, claim: Claim): Promise<Found> {
  const one = await waiting(stage);
  const other = await waiting(stage);
  if ("state" in one) return one;
  if ("state" in other) return other;
  const grants = await enoughGrants(stage, one.request);
  const later = { ...one.request, expiresAt: one.request.expiresAt.replace(/^\d{4}/, "9999") };
  const found: Found[] = [];
  const hand = async (what: string, envelopes: readonly Envelope[]): Promise<void> => {
    for (const envelope of envelopes)
      found.push(mustRefuse(await refusalOf(stage.runtime.decide(envelope)), claim, what));
  };
  await hand(
    "a grant turned to another request",
    grants.map((grant) => turned(grant, digestOfJson(other.request))),
  );
  await hand("a grant for a request with another expiry", await enoughGrants(stage, later));
  for (const { intentId } of [one, other]) found.push(...present(stillWaits(stage, intentId)));
  return worst(found);
}

/** A grant whose payload names another request, under the signature it had. */
function turned(grant: Envelope, requestDigest: string): Envelope {
  const payload = parseCanonical(decodeBase64(grant.payload) ?? new Uint8Array(0)) as Record<string, string>;
  return { ...grant, payload: encodeBase64(canonicalize({ ...payload, requestDigest })) };
}

function present(found: Found | null): Found[] {
  return found === null ? [] : [found];
}

async function tryReplayed(stage: Stage, claim: Claim): Promise<Found> {
  const one = await waiting(stage);
  if ("state" in one) return one;
  const grants = await enoughGrants(stage, one.request);
  for (const grant of grants) await stage.runtime.decide(grant);
  const ended = stage.runtime.status(one.intentId);
  if (ended.status !== "executed") return notTried(`approved, the action was ${describe(ended)}`);
  const second = await waiting(stage);
  if ("state" in second) return second;
  const found: Found[] = [];
  for (const grant of grants) {
    found.push(mustRefuse(await refusalOf(stage.runtime.decide(grant)), claim, "a spent grant"));
  }
  found.push(...present(stillWaits(stage, second.intentId)));
  const after = stage.runtime.status(one.intentId);
  const same = after.status === "executed" && after.bundle.digest === ended.bundle.digest;
  if (!same) found.push(broken(`the action that was carried out became ${describe(after)}`));
  return worst(found);
}

async function tryOwn(stage: Stage, claim: Claim): Promise<Found> {
  const [self] = stage.scratch.approvers;
  if (self === undefined) return notTried("there is no approver");
  const result = await askPerson(stage, { id: self.id, type: "user" });
  if (result.status !== "approval_pending") return mustEnd(result, claim);
  const grant = await grantBy(stage, result.approval, self);
  const found = mustRefuse(await refusalOf(stage.runtime.decide(grant)), claim, "the requester's own grant");
  return worst([found, ...present(stillWaits(stage, result.intentId))]);
}

async function tryExpired(stage: Stage, claim: Claim): Promise<Found> {
  const one = await waiting(stage);
  if ("state" in one) return one;
  const grants = await enoughGrants(stage, one.request);
  stage.clock.forward(parseTime(one.request.expiresAt) - stage.clock.now() + 1000);
  const found: Found[] = [];
  for (const grant of grants) {
    found.push(mustRefuse(await refusalOf(stage.runtime.decide(grant)), claim, "a grant after the expiry"));
  }
  found.push(mustEnd(stage.runtime.status(one.intentId), { ...claim, codes: ["EXO_APPROVAL_EXPIRED"] }));
  return worst(found);
}
