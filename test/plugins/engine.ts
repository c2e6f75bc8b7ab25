/** A compiled module. */
export type WasmModule = { readonly [compiled]: true };
declare const compiled: unique symbol;

type Item = { readonly module: string; readonly name: string; readonly kind: string };

/** The WebAssembly engine, as far as these tests use it: Node's types declare none. */
export const engine = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: {
        new (bytes: Uint8Array): WasmModule;
        imports(module: WasmModule): readonly Item[];
        exports(module: WasmModule): readonly Omit<Item, "module">[];
        customSections(module: WasmModule, name: string): readonly ArrayBuffer[];
      };
      readonly Instance: new (
        module: WasmModule,
        imports: Record<string, Record<string, unknown>>,
      ) => { readonly exports: Record<string, unknown> };
      readonly RuntimeError: abstract new () => Error;
    };
  }
).WebAssembly;
