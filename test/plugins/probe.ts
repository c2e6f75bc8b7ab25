import { loadModule, MockHost, type Outcome } from "./mock-host.js";

const module = loadModule("test/plugins/probe.wasm");

/** Runs one function of the SDK probe (plugins/sdk-probe, built by scripts/build-plugins.mjs). */
export function probe(name: string, input: Uint8Array | string, host = new MockHost()): Outcome {
  return host.run(module, name, input);
}
