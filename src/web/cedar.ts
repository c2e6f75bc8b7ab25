import * as module from "@cedar-policy/cedar-wasm/web";
import wasm from "cedar-wasm-bytes";
import { createCedar } from "../policy/cedar/language.js";
import type { CedarEngine } from "../policy/program.js";

let engine: CedarEngine | undefined;

/** Cedar's engine in a browser, from the bytes the page carries: compiled with the first bundle that needs it. */
export function loadCedar(): Promise<CedarEngine> {
  if (engine === undefined) {
    module.initSync({ module: wasm as Uint8Array<ArrayBuffer> });
    engine = createCedar(module);
  }
  return Promise.resolve(engine);
}
