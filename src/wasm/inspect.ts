import { type Digest, digestOf } from "../canonical/digest.js";
import { alwaysGranted, type CapabilityName, capabilityNames, findImport } from "../contracts/imports.js";
import { admit } from "./admit.js";
import { type FuncType, type ModuleShape, nameTypes, typeOfFunction, valueTypes } from "./decode/shape.js";
import { isValidModule } from "./engine.js";
import { meterRevision } from "./fuel.js";
import { structuralLimits } from "./limits.js";
import type { Reason } from "./reasons.js";
import { checkSealOptions, listEntryPoints, type SealOptions } from "./seal.js";

/** A function's type, such as `{params: ["i64"], results: []}`. */
export type Signature = { readonly params: readonly string[]; readonly results: readonly string[] };

/** Sizes in pages or elements; `maximum` null where none is declared. */
export type SizeReport = { readonly initial: number; readonly maximum: number | null };

/**
 * What a module is and whether it would be admitted (spec/sandbox.md), as plain JSON: the document of
 * `exoarmur inspect --json` but for its `schema`. Sizes in bytes. Lists are empty where decoding did not get there.
 */
export type ModuleReport = {
  readonly size: number;
  readonly digest: Digest;
  readonly admitted: boolean;
  /** Every reason against it, as far as it could be decoded; the first is the one a refusal names. */
  readonly reasons: readonly Reason[];
  readonly imports: readonly {
    readonly module: string;
    readonly name: string;
    readonly kind: string;
    readonly signature: Signature | null;
    /** Capability it takes; null for kernel functions; "unknown" when the import table has no such function. */
    readonly capability: CapabilityName | "unknown" | null;
  }[];
  readonly exports: readonly { readonly name: string; readonly kind: string; readonly signature: Signature | null }[];
  /** Exports that a manifest may name as functions. */
  readonly functions: readonly string[];
  /** Features beyond the first version of WebAssembly, with the offset of their first use. */
  readonly features: readonly { readonly name: string; readonly offset: number }[];
  readonly memory: SizeReport | null;
  readonly tables: readonly (SizeReport & { readonly type: string })[];
  readonly customSections: readonly { readonly name: string; readonly size: number }[];
  /** Capabilities the manifest has to name for the imports to be admitted, `log` aside. */
  readonly capabilities: readonly CapabilityName[];
  /** Those of them that the options do not grant. */
  readonly missing: readonly CapabilityName[];
  readonly hasStart: boolean;
  /** What it was judged under: memory in 64 KiB pages, all tables together in elements. */
  readonly caps: { readonly memoryPages: number; readonly tableElements: number };
  /** The metered form under these caps, when admitted. `size` in bytes. */
  readonly sealed: { readonly digest: Digest; readonly size: number; readonly meterRevision: number } | null;
};

/** What {@link inspectModule} judges a module under, nothing left out. */
type Terms = Required<SealOptions>;

/**
 * Reports on a module: what it imports, exports and uses, and every reason that speaks against it, each with its code
 * (EXO_WASM_SIZE, _INVALID, _FEATURE, _IMPORT, _EXPORT or _LIMIT) and, where there is one, its byte offset. Admitted
 * exactly when `sealModule` admits it under the same options. What `options` leaves out is taken to its widest: every
 * capability granted, the caps at their greatest. Never throws, whatever the bytes are, and keeps no reference to them.
 *
 * @param bytes the module as it was built
 */
export function inspectModule(bytes: Uint8Array, options: Partial<SealOptions> = {}): ModuleReport {
  const asked = {
    capabilities: options.capabilities ?? capabilityNames,
    memoryPages: options.memoryPages ?? structuralLimits.memoryPages,
    tableElements: options.tableElements ?? structuralLimits.tableElements,
    maxBytes: options.maxBytes ?? structuralLimits.moduleBytes,
  };
  const problem = checkSealOptions(bytes.length, asked);
  if (problem !== null) {
    return report(bytes, asked, [problem], null, new Map(), null);
  }
  const original = new Uint8Array(bytes);
  const { shape, reasons, features, sealed } = admit(original, asked);
  if (sealed !== null && !isValidModule(sealed)) {
    const broken: Reason = { code: "EXO_INTERNAL", message: "metering made an invalid module" };
    return report(original, asked, [broken], shape, features, null);
  }
  return report(original, asked, reasons, shape, features, sealed);
}

function report(
  bytes: Uint8Array,
  { capabilities, memoryPages, tableElements }: Terms,
  reasons: readonly Reason[],
  shape: ModuleShape | null,
  features: ReadonlyMap<string, number>,
  sealed: Uint8Array | null,
): ModuleReport {
  const described = describe(shape);
  return {
    size: bytes.length,
    digest: digestOf(bytes),
    admitted: sealed !== null,
    reasons,
    ...described,
    features: Array.from(features, ([name, offset]) => ({ name, offset })),
    missing: described.capabilities.filter((name) => !capabilities.includes(name)),
    caps: { memoryPages, tableElements },
    sealed: sealed === null ? null : { digest: digestOf(sealed), size: sealed.length, meterRevision },
  };
}

type Description = Omit<
  ModuleReport,
  "size" | "digest" | "admitted" | "reasons" | "features" | "missing" | "caps" | "sealed"
>;

function describe(shape: ModuleShape | null): Description {
  if (shape === null) {
    return {
      imports: [],
      exports: [],
      functions: [],
      memory: null,
      tables: [],
      customSections: [],
      capabilities: [],
      hasStart: false,
    };
  }
  const needed = new Set(shape.imports.map(({ module, name }) => findImport(module, name)?.capability ?? null));
  const memory = shape.memories[0];
  return {
    imports: shape.imports.map(({ module, name, kind, typeIndex }) => ({
      module,
      name,
      kind,
      signature: describeType(shape.types[typeIndex]),
      capability: describeCapability(module, name),
    })),
    exports: shape.exports.map(({ name, kind, index }) => ({
      name,
      kind,
      signature: kind === "function" ? describeType(typeOfFunction(shape, index)) : null,
    })),
    functions: listEntryPoints(shape),
    memory: memory === undefined ? null : { initial: memory.initial, maximum: memory.maximum },
    tables: shape.tables.map(({ type, initial, maximum }) => ({
      type: valueTypes[type] ?? "unknown",
      initial,
      maximum,
    })),
    customSections: shape.customSections,
    capabilities: capabilityNames.filter((name) => needed.has(name) && !alwaysGranted.includes(name)),
    hasStart: shape.start !== null,
  };
}

function describeType(type: FuncType | undefined): Signature | null {
  return type === undefined ? null : { params: nameTypes(type.params), results: nameTypes(type.results) };
}

function describeCapability(module: string, name: string): CapabilityName | "unknown" | null {
  const row = findImport(module, name);
  return row === undefined ? "unknown" : row.capability;
}
