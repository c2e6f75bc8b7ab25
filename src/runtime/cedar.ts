import { CedarEngine } from "../policy/cedar/engine.js";

let loading: Promise<CedarEngine> | undefined;

/** Cedar's engine on Node.js, loaded with the first policy that needs it: 4 MB of Wasm that nobody else pays for. */
export async function loadCedar(): Promise<CedarEngine> {
  loading ??= import("@cedar-policy/cedar-wasm/nodejs").then((module) => new CedarEngine(module));
  return await loading;
}
