import { readFileSync } from "node:fs";
import { Packr } from "msgpackr";
import { engine, type WasmModule } from "./engine.js";

/** Encodes as the runtime's host does: plain maps with headers of the least size. */
const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: "number" });

/** What a guest's function came to: its return code, the output bytes and the error text it set. */
export type Outcome = { code: number; output: Uint8Array; text: string; error: string | null; pages: number };

/** A capability as a function of the decoded request; throw a Refusal for the error answer. */
export type Capability = (request: Record<string, unknown>) => unknown;

/** Answers a host call with `{error: {code, message}}`. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The module of `plugins/NAME.wasm` or of another path under the repository. */
export function loadModule(path: string): WasmModule {
  return new engine.Module(readFileSync(new URL(`../../${path}`, import.meta.url)));
}

/** `module/name` of every import, sorted. */
export function importNames(module: WasmModule): string[] {
  return engine.Module.imports(module)
    .map((row) => `${row.module}/${row.name}`)
    .sort();
}

/** The text of an output; an output that is not UTF-8 is bytes and has none. */
function decode(output: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(output);
  } catch {
    return "(not UTF-8)";
  }
}

/**
 * A small host of its own for the ABI: exact bounds on every block, fresh instance per call, no project code. Blocks live at
 * `tag * 2^32`, so a guest that cuts an address to 32 bits fails.
 */
export class MockHost {
  readonly files = new Map<string, Uint8Array>();
  /** What fs_mkdir made. */
  readonly directories = new Set<string>();
  readonly pairs = new Map<string, { readonly value: Uint8Array; readonly version: number }>();
  readonly calls: { name: string; request: Record<string, unknown> }[] = [];
  readonly capabilities: Record<string, Capability>;
  /** Replaces the packed answer of the next host call. */
  rawAnswer: Uint8Array | null = null;
  #blocks = new Map<bigint, Uint8Array>();
  #next = 1n;

  constructor(capabilities: Record<string, Capability> = {}) {
    this.capabilities = { ...this.#defaults(), ...capabilities };
  }

  /** Blocks that are still reserved after a run. */
  get liveBlocks(): number {
    return this.#blocks.size;
  }

  run(module: WasmModule, name: string, input: Uint8Array | string): Outcome {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    this.#blocks = new Map();
    const state = { output: new Uint8Array(), error: null as string | null };
    const instance = new engine.Instance(module, {
      "extism:host/env": this.#kernel(bytes, state),
      "extism:host/user": Object.fromEntries(
        Object.keys(this.capabilities).map((capability) => [
          capability,
          (handle: bigint) => this.#call(capability, handle),
        ]),
      ),
    });
    const exports = instance.exports as { memory: { buffer: ArrayBuffer } } & Record<string, () => number>;
    let code: number;
    try {
      code = (exports[name] as () => number)();
    } catch (error) {
      if (!(error instanceof engine.RuntimeError)) throw error;
      code = -1;
    }
    return {
      code,
      output: state.output,
      text: decode(state.output),
      error: state.error,
      pages: exports.memory.buffer.byteLength / 65536,
    };
  }

  #kernel(
    input: Uint8Array,
    state: { output: Uint8Array<ArrayBuffer>; error: string | null },
  ): Record<string, unknown> {
    const at = (address: bigint, width: number): DataView => {
      const block = this.#blocks.get(address >> 32n);
      const offset = Number(address & 0xffffffffn);
      if (block === undefined || offset + width > block.length)
        throw new RangeError(`kernel access out of bounds: ${address}`);
      return new DataView(block.buffer, block.byteOffset + offset, width);
    };
    const inInput = (offset: bigint, width: number): DataView => {
      if (offset + BigInt(width) > BigInt(input.length)) throw new RangeError("input access out of bounds");
      return new DataView(input.buffer, input.byteOffset + Number(offset), width);
    };
    const slice = (address: bigint, length: number): Uint8Array<ArrayBuffer> => {
      const view = at(address, length);
      return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, length).slice();
    };
    return {
      alloc: (length: bigint) => this.#put(new Uint8Array(Number(length))),
      free: (address: bigint) => void this.#blocks.delete(address >> 32n),
      length: (address: bigint) => BigInt(this.#blocks.get(address >> 32n)?.length ?? 0),
      load_u8: (address: bigint) => at(address, 1).getUint8(0),
      load_u64: (address: bigint) => at(address, 8).getBigUint64(0, true),
      store_u8: (address: bigint, value: number) => at(address, 1).setUint8(0, value),
      store_u64: (address: bigint, value: bigint) => at(address, 8).setBigUint64(0, value, true),
      input_length: () => BigInt(input.length),
      input_load_u8: (offset: bigint) => inInput(offset, 1).getUint8(0),
      input_load_u64: (offset: bigint) => inInput(offset, 8).getBigUint64(0, true),
      output_set: (address: bigint, length: bigint) => {
        state.output = length === 0n ? new Uint8Array() : slice(address, Number(length));
      },
      error_set: (address: bigint) => {
        const block = this.#blocks.get(address >> 32n);
        state.error = block === undefined ? "" : new TextDecoder("utf-8", { fatal: true }).decode(block);
      },
    };
  }

  #put(bytes: Uint8Array): bigint {
    const tag = this.#next++;
    this.#blocks.set(tag, bytes);
    return tag << 32n;
  }

  #call(name: string, handle: bigint): bigint {
    const request = packr.unpack(this.#blocks.get(handle >> 32n) as Uint8Array) as Record<string, unknown>;
    this.calls.push({ name, request });
    if (this.rawAnswer !== null) return this.#put(this.rawAnswer);
    try {
      return this.#put(Uint8Array.from(packr.pack({ ok: (this.capabilities[name] as Capability)(request) })));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#put(Uint8Array.from(packr.pack({ error: { code: error.code, message: error.message } })));
    }
  }

  #defaults(): Record<string, Capability> {
    const find = (path: unknown): Uint8Array => {
      const bytes = this.files.get(path as string);
      if (bytes === undefined) throw new Refusal("EXO_FS_NOT_FOUND", "There is no such file.");
      return bytes;
    };
    return {
      ...this.#keyValues(),
      http_request: () => {
        throw new Refusal("EXO_HTTP_UNREACHABLE", "There is no server.");
      },
      clock_now: () => ({ ms: 1_790_000_000_123 }),
      random_bytes: ({ length }) => ({ bytes: new Uint8Array(length as number).fill(9) }),
      log: () => ({}),
      fs_read: ({ path, offset = 0, length = Number.POSITIVE_INFINITY }) => {
        const bytes = find(path);
        return { bytes: bytes.slice(offset as number, (offset as number) + (length as number)), size: bytes.length };
      },
      fs_write: ({ path, bytes, mode }) => {
        if (mode === "create" && this.files.has(path as string)) throw new Refusal("EXO_FS_KIND", "The file exists.");
        this.files.set(path as string, Uint8Array.from(bytes as Uint8Array));
        return { size: (bytes as Uint8Array).length };
      },
      fs_list: ({ path }) => {
        const under = [...this.files].filter(([name]) => name.startsWith(`${path as string}/`));
        const entries = under.map(([name, bytes]) => ({
          name: name.slice((path as string).length + 1),
          type: "file",
          size: bytes.length,
        }));
        return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)) };
      },
      fs_stat: ({ path }) => ({ type: "file", size: find(path).length }),
      fs_remove: ({ path }) => {
        find(path);
        this.files.delete(path as string);
        return {};
      },
      fs_append: ({ path, bytes }) => {
        const before = this.files.get(path as string) ?? new Uint8Array();
        const after = Uint8Array.from([...before, ...(bytes as Uint8Array)]);
        this.files.set(path as string, after);
        return { size: after.length };
      },
      fs_mkdir: ({ path }) => {
        if (this.directories.has(path as string)) throw new Refusal("EXO_FS_EXISTS", "The name is taken.");
        this.directories.add(path as string);
        return {};
      },
      fs_rename: ({ path, to, mode }) => {
        const bytes = find(path);
        if (mode === "create" && this.files.has(to as string)) throw new Refusal("EXO_FS_EXISTS", "The name is taken.");
        this.files.delete(path as string);
        this.files.set(to as string, bytes);
        return {};
      },
    };
  }

  #keyValues(): Record<string, Capability> {
    const versionOf = (key: unknown): number => this.pairs.get(key as string)?.version ?? 0;
    return {
      kv_get: ({ key }) => {
        const { value, version } = this.pairs.get(key as string) ?? { value: new Uint8Array(), version: 0 };
        return { found: version > 0, value, version };
      },
      kv_put: ({ key, value, expect }) => {
        const version = versionOf(key);
        if (expect !== undefined && expect !== version) return { done: false, version };
        this.pairs.set(key as string, { value: Uint8Array.from(value as Uint8Array), version: version + 1 });
        return { done: true, version: version + 1 };
      },
      kv_delete: ({ key, expect }) => {
        const version = versionOf(key);
        if (expect !== undefined && expect !== version) return { done: false, version };
        this.pairs.delete(key as string);
        return { done: true, version };
      },
      kv_list: ({ prefix, after = "", limit = 100 }) => {
        const all = [...this.pairs]
          .filter(([key]) => key.startsWith(prefix as string) && key > (after as string))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        const entries = all.slice(0, limit as number).map(([key, { value, version }]) => ({
          key,
          version,
          size: value.length,
        }));
        return { entries, more: all.length > entries.length };
      },
    };
  }
}
