import { signGrantWith } from "../../approval/sign.js";
import { canonicalize } from "../../canonical/jcs.js";
import { formatTime } from "../../canonical/time.js";
import type { Challenge, SessionRole } from "../../contracts/access.js";
import type { ApprovalGrant, ApprovalRequest } from "../../contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../contracts/dsse.js";
import { entryKeyId } from "../../contracts/trust.js";
import { encodeBase64Url } from "../../crypto/encoding.js";
import { systemEntropy } from "../../crypto/random.js";
import { ExoArmurError } from "../../errors.js";
import type { Signer } from "../../ports.js";
import { type PasskeyEntry, signChallengeWithPasskey, signGrantWithPasskey } from "./passkey.js";

/** A decision on a request. `reason` is mandatory for a deny. */
export type Choice = { readonly decision: ApprovalGrant["decision"]; readonly reason?: string };

/** Whose key signs in this browser. The key itself never leaves it. */
export type Identity = {
  /** Id of the key in the trust file. */
  readonly id: string;
  readonly role: SessionRole;
  readonly keyId: string;
  /** Signs whatever is handed to it; null for a passkey, which signs decisions and challenges alone. */
  readonly signer: Signer | null;
  answer(challenge: Challenge): Promise<Envelope>;
  /** EXO_APPROVAL_* for a request in whose roster the key is not, EXO_ORDER, EXO_APPROVAL_EXPIRED. */
  decide(request: ApprovalRequest, choice: Choice): Promise<Envelope>;
};

/** An identity by a key that signs bytes. */
export function signingIdentity(id: string, role: SessionRole, signer: Signer): Identity {
  return {
    id,
    role,
    keyId: signer.keyId,
    signer,
    answer: async (challenge) => await signEnvelope(payloadTypes.challenge, canonicalize(challenge), signer),
    decide: async (request, choice) =>
      await signGrantWith(request, {
        signer,
        approverId: personInRoster(request, signer.keyId),
        ...choice,
        signedAt: formatTime(Date.now()),
        nonce: encodeBase64Url(systemEntropy.bytes(32)),
      }),
  };
}

/** An identity by a passkey. */
export function passkeyIdentity(entry: PasskeyEntry): Identity {
  return {
    id: entry.id,
    role: "approver",
    keyId: entryKeyId(entry),
    signer: null,
    answer: async (challenge) => await signChallengeWithPasskey(challenge, entry),
    decide: async (request, choice) => await signGrantWithPasskey(request, choice, entry),
  };
}

/** As whom the key's owner decides a request: the roster says whose each key is. EXO_APPROVAL_APPROVER. */
function personInRoster(request: Pick<ApprovalRequest, "roster">, keyId: string): string {
  const person = request.roster.find(({ keyIds }) => keyIds.includes(keyId))?.id;
  if (person !== undefined) return person;
  throw new ExoArmurError("EXO_APPROVAL_APPROVER", `key ${keyId} is not in the request's roster`);
}
