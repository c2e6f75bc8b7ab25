/** exoarmur/wasm: admission and metering of modules, bytes to bytes; runs in a browser. */
export { inspectModule } from "../wasm/inspect.js";
export type { ModuleReport } from "../wasm/inspect.js";
export { meterRevision, sealModule as meterModule } from "../wasm/seal.js";
export type { SealOptions, SealedModule } from "../wasm/seal.js";
