import { basename, join } from "node:path";
import { type Digest, digestOf } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { parseCanonical } from "../canonical/read.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, envelopeSchema } from "../contracts/dsse.js";
import { type AnyPolicy, anyPolicySchema } from "../contracts/policy-cedar.js";
import { entryKeyId, isValidAt } from "../contracts/trust.js";
import { ExoArmurError } from "../errors.js";
import { readBounded } from "../home/atomic.js";
import { type Home, readPolicyFile } from "../home/open.js";
import type { HomePaths } from "../home/paths.js";
import { type ActivePolicy, readState } from "../pipeline/documents.js";
import { blobKey, stateKeys } from "../pipeline/store-keys.js";
import { loadProgram, type PolicyProgram } from "../policy/program.js";
import type { Logger, StoreReader } from "../ports.js";
import { loadCedar } from "./cedar.js";
import { signPolicy } from "./core.js";
import { readProgram } from "./policy-file.js";

/** The policy of a home. `fileDigest` is of the document of its file, `active` what the store has in force. */
export type HomePolicy = {
  readonly file: string;
  readonly fileDigest: Digest;
  readonly program: PolicyProgram;
  readonly active: ActivePolicy | undefined;
  /** An order put another policy in the place of the file's, which has not changed since: that other one is the program. */
  readonly superseded: boolean;
};

/**
 * The policy that a start of this home puts in force (spec/control-plane.md, Policies): that of its file, unless an order
 * put another in its place and the file is what it was then. The errors of readPolicyFile and readProgram;
 * EXO_STORE_DAMAGED when the store's is not whole.
 */
export async function readHomePolicy(paths: HomePaths, store: StoreReader): Promise<HomePolicy> {
  const { file, bytes } = await readPolicyFile(paths);
  const program = await readProgram(bytes, file);
  const fileDigest = digestOf(canonicalize(program.document));
  const active = readState<ActivePolicy>(store, stateKeys.policy);
  if (active?.file !== fileDigest) return { file, fileDigest, program, active, superseded: false };
  const policy = storedPolicy(store, active);
  return { file, fileDigest, program: await loadProgram(policy, loadCedar), active, superseded: true };
}

function storedPolicy(store: StoreReader, { digest }: ActivePolicy): AnyPolicy {
  return parseContract(anyPolicySchema, parseCanonical(stored(store, digest)), "stored policy");
}

function stored(store: StoreReader, digest: Digest): Uint8Array {
  const bytes = store.get(blobKey(digest));
  if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
  throw new ExoArmurError("EXO_STORE_DAMAGED", `the policy in force, ${digest}, is missing or has other bytes`);
}

/** A signed policy, and the document of the home's file where that is another. */
export type SignedHomePolicy = { readonly envelope: Envelope; readonly file?: Digest };

/**
 * The home's policy, signed. That of the file: by the author's key where it is in the home, else as it was activated
 * before, else by policy.signed.json beside it. One that took the file's place: as it was activated, and anew by the
 * author's key of the home where that follows the key that signed it. EXO_POLICY_UNSIGNED when none fits.
 *
 * @param logSize where in the log the keys must count
 */
export async function signedPolicy(
  home: Home,
  store: StoreReader,
  logSize: number,
  logger: Logger,
): Promise<SignedHomePolicy> {
  const { file, fileDigest, program, active, superseded } = await readHomePolicy(home.paths, store);
  const { document: policy } = program;
  const known = active && store.get(blobKey(active.envelopeDigest));
  if (superseded && active !== undefined) {
    const envelope = envelopeOf(stored(store, active.envelopeDigest), "stored policy");
    const { policyId, version } = active;
    logger.log("info", `${basename(file)} is not used: an order put ${policyId} version ${version} in its place`);
    const again = await isFollowed(home, envelope, logSize);
    return {
      envelope: again ? await signPolicy(policy, await home.signer("policy-author")) : envelope,
      file: fileDigest,
    };
  }
  if (home.hasKey("policy-author")) return { envelope: await signPolicy(policy, await home.signer("policy-author")) };
  if (active?.digest === fileDigest && known !== undefined) return { envelope: envelopeOf(known, "stored policy") };
  const signedFile = join(home.paths.home, "policy.signed.json");
  const signed = await readBounded(signedFile, { maxBytes: 16_777_216 });
  if (signed !== undefined) return { envelope: envelopeOf(signed.bytes, signedFile) };
  throw new ExoArmurError(
    "EXO_POLICY_UNSIGNED",
    `${file} is not the active policy, and neither keys/author.key nor ${signedFile} is there to sign it`,
    { file },
  );
}

function envelopeOf(bytes: Uint8Array, file: string): Envelope {
  return parseContract(envelopeSchema, parseCanonical(bytes), file, { file });
}

/** Whether the keys under an envelope that count no more were all of the author whose key the home has now. */
async function isFollowed(home: Home, { signatures }: Envelope, logSize: number): Promise<boolean> {
  if (!home.hasKey("policy-author")) return false;
  const authors = home.trust.keys.filter(({ role }) => role === "policy-author");
  const named = (keyId: string) => authors.find((key) => entryKeyId(key) === keyId);
  const ended = signatures
    .map(({ keyid }) => named(keyid))
    .filter((key) => key === undefined || !isValidAt(key, logSize));
  const own = named((await home.signer("policy-author")).keyId);
  return ended.length > 0 && ended.every((key) => key !== undefined && key.id === own?.id);
}
