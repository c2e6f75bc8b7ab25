import { decodeModule } from "./decode/module.js";
import type { ModuleShape } from "./decode/shape.js";
import { isValidModule } from "./engine.js";
import { structuralLimits } from "./limits.js";
import { checkExports, checkImports, checkSizes } from "./permit.js";
import { Findings, type Reason } from "./reasons.js";
import { assemble, planAppendix, TypeTable } from "./write/assemble.js";
import type { Charges } from "./write/meter.js";
import { Bodies, meterBodies } from "./write/meter-bodies.js";
import { ByteWriter } from "./write/writer.js";

/** What a module is admitted for; checked by the caller. */
export type AdmissionOptions = {
  readonly capabilities: readonly string[];
  readonly memoryPages: number;
  readonly tableElements: number;
};

/** What admission found. `sealed` is null exactly when there are reasons; `shape` is null when decoding failed. */
export type Admission = {
  readonly shape: ModuleShape | null;
  readonly reasons: readonly Reason[];
  readonly features: ReadonlyMap<string, number>;
  readonly sealed: Uint8Array | null;
  /** What metering put in; null when there is no sealed module. */
  readonly charges: Charges | null;
};

const refused = { sealed: null, charges: null } as const;

/**
 * Admits and meters a module (spec/sandbox.md). `bytes` must be the caller's own copy, in unshared memory, of a size
 * within the cap. The first reason is the one a refusal names.
 */
export function admit(bytes: Uint8Array, options: AdmissionOptions): Admission {
  const findings = new Findings();
  const shape = decodeModule(bytes, findings);
  // What is beyond the limits can keep an engine busy for minutes, so it is not asked. Whatever is metered must be valid
  // as it is: a module that is valid only once it is metered could name the meter's own globals.
  const beyond = findings.reasons.some(({ code }) => code === "EXO_WASM_LIMIT");
  const valid = !beyond && isValidModule(bytes);
  if (shape === null) {
    return { ...refused, shape, reasons: explain(findings, valid || beyond), features: findings.features };
  }
  findings.guard(() => {
    checkImports(shape, options.capabilities, findings);
    checkExports(shape, findings);
    checkSizes(shape, options.memoryPages, options.tableElements, findings);
  });
  const work = new Bodies(shape, findings);
  decodeBodies(shape, findings, valid, work);
  if (!valid || findings.reasons.length > 0) {
    return { ...refused, shape, reasons: explain(findings, valid), features: findings.features };
  }
  const types = new TypeTable(shape);
  const appendix = planAppendix(shape, types);
  const code = new ByteWriter(bytes.length);
  let charges: Charges | null = null;
  findings.guard(() => {
    charges = meterBodies(shape, findings, appendix, work, code);
  });
  if (findings.reasons.length > 0 || charges === null) {
    return { ...refused, shape, reasons: explain(findings, valid), features: findings.features };
  }
  const sealed = assemble(shape, appendix, types, code, options);
  return { shape, reasons: [], features: findings.features, sealed, charges };
}

/** Decodes every body, and says of each what the call graph wants to know as long as nothing speaks against the module. */
function decodeBodies(shape: ModuleShape, findings: Findings, valid: boolean, work: Bodies): void {
  for (let index = 0; index < shape.bodies.length && !findings.full; index += 1) {
    findings.guard(() => {
      const facts = work.decode(index);
      const most = structuralLimits.frameWords;
      if (facts.words > most) {
        const offset = shape.bodies[index]?.start;
        const message = `a function's frame takes ${facts.words} words, at most ${most} are admitted`;
        findings.note("EXO_WASM_LIMIT", message, offset);
      }
      if (valid && findings.reasons.length === 0) {
        work.graph.add(index, work.list, facts);
      }
    });
  }
}

/**
 * The reasons, the one to name first. Of a module the engine refuses, a refused feature is the best explanation, then
 * the decoder's, then the engine's bare no.
 */
function explain(findings: Findings, valid: boolean): readonly Reason[] {
  const reasons = findings.reasons;
  if (valid) {
    return reasons;
  }
  const rank = (reason: Reason): number =>
    reason.code === "EXO_WASM_FEATURE" ? 0 : reason.code === "EXO_WASM_INVALID" ? 1 : 2;
  if (!reasons.some((reason) => rank(reason) < 2)) {
    return [{ code: "EXO_WASM_INVALID", message: "the bytes are not a valid WebAssembly module" }, ...reasons];
  }
  return [...reasons].sort((one, other) => rank(one) - rank(other));
}
