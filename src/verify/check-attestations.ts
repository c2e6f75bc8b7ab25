import type { Digest } from "../canonical/digest.js";
import { canonicalText } from "../canonical/jcs.js";
import { type AttestationFacts, readAttestation } from "../contracts/attestation.js";
import { policyInputSchema } from "../contracts/policy.js";
import { encodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import type { Evidence } from "./evidence.js";
import type { KeySource } from "./keys.js";
import { expect, fail, notApplicable, unable } from "./report.js";

/**
 * Every policy decision saw exactly the attestations that came with the intent; each says what the decision was told it
 * says, and is signed by the attesters it is attributed to, whose keys the trust file names (spec/verification.md).
 */
export function checkAttestations(evidence: Evidence, keys: KeySource): string {
  const named = evidence.digestsOf("attestation");
  const brought = evidence.eventsOf("intent_received")[0]?.payload.attestations ?? [];
  const judged = evidence
    .eventsOf("policy_evaluated")
    .map(({ payload }) => evidence.document(payload.decision.inputDigest, "policy_input", policyInputSchema))
    .map(({ attestations = [] }) => attestations);
  if (judged.length === 0) {
    expect(named.length === 0, "EXO_MATERIAL_SET", "attestations of an intent that no policy judged");
    return notApplicable("no policy decision");
  }
  requireSame(named, brought, "the statement names");
  for (const seen of judged) {
    requireSame(
      seen.map(({ digest }) => digest),
      brought,
      "a policy judged",
    );
  }
  if (brought.length === 0) return notApplicable("none came with the intent");
  const unknown = new Set(judged.flat().flatMap((facts) => unknownSigners(evidence, keys, facts)));
  const count = `${brought.length} attached`;
  if (keys.trust === null) notApplicable(`${count}; their signatures are not verified without a trust file`);
  if (unknown.size === 0) return `${count}, by ${attesters(judged)}`;
  return unable("EXO_ATTESTATION_KEY", `${count}; the trust file has no valid key ${[...unknown].join(", ")}`);
}

function requireSame(found: readonly Digest[], brought: readonly Digest[], who: string): void {
  const same = found.length === brought.length && brought.every((digest, at) => found[at] === digest);
  expect(same, "EXO_MATERIAL_SET", `${who} other attestations than came with the intent`);
}

function attesters(judged: readonly (readonly AttestationFacts[])[]): string {
  return [...new Set(judged.flat().flatMap(({ signers }) => signers.map(({ attester }) => attester)))].join(", ");
}

/** Ends the check where an attestation is proven wrong; else its signers whose keys there are none to verify with. */
function unknownSigners(evidence: Evidence, { trust, keysFor }: KeySource, facts: AttestationFacts): string[] {
  const { digest, signers } = facts;
  const read = readAttestation(evidence.content(digest, "attestation"));
  if (!read.ok) return fail(read.error.code, `attestation ${digest}: ${read.error.message}`);
  for (const name of ["predicateType", "subjects"] as const) {
    const same = canonicalText(read.value[name]) === canonicalText(facts[name]);
    expect(same, "EXO_CHECK_FAILED", `the policy was told other ${name} than attestation ${digest} has`);
  }
  if (trust === null) return [];
  return signers.flatMap(({ attester, keyId }) => {
    const key = keysFor("attester").find(({ id, publicKey }) => id === attester && keyIdOf(publicKey) === keyId);
    if (key === undefined) return [`${keyId} of ${attester}`];
    const text = encodeBase64(key.publicKey);
    const own = evidence.predicate.keys.some(({ publicKey }) => publicKey === text);
    expect(!own, "EXO_TRUST", `attestation ${digest} is signed under a key of this side`);
    const holds = read.value.signersAmong([{ id: attester, publicKey: key.publicKey }]).length > 0;
    expect(holds, "EXO_ATTESTATION_SIGNATURE", `attestation ${digest} is not signed by ${attester} with key ${keyId}`);
    return [];
  });
}
