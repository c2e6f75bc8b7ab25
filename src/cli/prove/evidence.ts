import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalize } from "../../canonical/jcs.js";
import { parseCanonical } from "../../canonical/read.js";
import type { ExecutionProofBundle, Statement } from "../../contracts/bundle.js";
import { signEnvelope } from "../../contracts/dsse.js";
import { decodeBase64, encodeBase64 } from "../../crypto/encoding.js";
import { signerFromSeed } from "../../crypto/signer.js";
import type { BundleHandle } from "../../proof/bundle.js";
import type { VerificationReport } from "../../verify/report.js";
import type { VerifyOptions } from "../../verify/verify-bundle.js";
import { broken, type Claim, type Found, held, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import { scratchActions, scratchNames } from "./guests.js";
import { describe, type Stage, through, worst } from "./stage.js";

/** What a proof bundle shows. */
export const evidenceGuarantees: readonly Guarantee[] = [
  {
    id: "replay",
    title: "replaying an action gives the same bytes",
    tried: "a bundle of an action with a host call, run again with the file it read changed",
    expected: "success, and the recorded output",
    codes: [],
    ground: "derived",
    attempt: tryReplay,
  },
  {
    id: "tampered-bundle",
    title: "a bundle with anything changed fails verification",
    tried:
      "one change each in the statement, the signature, the largest and the smallest part, the log's proof; a part left out",
    expected: "fail, or unable for what is left out",
    codes: ["EXO_SIGNATURE", "EXO_TRUST", "EXO_MATERIAL_DIGEST", "EXO_MATERIAL_MISSING", "EXO_LOG_PROOF"],
    ground: "derived",
    attempt: tryTampered,
  },
  {
    id: "re-signed-bundle",
    title: "a bundle signed again by another key fails under the trust file",
    tried: "the statement of a bundle, signed by a key made for it",
    expected: "fail",
    codes: ["EXO_TRUST", "EXO_SIGNATURE"],
    ground: "derived",
    attempt: tryResigned,
  },
];

const read = { path: `${scratchNames.root}/evidence.txt` };

/** The bundle of a run that read a file; a finding when there is none. */
async function makeBundle(stage: Stage): Promise<BundleHandle | Found> {
  const file = join(stage.scratch.root, "evidence.txt");
  await writeFile(file, "as it was");
  const result = await through(stage, scratchActions.read, read);
  await writeFile(file, "as it is now");
  return result.status === "executed" ? result.bundle : notTried(`an allowed action was ${describe(result)}`);
}

async function tryReplay(stage: Stage): Promise<Found> {
  const bundle = await makeBundle(stage);
  if ("state" in bundle) return bundle;
  const { result, executions, failures } = await stage.runtime.replay(bundle);
  const why = failures.length === 0 ? "" : `: ${failures.join("; ")}`;
  if (result === "failure") return broken(`the replay ended ${result}${why}`);
  if (result !== "success") return notTried(`the replay ended ${result}${why}`);
  if (executions.length !== 1) return notTried(`expected one execution in the replay, got ${executions.length}`);
  return held("the same output, fuel and host calls");
}

function trusting({ scratch: { trust, engines } }: Stage): VerifyOptions {
  return { trust, ...engines };
}

/** One change of a bundle. */
type Change = readonly [what: string, change: (bundle: ExecutionProofBundle) => ExecutionProofBundle];

/** Text of base64 whose byte in the middle is another. */
function flipped(base64: string): string {
  const bytes = decodeBase64(base64) ?? new Uint8Array(1);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return encodeBase64(bytes);
}

/** The digests of a bundle's materials, largest first. */
function bySize({ materials }: ExecutionProofBundle): string[] {
  const sizeOf = (digest: string): number => materials[digest]?.length ?? 0;
  return Object.keys(materials).sort((a, b) => sizeOf(b) - sizeOf(a));
}

function changeMaterial(bundle: ExecutionProofBundle, at: number): ExecutionProofBundle {
  const digest = bySize(bundle).at(at) ?? "";
  return { ...bundle, materials: { ...bundle.materials, [digest]: flipped(bundle.materials[digest] ?? "") } };
}

function dropMaterial(bundle: ExecutionProofBundle): ExecutionProofBundle {
  const dropped = bySize(bundle).at(-1);
  const kept = Object.entries(bundle.materials).filter(([digest]) => digest !== dropped);
  return { ...bundle, materials: Object.fromEntries(kept) };
}

/** Gives the statement, well formed as it is, another correlation id. */
function changeStatement({ envelope, ...bundle }: ExecutionProofBundle): ExecutionProofBundle {
  const statement = parseCanonical(decodeBase64(envelope.payload) ?? new Uint8Array(0)) as Statement;
  const predicate = { ...statement.predicate, correlationId: "exoarmur-prove-other" };
  return { ...bundle, envelope: { ...envelope, payload: encodeBase64(canonicalize({ ...statement, predicate })) } };
}

/** Turns the first character of a proof's first hash, the line after its index. */
function changeProof(proof: string): string {
  const lines = proof.split("\n");
  const at = lines.findIndex((line) => line.startsWith("index ")) + 1;
  const line = lines[at] ?? "";
  lines[at] = (line.startsWith("A") ? "B" : "A") + line.slice(1);
  return lines.join("\n");
}

const changes: readonly Change[] = [
  ["the statement", changeStatement],
  [
    "the signature",
    ({ envelope, ...bundle }) => {
      const signatures = envelope.signatures.map((signature) => ({ ...signature, sig: flipped(signature.sig) }));
      return { ...bundle, envelope: { ...envelope, signatures } };
    },
  ],
  ["the largest part", (bundle) => changeMaterial(bundle, 0)],
  ["the smallest part", (bundle) => changeMaterial(bundle, -1)],
  ["a part left out", dropMaterial],
  ["the log's proof", (bundle) => ({ ...bundle, logProof: changeProof(bundle.logProof) })],
];

async function tryTampered(stage: Stage, claim: Claim): Promise<Found> {
  const bundle = await makeBundle(stage);
  if ("state" in bundle) return bundle;
  const bytes = bundle.bytes();
  const unchanged = stage.parts.verifyBundle(bytes, trusting(stage));
  if (unchanged.result !== "pass") return notTried(`unchanged, the bundle ends ${unchanged.result}`);
  const parsed = parseCanonical(bytes) as ExecutionProofBundle;
  const found = changes.map(([what, change]) => {
    const report = stage.parts.verifyBundle(canonicalize(change(parsed)), trusting(stage));
    return mustFail(report, claim, what);
  });
  const judged = worst(found);
  return judged.state === "held" ? held(`${found.length} changes, each found`, judged.code) : judged;
}

async function tryResigned(stage: Stage, claim: Claim): Promise<Found> {
  const bundle = await makeBundle(stage);
  if ("state" in bundle) return bundle;
  const parsed = parseCanonical(bundle.bytes()) as ExecutionProofBundle;
  const other = signerFromSeed(stage.entropy.bytes(32));
  const payload = decodeBase64(parsed.envelope.payload) ?? new Uint8Array(0);
  const envelope = await signEnvelope(parsed.envelope.payloadType, payload, other);
  const forged = canonicalize({ ...parsed, envelope });
  const report = stage.parts.verifyBundle(forged, trusting(stage));
  return mustFail(report, claim, `signed by ${other.keyId}`);
}

/** A changed bundle must fail with one of the claim's codes, or show that a part is missing, which is no pass either. */
function mustFail(report: VerificationReport, { codes }: Claim, what: string): Found {
  const failed = report.checks.filter(({ state }) => state === "fail" || state === "unable");
  if (report.result === "pass") return broken(`with a change (${what}) the bundle still passes`);
  const known = failed.find(({ code }) => code !== undefined && codes.includes(code));
  if (known?.code !== undefined) return held(`${what}: ${known.title}: ${known.message}`, known.code);
  const [one] = failed;
  return notTried(
    `${what}: ended ${report.result}: ${one?.title ?? "no failed check"}: ${one?.message ?? ""}`,
    one?.code,
  );
}
