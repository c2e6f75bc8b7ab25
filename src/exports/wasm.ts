/** exoarmur/wasm: admission and metering of modules, bytes to bytes; runs in a browser. */

export type { ModuleReport } from "../wasm/inspect.js";
export { inspectModule } from "../wasm/inspect.js";
export type { SealedModule, SealOptions } from "../wasm/seal.js";
export { meterRevision, sealModule as meterModule } from "../wasm/seal.js";
