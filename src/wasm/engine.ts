// Declared here, and not by a library of types, so that the folder compiles alike for Node and for browsers.
declare const WebAssembly: { validate(bytes: Uint8Array): boolean };

/** True when the engine accepts the bytes as a module. `bytes` must not be shared memory. */
export function isValidModule(bytes: Uint8Array): boolean {
  return WebAssembly.validate(bytes);
}
