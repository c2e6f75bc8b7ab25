import { type Digest, digestOf } from "../canonical/digest.js";
import { findImport } from "../contracts/imports.js";
import { ExoArmurError, ok, type Refusal, type Result, refuse } from "../errors.js";
import { admit } from "./admit.js";
import { type ModuleShape, typeOfFunction } from "./decode/shape.js";
import { isValidModule } from "./engine.js";
import { meterRevision } from "./fuel.js";
import { structuralLimits } from "./limits.js";
import type { Charges } from "./write/meter.js";

/** What a module is sealed for. */
export type SealOptions = {
  /** Capability names the manifest was granted. */
  readonly capabilities: readonly string[];
  /** Cap of linear memory, in 64 KiB pages. */
  readonly memoryPages: number;
  /** Cap of all tables together, in elements. */
  readonly tableElements: number;
  /** Cap of the original's size in bytes; default 64 MiB. */
  readonly maxBytes?: number;
};

/** An admitted, metered module. `bytes` depend only on the original, the meter revision and the two caps. */
export type SealedModule = {
  readonly bytes: Uint8Array;
  /** Digest of `bytes`. */
  readonly digest: Digest;
  /** Digest of the exact bytes that were given. */
  readonly original: Digest;
  readonly meterRevision: number;
  readonly memoryPages: number;
  readonly tableElements: number;
  /** Exported functions of type `() -> ()` or `() -> i32`: what a manifest may name. */
  readonly exports: readonly string[];
  /** Distinct imports in order of first appearance. */
  readonly imports: readonly { readonly module: string; readonly name: string; readonly capability: string | null }[];
  /** What metering put in. */
  readonly charges: Charges;
  /** True when the host must call `exo:start` after setting fuel and stack, before anything else. */
  readonly hasStart: boolean;
};

/**
 * Admits a module and makes its metered form, or refuses it with EXO_WASM_SIZE, _INVALID, _FEATURE, _IMPORT, _EXPORT or
 * _LIMIT; the message names the byte offset where there is one (spec/sandbox.md). Throws EXO_INTERNAL when the engine
 * refuses what was made.
 */
export function sealModule(bytes: Uint8Array, options: SealOptions): Result<SealedModule> {
  const problem = checkSealOptions(bytes.length, options);
  if (problem !== null) {
    return { ok: false, error: problem };
  }
  // A copy: the caller's memory may be shared, or change while it is read.
  const original = new Uint8Array(bytes);
  const { shape, reasons, sealed, charges } = admit(original, options);
  const first = reasons[0];
  if (first !== undefined) {
    return refuse(first.code, first.message);
  }
  if (shape === null || sealed === null || charges === null || !isValidModule(sealed)) {
    throw new ExoArmurError("EXO_INTERNAL", `metering made an invalid module of ${digestOf(original)}`);
  }
  return ok({
    bytes: sealed,
    digest: digestOf(sealed),
    original: digestOf(original),
    meterRevision,
    memoryPages: options.memoryPages,
    tableElements: options.tableElements,
    exports: listEntryPoints(shape),
    imports: listImports(shape),
    charges,
    hasStart: shape.start !== null,
  });
}

/** Refuses caps out of range (EXO_WASM_LIMIT) and modules that are empty or too large (EXO_WASM_SIZE). */
export function checkSealOptions(size: number, options: SealOptions): Refusal | null {
  const { memoryPages, tableElements } = options;
  if (!isCap(memoryPages, structuralLimits.memoryPages) || !isCap(tableElements, structuralLimits.tableElements)) {
    const { memoryPages: pages, tableElements: elements } = structuralLimits;
    return {
      code: "EXO_WASM_LIMIT",
      message: `the caps must be integers, memoryPages up to ${pages} and tableElements up to ${elements}`,
    };
  }
  const most = options.maxBytes ?? structuralLimits.moduleBytes;
  if (size === 0 || size > most) {
    return { code: "EXO_WASM_SIZE", message: `the module has ${size} bytes, expected 1 to ${most}` };
  }
  return null;
}

function isCap(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}

/** Names of the exported functions a host can call: no parameters, and no result or one i32. */
export function listEntryPoints(shape: ModuleShape): string[] {
  const names: string[] = [];
  for (const entry of shape.exports) {
    const type = entry.kind === "function" ? typeOfFunction(shape, entry.index) : undefined;
    if (type !== undefined && type.params.length === 0) {
      const [result] = type.results;
      if (type.results.length === 0 || (type.results.length === 1 && result === 0x7f)) {
        names.push(entry.name);
      }
    }
  }
  return names;
}

function listImports(shape: ModuleShape): SealedModule["imports"] {
  const distinct = new Map<string, SealedModule["imports"][number]>();
  for (const { module, name } of shape.imports) {
    distinct.set(`${module}\n${name}`, { module, name, capability: findImport(module, name)?.capability ?? null });
  }
  return [...distinct.values()];
}
