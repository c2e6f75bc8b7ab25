import { join } from "node:path";
import { digestOfJson } from "../../canonical/digest.js";
import { ExoArmurError, isExoArmurError } from "../../errors.js";
import type { Clock, Entropy } from "../../ports.js";
import { auditStore } from "../../replay/audit-log.js";
import { createRuntime, type Runtime } from "../../runtime.js";
import { verifyBundle } from "../../verify/verify-bundle.js";
import { approvalGuarantees } from "./approvals.js";
import { evidenceGuarantees } from "./evidence.js";
import { executorGuarantees, resolveScratch } from "./executors.js";
import { type Claim, type Found, type GuaranteeState, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import { scratchActions, scratchNames } from "./guests.js";
import type { Ask } from "./own-ask.js";
import { ruleGuarantees } from "./rules.js";
import { addedRules, copyFolder, makeScratch, type Scratch } from "./scratch.js";
import { type Bench, type Listener, listen, type ProofParts, scratchClock } from "./stage.js";
import { olderData, storeGuarantees } from "./stores.js";

/** Every guarantee, in the order of the report (spec/cli.md, Guarantees). */
export const guarantees: readonly Guarantee[] = [
  ...ruleGuarantees,
  ...approvalGuarantees,
  ...executorGuarantees,
  ...evidenceGuarantees,
  ...storeGuarantees,
];

/** How one guarantee came out. `policy`: tried on the home's own policy as it is, or with rules added for the attempt. */
export type Proof = Pick<Claim, "id" | "title" | "tried" | "expected"> & {
  readonly policy: "own" | "derived";
  readonly state: GuaranteeState;
  readonly code?: string;
  readonly message: string;
};

/** Outcome of trying a home's guarantees (spec/cli.md, Guarantees). `broken` if one is, else what could not be tried. */
export type ProofReport = {
  readonly schema: "exoarmur.guarantees/v1";
  readonly home: string;
  readonly result: GuaranteeState;
  /** Digest of the home's own policy; null when the home could not be read. */
  readonly policy: string | null;
  /** Ids of the rules that were added to try what the home's own policy does not let be tried. */
  readonly addedRules: readonly string[];
  readonly counts: Readonly<Record<GuaranteeState, number>>;
  readonly guarantees: readonly Proof[];
};

/** What the attempts need of the outside. */
export type ProveOptions = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Flags of the environment count; nothing else of it does. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ids of the guarantees to try. Default: all. */
  readonly only?: readonly string[];
  /** Ends the attempts that have not begun. */
  readonly signal?: AbortSignal;
  /** Told of every guarantee as it is done. */
  readonly done?: (proof: Proof) => void;
  /** Stands in for parts of the product, to see that a missing protection is noticed. */
  readonly parts?: Partial<ProofParts>;
};

const ownParts: ProofParts = { createRuntime, verifyBundle, auditStore };

/**
 * Tries the named guarantees against the policy and configuration of the home in `dir`, in a scratch home that is
 * removed afterwards (spec/cli.md, Guarantees). The home is only read; none of its executors run, none of its keys are
 * used, and nothing is connected to but a listener on loopback. A home that cannot be read leaves every guarantee as one
 * that could not be tried, with the code of the reason. Rejects with the
 * signal's reason, and with EXO_INTERNAL for an id under `only` that is none.
 */
export async function proveGuarantees(dir: string, options: ProveOptions): Promise<ProofReport> {
  const chosen = choose(options.only);
  const proofs = new Map<string, Proof>();
  const tell = (proof: Proof): void => {
    proofs.set(proof.id, proof);
    options.done?.(proof);
  };
  const listener = await listen();
  let scratch: Scratch | undefined;
  try {
    scratch = await makeScratch(dir, { entropy: options.entropy, listener: listener.port });
    await tryAll(benchOf(scratch, listener, options), chosen, tell, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    const found = foundBy(error);
    for (const claim of chosen) if (!proofs.has(claim.id)) tell(proofOf(claim, found, "own"));
  } finally {
    await scratch?.remove();
    await listener.close();
  }
  return reportOf(
    dir,
    scratch,
    chosen.flatMap(({ id }) => proofs.get(id) ?? []),
  );
}

/** A name that is none must not leave something untried in silence. */
function choose(only: readonly string[] | undefined): readonly Guarantee[] {
  if (only === undefined) return guarantees;
  const none = only.find((name) => guarantees.every(({ id }) => id !== name));
  if (none !== undefined) throw new ExoArmurError("EXO_INTERNAL", `there is no guarantee ${none}`);
  return guarantees.filter(({ id }) => only.includes(id));
}

function benchOf(scratch: Scratch, listener: Listener, { clock, entropy, env, parts }: ProveOptions): Bench {
  const used = { ...ownParts, ...parts };
  const shifted = scratchClock(clock);
  const flags = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("EXOARMUR_FLAG_")));
  return {
    scratch,
    parts: used,
    clock: shifted,
    entropy,
    listener,
    open: async (home) =>
      await used.createRuntime({ home, clock: shifted, entropy, env: flags, resolver: resolveScratch }),
  };
}

type Tell = (proof: Proof) => void;

async function tryAll(bench: Bench, chosen: readonly Guarantee[], tell: Tell, options: ProveOptions): Promise<void> {
  const { scratch } = bench;
  const { ask } = scratch;
  const isOwn = (guarantee: Guarantee): boolean =>
    guarantee.ground === "own" || (guarantee.ground === "asking" && ask !== undefined);
  const own = chosen.filter(isOwn);
  const closed = chosen.filter(({ ground }) => ground === "closed");
  const derived = chosen.filter((guarantee) => !isOwn(guarantee) && guarantee.ground !== "closed");
  if (own.length + closed.length > 0) await tryOpen(bench, own, ask ?? derivedAsk, "own", tell, options);
  if (closed.length > 0) await copyFolder(scratch.paths.data, join(scratch.folder, olderData));
  if (derived.length + closed.length > 0) {
    await scratch.derive();
    await tryOpen(bench, derived, derivedAsk, "derived", tell, options);
  }
  for (const guarantee of closed) {
    if (guarantee.ground !== "closed") continue;
    options.signal?.throwIfAborted();
    tell(proofOf(guarantee, await caught(guarantee.attempt(bench, guarantee)), "derived"));
  }
}

/** What the derived policy asks a person for. */
const derivedAsk: Ask = {
  ruleId: "exoarmur-prove-ask",
  executor: scratchNames.inert,
  action: scratchActions.ask,
  actor: { id: "exoarmur-prove-agent", type: "agent" },
  target: "exoarmur-prove",
  parameters: { path: "exoarmur-prove" },
};

async function tryOpen(
  bench: Bench,
  chosen: readonly Guarantee[],
  ask: Ask,
  policy: Proof["policy"],
  tell: Tell,
  { signal }: ProveOptions,
): Promise<void> {
  let runtime: Runtime;
  try {
    runtime = await bench.open(bench.scratch.paths.home);
  } catch (error) {
    for (const claim of chosen) tell(proofOf(claim, foundBy(error), policy));
    return;
  }
  try {
    const stage = { ...bench, runtime, ask };
    for (const guarantee of chosen) {
      if (guarantee.ground === "closed") continue;
      signal?.throwIfAborted();
      tell(proofOf(guarantee, await caught(guarantee.attempt(stage, guarantee)), policy));
    }
  } finally {
    await runtime.close();
  }
}

/** Whatever an attempt throws shows nothing. */
async function caught(attempt: Promise<Found>): Promise<Found> {
  return await attempt.catch(foundBy);
}

function foundBy(error: unknown): Found {
  if (isExoArmurError(error)) return notTried(error.message, error.code);
  return notTried(error instanceof Error ? error.message : String(error));
}

function proofOf({ id, title, tried, expected, codes }: Claim, found: Found, policy: Proof["policy"]): Proof {
  const must = codes.length === 0 ? expected : `${expected}: ${codes.join(" or ")}`;
  return { id, title, tried, expected: must, policy, ...found };
}

function reportOf(dir: string, scratch: Scratch | undefined, proofs: readonly Proof[]): ProofReport {
  const counts: Record<GuaranteeState, number> = { held: 0, broken: 0, could_not_be_tried: 0 };
  for (const { state } of proofs) counts[state] += 1;
  const result = counts.broken > 0 ? "broken" : counts.held === proofs.length ? "held" : "could_not_be_tried";
  const derived = proofs.some(({ policy }) => policy === "derived");
  return {
    schema: "exoarmur.guarantees/v1",
    home: dir,
    // Nothing tried is nothing held.
    result: proofs.length === 0 ? "could_not_be_tried" : result,
    policy: scratch === undefined ? null : digestOfJson(scratch.policy),
    addedRules: derived ? addedRules.map(({ id }) => id) : [],
    counts,
    guarantees: proofs,
  };
}
