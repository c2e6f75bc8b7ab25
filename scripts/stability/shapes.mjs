/** The shapes of frames that attack the native stack, and their sealed modules. */
import { readFileSync } from "node:fs";
import wabtFactory from "wabt";
import { sealModule } from "../../dist/wasm/seal.js";
import { frames, inlinedFrames, nameOf } from "./frames.mjs";

// A compilation under way does not keep Node 24 and later from ending, and wabt is WebAssembly itself.
const alive = setInterval(() => {}, 1000);
const wabt = await wabtFactory().finally(() => clearInterval(alive));

/** Assembles WAT with every feature that admission may let through. */
export function assemble(source) {
  const module = wabt.parseWat("corpus.wat", source, { simd: true, multi_value: true, bulk_memory: true });
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** The bytes of a file of the repository. */
export function repositoryFile(path) {
  return new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
}

/** True when this build admits 128-bit SIMD. */
export const simdAdmitted = sealModule(assemble('(module (func (export "run") (drop (v128.const i64x2 1 2))))'), {
  capabilities: [],
  memoryPages: 1,
  tableElements: 1,
}).ok;

const types = ["i64", "i32", "f64", ...(simdAdmitted ? ["v128"] : [])];
const ways = ["self", "mutual", "ring", "indirect", "table", "between"];

/** Counts of locals, parameters, operands and results: each alone at its sizes, then together. */
const counts = [
  [0, 0, 0, 0],
  [1, 1, 0, 1],
  [100, 0, 0, 1],
  [1000, 0, 0, 1],
  [0, 10, 0, 1],
  [0, 500, 0, 1],
  [0, 1000, 0, 1],
  [0, 0, 100, 1],
  [0, 0, 1000, 1],
  [0, 0, 0, 10],
  [0, 0, 0, 1000],
  [10, 10, 10, 10],
  [100, 500, 100, 1],
  [1000, 10, 100, 1],
  [1000, 1000, 1000, 1],
  [1000, 1000, 1000, 1000],
];

/** Operands of several widths, one after the other: compilers give each width slots of its own. */
const phased = [100, 1000].map((operands) => {
  const [type, ...phases] = ["i32", "i64", "f32", ...(simdAdmitted ? ["v128"] : [])];
  return { through: "self", type, locals: 0, params: 0, operands, results: 1, phases };
});

/** Small chains to inline, and how long the function is that they go into: the worst for V8 13.6 and 14.6 were sought. */
const inlined = [
  { operands: 50, chain: 25, pad: 3000 },
  { operands: 40, chain: 25, pad: 3000 },
];

/**
 * Every shape as `{name, source, warm}`; `warm` shapes are dangerous only when the optimizing compiler has seen them
 * run (V8 13 and later, which inline). `few` gives about a fifth, with every way, type and count among them.
 */
export function shapesOf(few) {
  const all = [];
  for (const [w, through] of ways.entries()) {
    for (const [t, type] of types.entries()) {
      for (const [c, [locals, params, operands, results]] of counts.entries()) {
        // Diagonals: every pair of way and type, and of type and count, comes up.
        if (few && (w + t + c) % 5 !== 0) continue;
        // An optimizing compiler takes seconds over many functions of so many values.
        if (few && ["ring", "table"].includes(through) && locals + params + operands >= 500) continue;
        const plain = { through, type, locals, params, operands, results };
        const more = [{}, { loop: true }, { host: true }, { chain: 3 }][(w + 2 * t + c) % 4];
        all.push({ ...plain, ...(few ? more : {}) });
        if (!few && Object.keys(more).length > 0) all.push({ ...plain, ...more });
      }
    }
  }
  const recursions = [...all, ...phased].map((shape) => ({ name: nameOf(shape), source: frames(shape), warm: false }));
  const wide = types.filter((type) => type === "i64" || type === "v128");
  const hidden = wide.flatMap((type) => inlined.map((sizes) => ({ type, ...sizes })));
  return [
    ...recursions,
    ...hidden.map((shape) => ({
      name: `inlined ${shape.type}: ${shape.chain} functions of ${shape.operands} operands into ${shape.pad} instructions`,
      source: inlinedFrames(shape),
      warm: true,
    })),
  ];
}
