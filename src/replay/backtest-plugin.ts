import { type Digest, digestOf } from "../canonical/digest.js";
import type { RunEndWord } from "../contracts/counterfactual.js";
import { sealingOf } from "../contracts/manifest.js";
import type { Divergence } from "../contracts/replay-report.js";
import { isExoArmurError } from "../errors.js";
import type { LogProver } from "../log/cosigned.js";
import { presentBundle } from "../pipeline/present.js";
import type { SandboxHost, StoreReader } from "../ports.js";
import { Evidence } from "../verify/evidence.js";
import { CheckEnd, fail } from "../verify/report.js";
import { sealModule } from "../wasm/seal.js";
import { type BacktestFilter, isWithin } from "./backtest.js";
import { reExecute, type SealCandidate } from "./re-execute.js";
import { recordedIntents } from "./recorded-decisions.js";
import { runEndOf } from "./run-end.js";

/** A run that was not the same under the candidate, and where the two part first. */
export type PluginDifference = {
  readonly intentId: string;
  readonly action: string;
  readonly end: RunEndWord;
  readonly divergence: Divergence;
};

/** Candidate minus recorded fuel of the identical runs. */
export type FuelChange = { readonly min: number; readonly median: number; readonly p99: number; readonly max: number };

/** Recorded runs of an executor under a candidate module (spec/what-if.md, Backtest of a plugin). */
export type PluginBacktest = {
  readonly schema: "exoarmur.plugin-backtest/v1";
  readonly candidate: { readonly name: string; readonly digest: Digest };
  readonly filter: BacktestFilter;
  readonly runs: number;
  readonly ends: Readonly<Record<RunEndWord, number>>;
  /** null when no run is identical. */
  readonly fuelChange: FuelChange | null;
  readonly differences: readonly PluginDifference[];
  readonly notCheckable: readonly { readonly intentId: string; readonly code: string; readonly message: string }[];
};

/** What is evaluated: a module under the name of the executor whose runs it is given. */
export type PluginCandidate = { readonly name: string; readonly wasm: Uint8Array };

/**
 * Runs a candidate module on the recorded input of every ended run of an executor, with the recorded answers, under the
 * recorded manifest with the new digest. No capability is constructed and nothing is recorded. Bundles that cannot be read
 * or run are `notCheckable`, among them those in which the module would be refused.
 */
export async function backtestPlugin(
  store: StoreReader,
  prover: LogProver,
  sandbox: SandboxHost,
  { name, wasm }: PluginCandidate,
  filter: BacktestFilter,
): Promise<PluginBacktest> {
  const ends = { identical: 0, "output differs": 0, "ends otherwise": 0, "host calls differ": 0 };
  const differences: PluginDifference[] = [];
  const notCheckable: { intentId: string; code: string; message: string }[] = [];
  const fuel: number[] = [];
  const seal = sealOnce(wasm);
  for (const { intentId, tenantId, execution } of recordedIntents(store)) {
    if (execution === null || (filter.tenant !== null && tenantId !== filter.tenant)) continue;
    try {
      const bytes = presentBundle(store, prover, intentId)?.bytes();
      if (bytes === undefined) continue;
      const evidence = Evidence.open(bytes);
      const { manifest, intent } = evidence.invocation();
      const { recordedAt } = evidence.started().event.header;
      if (manifest.name !== name || !isWithin(recordedAt, filter)) continue;
      const { divergence, comparison } = await reExecute(evidence, sandbox, { seal });
      const end = runEndOf(divergence);
      ends[end]++;
      if (end === "identical") fuel.push(comparison.replayed.fuel - comparison.recorded.fuel);
      else if (divergence !== null) differences.push({ intentId, action: intent.action, end, divergence });
    } catch (error) {
      if (!(error instanceof CheckEnd || isExoArmurError(error))) throw error;
      notCheckable.push({ intentId, code: error.code ?? "EXO_REPLAY_UNABLE", message: error.message });
    }
  }
  const runs = Object.values(ends).reduce((sum, count) => sum + count, 0) + notCheckable.length;
  const candidate = { name, digest: digestOf(wasm) };
  const fuelChange = distribution(fuel);
  return {
    schema: "exoarmur.plugin-backtest/v1",
    candidate,
    filter,
    runs,
    ends,
    fuelChange,
    differences,
    notCheckable,
  };
}

/** Seals the candidate for each manifest's capabilities and caps, once for each. */
function sealOnce(wasm: Uint8Array): SealCandidate {
  const known = new Map<string, ReturnType<typeof sealModule>>();
  return (evidence) => {
    const { manifest, fn } = evidence.invocation();
    const sealing = sealingOf(manifest);
    const key = JSON.stringify(sealing);
    const sealed = known.get(key) ?? sealModule(wasm, sealing);
    known.set(key, sealed);
    if (!sealed.ok) return fail(sealed.error.code, sealed.error.message);
    if (!sealed.value.exports.includes(fn.name))
      return fail("EXO_WASM_EXPORT", `the module does not export ${fn.name}`);
    return sealed.value;
  };
}

/** Nearest-rank figures of the changes. */
function distribution(changes: readonly number[]): FuelChange | null {
  const sorted = [...changes].sort((a, b) => a - b);
  const rank = (part: number): number => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return sorted.length === 0 ? null : { min: rank(0), median: rank(0.5), p99: rank(0.99), max: rank(1) };
}
