import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareGuests, guestFolder, guests, readGuest } from "../../scripts/bench/guests.mjs";
import { sealModule } from "../../src/wasm/seal.js";
import { engine } from "../plugins/engine.js";

const plenty = 10n ** 15n;

type Exports = Record<string, { value: bigint | number } & (() => unknown)>;

/** Runs a fresh instance of an original or a sealed module; gives the result and the fuel it took. */
function run(bytes: Uint8Array): { result: unknown; fuel: bigint } {
  const exports = new engine.Instance(new engine.Module(bytes), {}).exports as Exports;
  const { "exo:fuel": fuel, "exo:stack": stack, run: main } = exports;
  if (main === undefined) throw new Error("no run");
  if (fuel === undefined || stack === undefined) return { result: main(), fuel: 0n };
  fuel.value = plenty;
  stack.value = 32_768;
  exports["exo:start"]?.();
  return { result: main(), fuel: plenty - (fuel.value as bigint) };
}

describe("the bench guests", () => {
  test("there are enough of every kind", () => {
    const scalar = guests.filter(({ simd }) => !simd);
    expect(scalar.length).toBeGreaterThanOrEqual(12);
    expect(new Set(scalar.map(({ language }) => language))).toEqual(new Set(["c", "rust", "as"]));
    for (const kind of ["integer", "float", "memory", "recursive", "indirect calls", "switch", "strings", "objects"]) {
      expect(scalar.some((guest) => guest.kind.startsWith(kind))).toBe(true);
    }
    expect(guests.filter(({ simd }) => simd).length).toBeGreaterThanOrEqual(3);
  });

  test.each(guests)("$name is admitted, and metered gives the same result", ({ name }) => {
    const bytes = readGuest(name);
    expect(bytes.length).toBeLessThan(100_000);
    const sealed = sealModule(bytes, { capabilities: [], memoryPages: 1024, tableElements: 10_000 });
    if (!sealed.ok) throw new Error(sealed.error.message);
    const original = run(bytes);
    const metered = run(sealed.value.bytes);
    expect(metered.result).toBe(original.result);
    expect(metered.fuel).toBeGreaterThan(1_000_000n);
  });
});

describe("the comparison of the bench guests", () => {
  let folder = "";
  let copy = guestFolder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bench-"));
    cpSync(guestFolder, folder, { recursive: true });
    copy = pathToFileURL(`${folder}/`);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const none = new Map<string, Buffer>();

  test("finds nothing in the repository", () => {
    expect(compareGuests(none)).toEqual([]);
    expect(compareGuests(new Map([["fib", readGuest("fib")]]), copy)).toEqual([]);
  });

  test("notices a module with one bit flipped", () => {
    const bytes = readFileSync(join(folder, "lz.wasm"));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    writeFileSync(join(folder, "lz.wasm"), bytes);
    expect(compareGuests(none, copy)).toEqual(["lz.wasm: differs from digests.json"]);
  });

  test("notices a module that is missing and one that nobody knows", () => {
    cpSync(join(folder, "fib.wasm"), join(folder, "fibs.wasm"));
    rmSync(join(folder, "fib.wasm"));
    expect(compareGuests(none, copy)).toEqual(["fib.wasm: missing", "fibs.wasm: no guest"]);
  });

  test("notices a source that was changed, and a header with all that include it", () => {
    appendFileSync(join(folder, "src/json.rs"), "\n");
    expect(compareGuests(none, copy)).toEqual(["json: the source was changed since it was built"]);
    appendFileSync(join(folder, "src/guest.h"), "\n");
    const changed = guests.filter(({ name, language }) => language === "c" || name === "json");
    expect(compareGuests(none, copy)).toHaveLength(changed.length);
  });

  test("notices a build that gives other bytes", () => {
    expect(compareGuests(new Map([["fib", readGuest("lz")]]))).toEqual(["fib.wasm: differs from a fresh build"]);
  });

  test("notices a digest of no guest", () => {
    const digests: unknown = JSON.parse(readFileSync(join(folder, "digests.json"), "utf8"));
    writeFileSync(join(folder, "digests.json"), JSON.stringify({ ...(digests as object), other: {} }));
    expect(compareGuests(none, copy)).toEqual(["other: in digests.json, but no guest"]);
  });
});
