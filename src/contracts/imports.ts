import { isSafeMethod } from "./http-methods.js";
import { sealedWasiModule, wasiModule, wasiRows } from "./wasi.js";

/**
 * What a guest may import: one table, shared by admission, broker and documentation (spec/sandbox.md, spec/abi.md).
 * An import outside this table, or with another signature, is refused.
 */

/** Every capability, in the order documents list them. */
export const capabilityNames = [
  "clock_now",
  "random_bytes",
  "log",
  "fs_read",
  "fs_write",
  "fs_list",
  "fs_stat",
  "fs_remove",
  "fs_append",
  "fs_mkdir",
  "fs_rename",
  "http_request",
  "kv_get",
  "kv_put",
  "kv_delete",
  "kv_list",
] as const;

/** The name of a capability. */
export type CapabilityName = (typeof capabilityNames)[number];

/** Does using the capability read or change anything outside the run? */
export type CapabilityEffect = "none" | "read" | "write";

/** The greatest effect every capability can have. */
export const capabilityEffects: Readonly<Record<CapabilityName, CapabilityEffect>> = {
  clock_now: "none",
  random_bytes: "none",
  log: "none",
  fs_read: "read",
  fs_write: "write",
  fs_list: "read",
  fs_stat: "read",
  fs_remove: "write",
  fs_append: "write",
  fs_mkdir: "write",
  fs_rename: "write",
  // Of its methods, the safe ones read; `effectOf` tells them apart.
  http_request: "write",
  kv_get: "read",
  kv_put: "write",
  kv_delete: "write",
  kv_list: "read",
};

/**
 * Capabilities whose writes are part of the run's own record: they become durable with its outcome or not at all, so
 * they are neither journaled nor ever in doubt (spec/capabilities.md, Keys and values).
 */
const transactionalCapabilities: ReadonlySet<CapabilityName> = new Set(["kv_put", "kv_delete"]);

/** Effect of one call. `method` is the request's member of that name, which only http_request has. */
function effectOf(capability: CapabilityName, method: unknown): CapabilityEffect {
  return capability === "http_request" && isSafeMethod(method) ? "read" : capabilityEffects[capability];
}

/** True for a call that changes what lies outside the runtime: it is journaled before it is performed. */
export function isOutsideWrite(capability: CapabilityName, method: unknown): boolean {
  return effectOf(capability, method) === "write" && !transactionalCapabilities.has(capability);
}

/** Capabilities every executor has without asking. */
export const alwaysGranted: readonly CapabilityName[] = ["log"];

/** True for the name of a capability this build knows. */
export function isCapabilityName(name: string): name is CapabilityName {
  return (capabilityNames as readonly string[]).includes(name);
}

/** Module name of the kernel's own functions: blocks, input, output, configuration, variables, log lines. */
export const kernelModule = "extism:host/env";

/** Module name under which a sealed module imports Extism's HTTP functions. */
export const sealedHttpModule = "exo:http";

/** Module name of the capabilities. */
export const capabilityModule = "extism:host/user";

/** A value type that may cross between guest and host. Floats never do: no NaN comes from the host. */
export type ImportType = "i32" | "i64";

/** One importable function. */
export type ImportRow = {
  readonly module: string;
  readonly name: string;
  readonly params: readonly ImportType[];
  readonly results: readonly ImportType[];
  /** Fuel for the call itself. */
  readonly cost: number;
  /** Index of an argument that is a length: its unsigned value is charged as well, one unit for every 8 bytes. */
  readonly lengthArg?: number;
  /** How `lengthArg` is charged where it counts something else: `(length * multiply) >> shift`. For i32 arguments. */
  readonly lengthCost?: { readonly multiply: number; readonly shift: number };
  /**
   * Module under which a sealed module imports it, where that is another: loaders have functions of their own for some
   * names, and a guest must never get those.
   */
  readonly sealedModule?: string;
  /** Capability that must be granted; null for the kernel functions every guest may use. */
  readonly capability: CapabilityName | null;
};

/** Fuel of one call of any import. */
const callCost = 10;

function kernel(
  name: string,
  params: readonly ImportType[],
  results: readonly ImportType[],
  extra: { readonly lengthArg?: number; readonly capability?: CapabilityName; readonly sealedModule?: string } = {},
): ImportRow {
  return { module: kernelModule, name, params, results, cost: callCost, capability: null, ...extra };
}

/** The import table. Signatures of the kernel functions are those of the Extism PDKs. */
export const importTable: readonly ImportRow[] = [
  kernel("alloc", ["i64"], ["i64"], { lengthArg: 0 }),
  kernel("free", ["i64"], []),
  kernel("length", ["i64"], ["i64"]),
  kernel("length_unsafe", ["i64"], ["i64"]),
  kernel("load_u8", ["i64"], ["i32"]),
  kernel("load_u64", ["i64"], ["i64"]),
  kernel("store_u8", ["i64", "i32"], []),
  kernel("store_u64", ["i64", "i64"], []),
  kernel("input_offset", [], ["i64"]),
  kernel("input_length", [], ["i64"]),
  kernel("input_load_u8", ["i64"], ["i32"]),
  kernel("input_load_u64", ["i64"], ["i64"]),
  kernel("output_set", ["i64", "i64"], [], { lengthArg: 1 }),
  kernel("error_set", ["i64"], []),
  kernel("config_get", ["i64"], ["i64"]),
  kernel("var_get", ["i64"], ["i64"]),
  kernel("var_set", ["i64", "i64"], []),
  kernel("log_trace", ["i64"], [], { capability: "log" }),
  kernel("log_debug", ["i64"], [], { capability: "log" }),
  kernel("log_info", ["i64"], [], { capability: "log" }),
  kernel("log_warn", ["i64"], [], { capability: "log" }),
  kernel("log_error", ["i64"], [], { capability: "log" }),
  kernel("get_log_level", [], ["i32"]),
  // Extism's JavaScript SDK puts requests of its own in the place of these wherever the engine can suspend a guest.
  kernel("http_request", ["i64", "i64"], ["i64"], { capability: "http_request", sealedModule: sealedHttpModule }),
  kernel("http_status_code", [], ["i32"], { sealedModule: sealedHttpModule }),
  kernel("http_headers", [], ["i64"], { sealedModule: sealedHttpModule }),
  ...capabilityNames.map(
    (name): ImportRow => ({
      module: capabilityModule,
      name,
      // Handle of a msgpack request block in, handle of a msgpack response block out (spec/abi.md).
      params: ["i64"],
      results: ["i64"],
      cost: callCost,
      capability: name,
    }),
  ),
  ...wasiRows.map(
    ({ answer: _answer, ...row }): ImportRow => ({
      module: wasiModule,
      sealedModule: sealedWasiModule,
      cost: callCost,
      ...row,
    }),
  ),
];

/** Module name of every import before Extism 1.0: kernel functions with a prefix, host functions without. */
const legacyModule = "env";
const legacyPrefix = "extism_";

const rows: ReadonlyMap<string, ImportRow> = new Map(
  importTable.flatMap((row): [string, ImportRow][] => {
    const own: [string, ImportRow] = [`${row.module}\n${row.name}`, row];
    if (row.module === wasiModule) {
      return [own];
    }
    const prefix = row.module === kernelModule ? legacyPrefix : "";
    return [own, [`${legacyModule}\n${prefix}${row.name}`, row]];
  }),
);

/**
 * The row of an import under either of its names (spec/abi.md, linkage), or undefined when the table has none. The row
 * says what the import is; `module` and `name` are what the guest calls it.
 */
export function findImport(module: string, name: string): ImportRow | undefined {
  return rows.get(`${module}\n${name}`);
}

/** Module name under which a sealed module imports a row. Its name there is the row's. */
export function sealedModuleOf(row: ImportRow): string {
  return row.sealedModule ?? row.module;
}
