/**
 * exoarmur/wasm: admission and metering of modules, bytes to bytes (spec/sandbox.md); runs in a browser.
 * `inspectModule` reports on a module, `meterModule` makes its sealed form: what `exoarmur inspect` and `exoarmur meter`
 * do.
 */

export type { Digest } from "../canonical/digest.js";
export type { CapabilityName } from "../contracts/imports.js";
export type { ErrorCode, Refusal, Result } from "../errors.js";
export { meterRevision } from "../wasm/fuel.js";
export type { ModuleReport, Signature, SizeReport } from "../wasm/inspect.js";
export { inspectModule } from "../wasm/inspect.js";
export type { Reason } from "../wasm/reasons.js";
export type { SealedModule, SealOptions } from "../wasm/seal.js";
export { sealModule as meterModule } from "../wasm/seal.js";
export type { Charges } from "../wasm/write/meter.js";
