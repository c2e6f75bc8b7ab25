import { digestOf, digestOfJson } from "../canonical/digest.js";
import { canonicalize } from "../canonical/jcs.js";
import { statementType } from "../contracts/bundle.js";
import { payloadTypes, signEnvelope } from "../contracts/dsse.js";
import { type ReExecutionStatement, reExecutionSchema, reExecutionType } from "../contracts/re-execution.js";
import type { ReplayReport } from "../contracts/replay-report.js";
import type { Trust } from "../contracts/trust.js";
import type { SandboxHost, Signer } from "../ports.js";
import { currentRevisions } from "../proof/statement.js";
import { ReplayEngine, type ReplayEngineOptions } from "./replay-engine.js";
import { resultDigest } from "./result-digest.js";

/** What a replay is attested with. There is no attesting without a sandbox: nothing would have been re-executed. */
export type AttestOptions = Pick<ReplayEngineOptions, "trust" | "cedar"> & {
  readonly sandbox: SandboxHost;
  /** Signs what was found. */
  readonly signer: Signer;
};

/** What was found, and the same signed. */
export type AttestedReplay = {
  readonly report: ReplayReport;
  /** Canonical bytes of the DSSE envelope. */
  readonly envelope: Uint8Array;
};

/**
 * Replays a bundle and signs what was found, whatever it was (spec/replay.md, Signed report). The same bytes, trust file,
 * key, build and engine give the same envelope. Never throws for anything the bytes can hold.
 */
export async function attestReplay(bytes: Uint8Array, options: AttestOptions): Promise<AttestedReplay> {
  const { signer, ...engine } = options;
  const report = await new ReplayEngine(engine).replayBundle(bytes);
  const payload = canonicalize(statementOf(bytes, report, options.trust));
  return { report, envelope: canonicalize(await signEnvelope(payloadTypes.statement, payload, signer)) };
}

function statementOf(bytes: Uint8Array, report: ReplayReport, trust: Trust | undefined): ReExecutionStatement {
  const { target, result, trustMode, levels, divergence, engine } = report;
  return reExecutionSchema.parse({
    _type: statementType,
    subject: [{ name: "bundle", digest: { sha256: digestOf(bytes).slice("sha256:".length) } }],
    predicateType: reExecutionType,
    predicate: {
      intentId: target.id === "" ? null : target.id,
      result,
      resultDigest: resultDigest(report),
      trustMode,
      trustDigest: trust === undefined ? null : digestOfJson(trust),
      levels,
      checks: report.checks.map(({ level, id, state, code }) => ({
        level,
        id,
        state,
        ...(code === undefined ? {} : { code }),
      })),
      divergence: divergence === null ? null : withoutContent(divergence),
      revisions: currentRevisions,
      engine,
    },
  });
}

/** Expected, actual and the bytes around may be what the bundle's holder does not give away. */
function withoutContent(divergence: NonNullable<ReplayReport["divergence"]>): object {
  const { level, step, kind, offset, fuelDelta } = divergence;
  return {
    level,
    step,
    kind,
    ...(offset === undefined ? {} : { offset }),
    ...(fuelDelta === undefined ? {} : { fuelDelta }),
  };
}
