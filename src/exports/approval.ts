/** exoarmur/approval: signing decisions on approval requests, for whoever holds an approver's key. */
import { signGrantWith } from "../approval/sign.js";
import { formatTime } from "../canonical/time.js";
import type { ApprovalGrant, ApprovalRequest } from "../contracts/approval.js";
import { parseContract } from "../contracts/common.js";
import type { Envelope } from "../contracts/dsse.js";
import { type KeyFile, keyFileSchema } from "../contracts/trust.js";
import { decodeBase64, encodeBase64Url, equalBytes } from "../crypto/encoding.js";
import { systemEntropy } from "../crypto/random.js";
import { signerFromSeed } from "../crypto/signer.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import { systemClock } from "../runtime/system.js";

/** An approver's key: the parsed key file, or the approver's id in the roster and a signer of their own. */
export type ApproverKey = KeyFile | { readonly id: string; readonly signer: Signer };

/** What is signed about a request. `reason` is mandatory for a deny. */
export type SignGrantChoices = {
  readonly key: ApproverKey;
  readonly decision: ApprovalGrant["decision"];
  readonly reason?: string;
};

/**
 * Signs a decision on a request as DSSE (spec/approval.md). Reads no file and asks nobody: the agent's process never
 * needs an approver's key.
 *
 * @throws ExoArmurError EXO_APPROVAL_APPROVER, EXO_APPROVAL_REASON, EXO_APPROVAL_EXPIRED, EXO_KEY, EXO_SCHEMA
 */
export async function signGrant(
  request: ApprovalRequest,
  { key, decision, reason }: SignGrantChoices,
): Promise<Envelope> {
  const { id, signer } = "signer" in key ? key : openKeyFile(key);
  return await signGrantWith(request, {
    signer,
    approverId: id,
    decision,
    ...(reason === undefined ? {} : { reason }),
    signedAt: formatTime(systemClock.now()),
    nonce: encodeBase64Url(systemEntropy.bytes(32)),
  });
}

function openKeyFile(file: KeyFile): { id: string; signer: Signer } {
  const { id, seed, publicKey } = parseContract(keyFileSchema, file, "key file");
  const bytes = decodeBase64(seed);
  const signer = bytes?.length === 32 ? signerFromSeed(bytes) : undefined;
  if (signer === undefined || !equalBytes(signer.publicKey, decodeBase64(publicKey) ?? new Uint8Array(0))) {
    throw new ExoArmurError("EXO_KEY", "the key file's seed does not belong to its public key");
  }
  return { id, signer };
}
