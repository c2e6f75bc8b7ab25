import { z } from "zod";
import { type Digest, digestOf } from "../canonical/digest.js";
import type { JsonValue } from "../canonical/jcs.js";
import { readJson } from "../canonical/read.js";
import { preAuthEncode } from "../crypto/dsse.js";
import { admitPublicKey, verifyEd25519 } from "../crypto/ed25519.js";
import { decodeBase64 } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { isExoArmurError, ok, type Result, refuse } from "../errors.js";
import { digestSchema, keyIdSchema, nameSchema } from "./common.js";
import { payloadTypes } from "./dsse.js";

/** Greatest size of one attestation's envelope, in bytes. */
export const maxAttestationBytes = 1_048_576;

/** How many attestations may come with one intent. */
export const maxAttestations = 16;

/** A key of the role attester as far as it counts, and whose it is. */
export type AttesterKey = { readonly id: string; readonly publicKey: Uint8Array };

/** Foreign JSON: members that are not read here are passed over, as DSSE and in-toto ask of a reader. */
const foreignEnvelopeSchema = z.object({
  payloadType: z.literal(payloadTypes.statement),
  payload: z.string(),
  signatures: z
    .array(z.object({ sig: z.string() }))
    .min(1)
    .max(16),
});

const foreignStatementSchema = z.object({
  _type: z.enum(["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]),
  predicateType: nameSchema,
  subject: z
    .array(
      z.object({
        name: z.string().max(1000).optional(),
        digest: z.object({
          sha256: z
            .string()
            .regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hex digits")
            .optional(),
        }),
      }),
    )
    .min(1)
    .max(1000),
});

/** What a policy sees of an attestation's statement. */
const statementFacts = {
  predicateType: nameSchema,
  /** Subjects that have a SHA-256, in the statement's order; the others cannot be compared with anything. */
  subjects: z.array(z.strictObject({ name: z.string().max(1000).optional(), digest: digestSchema })).max(1000),
};

/** A verified attestation as PolicyInput and preview name it (spec/policy.md, Attestations). */
export const attestationFactsSchema = z.strictObject({
  /** Digest of its material. */
  digest: digestSchema,
  ...statementFacts,
  /** Attesters whose signature verified, by `id` in the trust file and by key. */
  signers: z.array(z.strictObject({ attester: nameSchema, keyId: keyIdSchema })).min(1),
});

/** A verified attestation as PolicyInput and preview name it. */
export type AttestationFacts = z.infer<typeof attestationFactsSchema>;

/** An attestation that was read and not verified yet. */
export type ReadAttestation = Pick<AttestationFacts, "predicateType" | "subjects"> & {
  /** Digest of the signed statement's bytes, whatever envelope they come in. */
  readonly statementDigest: Digest;
  /** The keys among these whose signature it bears, each once. Key ids in the envelope are hints and not looked at. */
  signersAmong(keys: readonly AttesterKey[]): AttestationFacts["signers"];
};

/**
 * Reads a DSSE envelope around an in-toto statement, version 1 or 0.1, as somebody else made it: strict JSON that need
 * not be canonical, base64 of either alphabet. EXO_ATTESTATION for anything else.
 */
export function readAttestation(bytes: Uint8Array): Result<ReadAttestation> {
  const envelope = readForeign(bytes, foreignEnvelopeSchema, "envelope");
  if (!envelope.ok) return envelope;
  const payload = decodeEither(envelope.value.payload);
  if (payload === undefined) return refuse("EXO_ATTESTATION", "the payload is not padded base64");
  const statement = readForeign(payload, foreignStatementSchema, "statement");
  if (!statement.ok) return statement;
  const message = preAuthEncode(payloadTypes.statement, payload);
  const signatures = envelope.value.signatures.map(({ sig }) => decodeEither(sig));
  const { predicateType, subject } = statement.value;
  return ok({
    predicateType,
    subjects: subject.flatMap(({ name, digest: { sha256 } }) =>
      sha256 === undefined ? [] : [{ ...(name === undefined ? {} : { name }), digest: `sha256:${sha256}` as Digest }],
    ),
    statementDigest: digestOf(payload),
    signersAmong: (keys) =>
      keys
        .filter(({ publicKey }) => admitPublicKey(publicKey).ok)
        .filter(({ publicKey }) =>
          signatures.some((sig) => sig?.length === 64 && verifyEd25519(publicKey, message, sig)),
        )
        .map(({ id, publicKey }) => ({ attester: id, keyId: keyIdOf(publicKey) })),
  });
}

/**
 * Reads an attestation and verifies it under keys of attesters; one signature by one of them is enough. EXO_ATTESTATION;
 * EXO_ATTESTATION_SIGNATURE when none of these keys signed it.
 */
export function verifyAttestation(
  bytes: Uint8Array,
  keys: readonly AttesterKey[],
): Result<ReadAttestation & Pick<AttestationFacts, "signers">> {
  const read = readAttestation(bytes);
  if (!read.ok) return read;
  const signers = read.value.signersAmong(keys);
  if (signers.length > 0) return ok({ ...read.value, signers });
  const among =
    keys.length === 1 ? "the one attester's key that counts" : `the ${keys.length} attesters' keys that count`;
  return refuse("EXO_ATTESTATION_SIGNATURE", `no signature of it verifies under ${among} here`);
}

function readForeign<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): Result<T> {
  let value: JsonValue;
  try {
    value = readJson(bytes, { maxBytes: maxAttestationBytes });
  } catch (error) {
    if (isExoArmurError(error)) return refuse("EXO_ATTESTATION", `${what}: ${error.message}`);
    throw error;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return refuse("EXO_ATTESTATION", `${what}: /${issue?.path.join("/") ?? ""}: ${issue?.message ?? "bad shape"}`);
}

/** Padded base64, standard or URL-safe: DSSE lets a signer use either. */
function decodeEither(text: string): Uint8Array | undefined {
  return decodeBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
}
