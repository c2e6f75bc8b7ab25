/**
 * The one function this folder asks of the engine. Declared here, and not by a library of types, so that the folder
 * compiles alike for Node and for browsers.
 */
type Engine = { validate(bytes: Uint8Array): boolean };

/** True when the engine accepts the bytes as a module. `bytes` must not be shared memory. */
export function isValidModule(bytes: Uint8Array): boolean {
  return (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly.validate(bytes);
}
