/** The guests that metering is measured on: what there is, and the committed modules of it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** The folder of the modules, their digests and (in src/) their sources. */
export const guestFolder = new URL("./guests/", import.meta.url);

/**
 * Every guest as [name, language, kind]. The source is guests/src/NAME.(c|rs|as), the module guests/NAME.wasm, built by
 * build-guests.mjs; each exports `run`, without parameters, which works some ten milliseconds and gives a checksum.
 */
const table = [
  ["sha256", "c", "integer, 32 bits"],
  ["blake2b", "c", "integer, 64 bits"],
  ["crc32", "c", "integer, dependent loads"],
  ["sieve", "c", "memory, short loops"],
  ["copy", "c", "memory, loops and bulk"],
  ["lz", "c", "memory, branches"],
  ["quicksort", "c", "recursive, compares"],
  ["fib", "c", "recursive, in a loop"],
  ["ackermann", "c", "recursive, deep"],
  ["queens", "c", "recursive, bits"],
  ["vtable", "c", "indirect calls"],
  ["bytecode", "c", "switch interpreter"],
  ["search", "c", "strings, matcher"],
  ["mandelbrot", "c", "float, registers"],
  ["nbody", "c", "float, stores"],
  ["matmul", "c", "float, f64 and f32"],
  ["fft", "c", "float, strides"],
  ["hashmap", "rust", "objects, hash map"],
  ["btree", "rust", "objects, ordered map"],
  ["sorting", "rust", "objects, closures"],
  ["traits", "rust", "indirect calls, float"],
  ["format", "rust", "strings, core::fmt"],
  ["json", "rust", "strings, tokenizer"],
  ["recursion", "as", "recursive, plain"],
  ["trees", "as", "objects, collected"],
  ["queue", "as", "objects, heap and grid"],
  ["shapes", "as", "indirect calls, interfaces"],
  ["words", "as", "strings, map"],
  ["floats", "as", "float, typed arrays"],
  ["simd-matmul", "c", "SIMD, f32x4"],
  ["simd-dot", "c", "SIMD, f64x2"],
  ["simd-nbody", "c", "SIMD, f64x2, division"],
  ["simd-checksum", "c", "SIMD, integer lanes"],
];

/** Every guest as {name, language, kind, simd}, in the order in which they are listed. */
export const guests = table.map(([name, language, kind]) => ({ name, language, kind, simd: kind.startsWith("SIMD") }));

/** By language: ending of sources, and what they include. */
const sources = { c: ["c", "guest.h"], rust: ["rs"], as: ["as"] };

/** What digests.json says: by name, the digests of module and source. */
export function readDigests(folder = guestFolder) {
  return JSON.parse(readFileSync(new URL("digests.json", folder), "utf8"));
}

/** The digest of some bytes as digests.json writes it. */
export function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The digest of a guest's source together with what it includes. */
export function sourceDigest({ name, language }, folder = guestFolder) {
  const [ending, ...shared] = sources[language];
  const files = [`${name}.${ending}`, ...shared].map((file) => readFileSync(new URL(`src/${file}`, folder)));
  return digestOf(Buffer.concat(files));
}

/** The bytes of a guest's module. Throws when they are not those that digests.json names. */
export function readGuest(name) {
  const bytes = readFileSync(new URL(`${name}.wasm`, guestFolder));
  if (digestOf(bytes) !== readDigests()[name]?.module) throw new Error(`${name}.wasm differs from digests.json`);
  return bytes;
}

/**
 * Every way, in words, in which a folder differs from its own digests.json and from freshly built modules, which are
 * given by name as far as there are any.
 */
export function compareGuests(modules, folder = guestFolder) {
  const problems = [];
  const digests = readDigests(folder);
  const files = new Set(readdirSync(folder).filter((file) => file.endsWith(".wasm")));
  for (const guest of guests) {
    const { name } = guest;
    const present = files.delete(`${name}.wasm`) ? readFileSync(new URL(`${name}.wasm`, folder)) : null;
    const { module, source } = digests[name] ?? {};
    if (present === null) problems.push(`${name}.wasm: missing`);
    else if (digestOf(present) !== module) problems.push(`${name}.wasm: differs from digests.json`);
    if (present !== null && modules.get(name)?.equals(present) === false) {
      problems.push(`${name}.wasm: differs from a fresh build`);
    }
    if (sourceDigest(guest, folder) !== source) problems.push(`${name}: the source was changed since it was built`);
    delete digests[name];
  }
  for (const name of Object.keys(digests)) problems.push(`${name}: in digests.json, but no guest`);
  for (const file of files) problems.push(`${file}: no guest`);
  return problems;
}
