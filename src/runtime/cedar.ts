import type { CedarEngine } from "../policy/program.js";

let loading: Promise<CedarEngine> | undefined;

/** Cedar's engine on Node.js, loaded with the first policy that needs it: nobody else pays for it. */
export async function loadCedar(): Promise<CedarEngine> {
  loading ??= load();
  return await loading;
}

async function load(): Promise<CedarEngine> {
  const { createCedar } = await import("../policy/cedar/language.js");
  return createCedar(await import("@cedar-policy/cedar-wasm/nodejs"));
}
