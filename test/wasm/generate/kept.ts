import { Bytes } from "./bytes.js";
import type { Call, ModuleTree } from "./tree.js";

// The sources have no type library for WebAssembly.
declare const WebAssembly: {
  Module: {
    new (bytes: Uint8Array): object;
    customSections(module: object, name: string): ArrayBuffer[];
  };
};

/** Name of the custom section that holds a kept module's calls, as JSON; an i64 is `{"i64": "..."}`. */
const sectionName = "generated-calls";

/** A module with its calls in a custom section at its end. */
export function withCalls(plain: Uint8Array, tree: ModuleTree): Uint8Array {
  const content = new Bytes();
  content.name(sectionName);
  const tag = (value: unknown): unknown => (typeof value === "bigint" ? { i64: String(value) } : value);
  content.append(
    new TextEncoder().encode(JSON.stringify({ exact: tree.exact, calls: tree.calls.map((call) => call.map(tag)) })),
  );
  const out = new Bytes();
  out.append(plain);
  out.raw(0);
  out.sized(content);
  return Uint8Array.from(out.out);
}

/** The calls of a kept module; null when it has none, as damaged modules do. */
export function keptCalls(bytes: Uint8Array): { calls: Call[]; exact: boolean } | null {
  let sections: ArrayBuffer[];
  try {
    sections = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), sectionName);
  } catch {
    return null;
  }
  const [content] = sections;
  if (content === undefined) {
    return null;
  }
  const kept = JSON.parse(new TextDecoder().decode(content)) as { exact: boolean; calls: unknown[][] };
  const untag = (value: unknown): unknown =>
    typeof value === "object" && value !== null && "i64" in value ? BigInt(String(value.i64)) : value;
  return { exact: kept.exact, calls: kept.calls.map((call) => call.map(untag) as unknown as Call) };
}
