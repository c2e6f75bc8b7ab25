import { assemble, planAppendix, TypeTable } from "./assemble.js";
import { BodyDecoder } from "./body.js";
import { InstructionList } from "./code.js";
import { isValidModule } from "./engine.js";
import { structuralLimits } from "./limits.js";
import { BodyMeter, frameWords } from "./meter.js";
import { decodeModule } from "./module.js";
import { checkExports, checkImports, checkSizes } from "./permit.js";
import { Findings, type Reason } from "./reasons.js";
import type { ModuleShape } from "./shape.js";
import { ByteWriter, maxSealedBytes } from "./writer.js";

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
};

/**
 * Admits and meters a module (spec/sandbox.md). `bytes` must be the caller's own copy, in unshared memory, of a size
 * within the cap. The first reason is the one a refusal names.
 */
export function admit(bytes: Uint8Array, options: AdmissionOptions): Admission {
  // The engine goes first: a module that is only valid once it is metered could name the meter's own globals.
  const valid = isValidModule(bytes);
  const findings = new Findings();
  const shape = decodeModule(bytes, findings);
  if (shape === null) {
    return { shape, reasons: explain(findings, valid), features: findings.features, sealed: null };
  }
  findings.guard(() => {
    checkImports(shape, options.capabilities, findings);
    checkExports(shape, findings);
    checkSizes(shape, options.memoryPages, options.tableElements, findings);
  });
  const types = new TypeTable(shape);
  const appendix = planAppendix(shape, types);
  const code = new ByteWriter(valid ? bytes.length : 16);
  meterBodies(shape, findings, valid, new BodyMeter(shape, appendix), code);
  const reasons = explain(findings, valid);
  if (reasons.length > 0) {
    return { shape, reasons, features: findings.features, sealed: null };
  }
  const sealed = assemble(shape, appendix, types, code, options);
  return { shape, reasons, features: findings.features, sealed };
}

/** Decodes every body, and meters it as long as nothing speaks against the module. */
function meterBodies(shape: ModuleShape, findings: Findings, valid: boolean, meter: BodyMeter, code: ByteWriter): void {
  const list = new InstructionList();
  const decoder = new BodyDecoder(shape, findings, list);
  for (let index = 0; index < shape.bodies.length && !findings.full; index += 1) {
    const body = shape.bodies[index];
    const typeIndex = shape.functionTypes[shape.importedFunctions + index];
    const type = typeIndex === undefined ? undefined : shape.types[typeIndex];
    if (body === undefined || typeIndex === undefined || type === undefined) {
      return;
    }
    findings.guard(() => {
      const facts = decoder.decode(typeIndex, body);
      const words = frameWords(facts);
      if (words > structuralLimits.frameWords) {
        const most = structuralLimits.frameWords;
        findings.note(
          "EXO_WASM_LIMIT",
          `a function's frame takes ${words} words, at most ${most} are admitted`,
          body.start,
        );
      }
      if (valid && findings.reasons.length === 0) {
        writeBody(meter.meter(type, list, facts), code, body.start, findings);
      }
    });
  }
}

function writeBody(metered: ByteWriter, code: ByteWriter, offset: number, findings: Findings): void {
  if (metered.length > structuralLimits.bodyBytes) {
    const most = structuralLimits.bodyBytes;
    findings.halt(
      "EXO_WASM_LIMIT",
      `a function takes ${metered.length} bytes when metered, at most ${most} fit`,
      offset,
    );
  }
  if (code.length + metered.length + 65_536 > maxSealedBytes) {
    findings.halt("EXO_WASM_LIMIT", `the metered module would be larger than ${maxSealedBytes} bytes`);
  }
  code.sized(metered);
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
