/** A compiled module. Only the engine looks inside. */
export type WasmModule = { readonly [compiled]: true };
declare const compiled: unique symbol;

/** An instance. What its exports are is read from the module, never guessed from the value. */
export type WasmInstance = { readonly exports: Readonly<Record<string, unknown>> };

/** A function as a WebAssembly module imports it. */
export type HostFunction = (...args: never[]) => bigint | number | undefined;

/** A row of an import list; in an export list `module` is absent. */
type WasmItem = { readonly module: string; readonly name: string; readonly kind: string };

/** A global variable of an instance; reading an i64 gives a bigint. */
export type WasmGlobal = { value: number | bigint };

/** A linear memory. `buffer` is another one after the memory has grown. */
export type WasmMemory = { readonly buffer: ArrayBuffer };

/** What this folder asks of the engine. Declared here, not by a library of types, so that it fits Node and browsers. */
type Engine = {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): readonly WasmItem[];
    exports(module: WasmModule): readonly Omit<WasmItem, "module">[];
  };
  readonly Instance: new (module: WasmModule) => WasmInstance;
  /** What a trap throws. */
  readonly RuntimeError: abstract new () => Error;
  compile(bytes: Uint8Array): Promise<WasmModule>;
};

declare const WebAssembly: Engine;

/** The WebAssembly engine of this platform. */
export const engine = WebAssembly;
