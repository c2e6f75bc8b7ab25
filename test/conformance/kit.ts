import { canonicalize } from "../../src/canonical/jcs.js";
import type { Trust } from "../../src/contracts/trust.js";
import { encodeHex, encodeUtf8, equalBytes } from "../../src/crypto/encoding.js";
import { sha256 } from "../../src/crypto/sha256.js";
import { parseProofFile } from "../../src/log/proof-file.js";
import { Evidence } from "../../src/verify/evidence.js";
import { keySource } from "../../src/verify/keys.js";
import { type CheckResult, makeReport, type VerificationReport } from "../../src/verify/report.js";
import { checks, runCheck, verifyBundle } from "../../src/verify/verify-bundle.js";
import { isCallDisclosure, verifyCall } from "../../src/verify/verify-call.js";
import { type Bundles, makeBundles } from "../support/bundles.js";
import { Forge } from "../support/forge.js";
import { allForgeries } from "../verify/forgeries.js";
import { cosignedBundle, witnessedApproval, witnessKey } from "../verify/forgeries-log.js";
import { type Forgery, makeForgery } from "../verify/forgery.js";
import { disclosedCases } from "./disclosed.js";
import { formatCases } from "./format.js";
import { indeterminateCases } from "./indeterminate.js";
import { passkeyCases } from "./passkeys.js";
import { redactedCases } from "./redacted.js";
import { signedAnswerCases } from "./signed-answers.js";
import type { Case } from "./vector.js";

/** Where the kit lies, from the root of the repository. */
export const kitFolder = "spec/vectors/conformance";

/** What the exit code and the last line of a verifier say (spec/conformance.md). */
export type Verdict = "accept" | "reject" | "indeterminate";

/** One entry of manifest.json (spec/conformance.md). */
export type Vector = {
  readonly file: string;
  readonly trust: string;
  readonly verdict: Verdict;
  readonly codes: readonly string[];
  readonly checks: readonly string[];
  readonly twin: string | null;
  readonly twinTrust: string | null;
  readonly about: string;
};

/** The kit as files by their path below its folder, manifest included. */
export type Kit = { readonly files: ReadonlyMap<string, Uint8Array>; readonly vectors: readonly Vector[] };

/** A forgery whose file is larger than this stays out of the kit: the one whose output is over its limit. */
const maxVectorBytes = 131_072;
/** Of forgeries that one check refuses with one code, so many are in the kit; test/verify has the others. */
const maxAlike = 6;

const verdicts = {
  pass: "accept",
  fail: "reject",
  unable: "indeterminate",
  unsupported_revision: "indeterminate",
} as const;
const order: readonly Verdict[] = ["accept", "reject", "indeterminate"];

/** What our verifier says of a file: a bundle, or a call disclosed alone. */
export function report(bytes: Uint8Array, trust: Trust): VerificationReport {
  return (isCallDisclosure(bytes) ? verifyCall : verifyBundle)(bytes, { trust });
}

/** What our verifier says of a file, in the kit's words. */
export function judge(bytes: Uint8Array, trust: Trust): Pick<Vector, "verdict" | "codes" | "checks"> {
  const { checks: made, result } = report(bytes, trust);
  const wrong = made.filter(({ state }) => state === "fail" || state === "unable");
  const codes = [...new Set(wrong.map(({ code = "" }) => code))].sort();
  return { verdict: verdicts[result], codes, checks: wrong.map(({ id }) => id) };
}

/** The verdict of our verifier with one check switched off. The format cannot be: nothing else can be read without it. */
export function judgeWithout(id: string, bytes: Uint8Array, trust: Trust): Verdict {
  const facts = { trustMode: "pinned", bundleDigest: null, intentId: null, correlationId: null } as const;
  if (isCallDisclosure(bytes)) {
    const left = report(bytes, trust).checks.filter((check) => check.id !== id);
    return verdicts[makeReport(facts, left).result];
  }
  const evidence = Evidence.open(bytes);
  const keys = keySource(evidence, trust);
  const results: CheckResult[] = checks
    .filter(([name]) => name !== id)
    .map(([name, title, run]) => runCheck(name, title, () => run(evidence, keys, {})));
  return verdicts[makeReport(facts, results).result];
}

/** Honest files: each ending as the pipeline wrote it, and as the forge logs it again. */
type Honest = { readonly written: Record<string, Case>; readonly logged: Record<string, Case> };

async function honestCases({ bytes, trust }: Bundles): Promise<Honest> {
  const written: Record<string, Case> = {};
  const logged: Record<string, Case> = {};
  for (const [ending, file] of Object.entries(bytes)) {
    written[ending] = { about: `an action that ended as ${ending}`, bytes: file, trust };
    logged[ending] = { about: `${ending}, in another log`, bytes: await new Forge(file).pack(), trust };
  }
  return { written, logged };
}

/** True when the forge logged the file: leaf 62 of 64. */
function isLoggedAgain(bytes: Uint8Array): boolean {
  const { logProof } = JSON.parse(new TextDecoder().decode(bytes)) as { logProof: string };
  try {
    const { index, checkpoint } = parseProofFile(logProof);
    return index === 62 && checkpoint.split("\n")[1] === "64";
  } catch {
    return false;
  }
}

const isAccepted = ({ bytes, trust }: Case): boolean => verifyBundle(bytes, { trust }).result === "pass";

/** The accepted case that differs in the trust file alone, or else in the bundle alone. */
function twinOf({ bytes, trust, about }: Case, { of }: Forgery, { written, logged }: Honest): Case {
  const near = (isLoggedAgain(bytes) ? logged : written)[of];
  if (near === undefined) throw new Error(`no ending ${of}`);
  const candidates: Case[] =
    trust === near.trust
      ? [near]
      : [
          { bytes, trust: near.trust, about: `${of}, under a trust file that asks less` },
          { ...near, trust },
        ];
  const twin = candidates.find(isAccepted);
  if (twin === undefined) throw new Error(`${about}: no accepted twin`);
  return twin;
}

async function forgedCases(all: Bundles, honest: Honest): Promise<Case[]> {
  const cases: Case[] = [];
  const alike = new Map<string, number>();
  for (const forgery of allForgeries) {
    const { check, code, name, of } = forgery;
    const bytes = await makeForgery(forgery, all);
    const before = alike.get(`${check} ${code}`) ?? 0;
    if (bytes.length > maxVectorBytes || before === maxAlike) continue;
    alike.set(`${check} ${code}`, before + 1);
    const about = `${check}: ${of}, ${name}`;
    const one: Case = { about, bytes, trust: forgery.trust?.(all.trust) ?? all.trust, wrong: { check, code } };
    cases.push({ ...one, twin: twinOf(one, forgery, honest) });
  }
  return cases;
}

/** Honest files under trust files that ask for more than the usual one. */
async function strictCases({ written }: Honest, trust: Trust): Promise<Case[]> {
  const { approved, executed, published } = written;
  if (approved === undefined || executed === undefined || published === undefined) throw new Error("no honest bundles");
  const bounded = trust.keys.map((key) => (key.role === "runtime" ? { ...key, from: 0, until: 100_000 } : key));
  const ours = trust.keys.map((key) => (key.role === "runtime" ? { ...key, tenants: ["default"] } : key));
  return [
    {
      about: "executed, cosigned by the witness that the trust file asks for",
      bytes: await cosignedBundle(executed.bytes),
      trust: { ...trust, witnesses: { threshold: 1, vkeys: [witnessKey("w1")] } },
    },
    {
      about: "approved, cosigned before the approval expired, as the trust file asks",
      ...(await witnessedApproval(approved.bytes, trust)),
    },
    { ...executed, about: "executed, by a key inside its bounds", trust: { ...trust, keys: bounded } },
    { ...published, about: "published, by a key of this tenant", trust: { ...trust, keys: ours } },
  ];
}

/** Every case of the kit. The same in every process that makes it first: nonces are counted. */
async function makeCases(): Promise<Case[]> {
  const all = await makeBundles();
  const honest = await honestCases(all);
  const { refused: twin } = honest.written;
  const { refused: logged } = honest.logged;
  if (twin === undefined || logged === undefined) throw new Error("no honest bundle");
  const forged = await forgedCases(all, honest);
  const { bundles, calls } = await signedAnswerCases();
  return [
    ...Object.values(honest.written),
    ...Object.values(honest.logged),
    ...(await strictCases(honest, all.trust)),
    ...forged,
    ...formatCases(twin),
    ...(await indeterminateCases(honest.written, logged)),
    ...bundles,
    // Last, so that a file which an earlier case is too keeps that one's line in the manifest.
    ...redactedCases(honest.written, forged),
    ...(await disclosedCases(all, calls)),
    ...(await passkeyCases()),
  ];
}

const nameOf = (bytes: Uint8Array): string => `${encodeHex(sha256(bytes)).slice(0, 16)}.json`;

/** Files and vectors as they come. Throws when a case is not what it is meant to be. */
class KitWriter {
  readonly files = new Map<string, Uint8Array>();
  /** By verdict, file and trust file, which is also their order in the manifest. */
  readonly #vectors = new Map<string, Vector>();
  readonly #added = new Map<Case, Vector>();

  add(one: Case): Vector {
    const vector = this.#added.get(one) ?? this.#judged(one);
    this.#added.set(one, vector);
    return vector;
  }

  vectors(): Vector[] {
    return [...this.#vectors].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, vector]) => vector);
  }

  #judged(one: Case): Vector {
    const judged = judge(one.bytes, one.trust);
    const { verdict, checks, codes } = judged;
    const met =
      one.wrong === undefined
        ? verdict === "accept"
        : checks.includes(one.wrong.check) && codes.includes(one.wrong.code);
    if (!met) throw new Error(`${one.about}: got ${verdict} ${codes.join()} by ${checks.join()}`);
    const twin = one.twin === undefined ? null : this.add(one.twin);
    const [file, trust] = [this.#put(verdict, one.bytes), this.#put("trust", canonicalize(one.trust))];
    const key = `${order.indexOf(verdict)} ${file} ${trust}`;
    const twins = { twin: twin?.file ?? null, twinTrust: twin?.trust ?? null };
    const vector = this.#vectors.get(key) ?? { file, trust, ...judged, ...twins, about: one.about };
    this.#vectors.set(key, vector);
    return vector;
  }

  #put(folder: string, bytes: Uint8Array): string {
    const path = `${folder}/${nameOf(bytes)}`;
    if (!equalBytes(this.files.get(path) ?? bytes, bytes)) throw new Error(`${path} names two files`);
    this.files.set(path, bytes);
    return path;
  }
}

/** Makes the kit in memory. */
export async function makeKit(): Promise<Kit> {
  const kit = new KitWriter();
  for (const one of await makeCases()) kit.add(one);
  const vectors = kit.vectors();
  const manifest = { schema: "exoarmur.conformance/v1", vectors };
  kit.files.set("manifest.json", encodeUtf8(`${JSON.stringify(manifest, null, 1)}\n`));
  return { files: kit.files, vectors };
}
