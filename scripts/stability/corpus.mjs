/** The cases of the corpus: what runs, with which input, limits and answers, and how it must end. */
import { encodeAbi } from "../../dist/canonical/msgpack.js";
import { programs, vectors } from "./programs.mjs";
import { assemble, repositoryFile, shapesOf, simdAdmitted } from "./shapes.mjs";

const text = (content) => new TextEncoder().encode(content);
const json = (value) => text(JSON.stringify(value));

/** Answers that depend on the call alone, as a recording's do. */
const answers = {
  clock_now: ({ seq }) => ({ ok: { ms: 1_790_000_000_123 + seq } }),
  random_bytes: ({ seq }) => ({
    ok: { bytes: Uint8Array.from({ length: 32 }, (_, at) => (at * 37 + seq * 11) % 256) },
  }),
  log: () => ({ ok: {} }),
  fs_read: () => ({ ok: { bytes: text(table), size: table.length } }),
  fs_write: () => ({ error: { code: "EXO_FS_KIND", message: "The file exists." } }),
  fs_list: () => ({
    ok: {
      entries: [
        { name: "a.txt", type: "file", size: 3 },
        { name: "é", type: "directory", size: 0 },
      ],
    },
  }),
  fs_stat: () => ({ ok: { type: "file", size: table.length } }),
  fs_remove: () => ({ ok: {} }),
  fs_append: () => ({ ok: { size: 7 } }),
  fs_mkdir: () => ({ error: { code: "EXO_FS_EXISTS", message: "The name is taken." } }),
  fs_rename: () => ({ ok: {} }),
  http_request: () => ({
    ok: {
      status: 200,
      headers: { "content-type": "application/json" },
      body: json({ list: [0.1, 1e21, -5e-324, "é"] }),
    },
  }),
  kv_get: () => ({ ok: { found: true, value: json({ n: 0.30000000000000004 }), version: 3 } }),
  kv_put: ({ seq }) => ({ ok: { done: true, version: 4 + seq } }),
  kv_delete: () => ({ ok: { done: false, version: 4 } }),
  kv_list: () => ({ ok: { entries: [{ key: "a/é", version: 3, size: 9 }], more: true } }),
};

/** Numbers whose sum depends on the order of addition, and cells that are none. */
const table = [
  "id,amount",
  ...Array.from(
    { length: 400 },
    (_, row) => `${row},${row % 13 === 0 ? "" : `${(row * 7919) % 1000}.${row % 100}e${(row % 7) - 3}`}`,
  ),
].join("\n");

const rows = Array.from({ length: 60 }, (_, row) => ({ n: ((row * 7919) % 101) / 7 }));

/** Answers one call with a document of the msgpack profile. */
export function answerOf(call) {
  return encodeAbi(answers[call.capability](call));
}

const completed = { expect: "completed" };
const ends = (expect, more = {}) => ({ expect, ...more });

/** Cases of one module: `[function, input or case fields]`. */
function casesOf(name, wasm, rows, capabilities = []) {
  return rows.map(([name_, more]) => ({
    name: `${name} ${name_}`,
    wasm,
    function: name_,
    input: new Uint8Array(0),
    limits: {},
    capabilities: [...capabilities, "log"],
    ...more,
  }));
}

function shipped() {
  const at = (parameters, more = completed) => ({ input: json(parameters), ...more });
  const of = (name, rows) => {
    const { capabilities = [] } = JSON.parse(new TextDecoder().decode(repositoryFile(`plugins/${name}.json`)));
    const module = repositoryFile(`plugins/${name}.wasm`);
    return casesOf(
      name,
      module,
      rows,
      capabilities.map((capability) => capability.name),
    );
  };
  return [
    ...of("table-stats", [["stats", at({ path: "data/t.csv" }, { ...completed, repeat: 6, needed: true })]]),
    ...of("fs", [
      ["read", at({ path: "data/t.csv" })],
      ["write", at({ path: "data/n", text: "é" }, ends("guest_error"))],
      ["append", at({ path: "data/n", text: "é" })],
      ["list", at({ path: "data" })],
      ["stat", at({ path: "data/n" })],
      ["mkdir", at({ path: "data/m" }, ends("guest_error"))],
      ["rename", at({ path: "data/n", to: "data/m" })],
      ["remove", at({ path: "data/n" })],
      ["read", at({ path: 7 }, ends("guest_error", { name: "fs with a bad path" }))],
    ]),
    ...of("http", [["get", at({ url: "https://a.example/v1" })]]),
    ...of("kv", [
      ["get", at({ key: "a" })],
      ["put", at({ key: "a", json: { n: 0.1 }, expect: 3 })],
      ["delete", at({ key: "a", expect: 3 })],
      ["list", at({ prefix: "a/" })],
    ]),
    ...of("json-transform", [
      ["transform", at({ expression: "sort_by(rows[?n > `1`], &n)[].{n: n, s: to_string(n)}", input: { rows } })],
    ]),
    ...of("text-diff", [["diff", at({ before: table, after: table.replaceAll("3", "three") })]]),
    ...of("checksum", [["checksum", at({ path: "data/t.csv" })]]),
    ...of("spin", [["spin", ends("out_of_fuel")]]),
  ];
}

function fixtures() {
  const of = (name, rows, capabilities) =>
    casesOf(name, repositoryFile(`test/fixtures/${name}.wasm`), rows, capabilities);
  return [
    ...of("echo", [["echo", { input: json({ a: [1, "é".repeat(500)] }), ...completed, repeat: 3 }]]),
    ...of("nan", [["nan", { ...completed, repeat: 3 }]]),
    ...of("clock", [["now", completed]], ["clock_now"]),
    ...of("guest-error", [["refuse", ends("guest_error")]]),
    ...of("loop", [["spin", ends("out_of_fuel")]]),
    ...of("many-calls", [["calls", { input: text("40"), ...completed, needed: true }]]),
    ...of("recurse", [
      ["recurse", ends("stack_overflow")],
      ["descend", { input: text("300"), ...completed, needed: true }],
    ]),
    ...of("big-output", [
      ["output", { limits: { fuel: 100_000_000 }, ...ends("out_of_memory") }],
      ["blocks", { input: text("99999999"), ...ends("out_of_memory") }],
    ]),
    ...of("memory-bomb", [
      ["grow", ends("out_of_memory")],
      ["touch", { ...completed }],
    ]),
    ...of("start-loop", [["run", ends("out_of_fuel")]]),
    ...of("trap", [
      ["trap", ends("trapped")],
      ["divide", ends("trapped")],
      ["bounds", ends("trapped")],
    ]),
  ];
}

function written() {
  const of = (name, rows, capabilities) => casesOf(name, assemble(programs[name]), rows, capabilities);
  const trapped = ends("trapped");
  return [
    ...of("floats", [["run", { ...completed, repeat: 3, limits: { fuel: 100_000_000 } }]]),
    ...of("orbits", [["run", { ...completed, repeat: 2, limits: { fuel: 100_000_000 } }]]),
    ...of("hot", [
      ["run", { ...completed, limits: { fuel: 1_000_000_000 } }],
      ["short", { ...completed, repeat: 40 }],
    ]),
    ...of("memory", [
      ["grow", completed],
      ["bulk", { ...completed, repeat: 2 }],
      ["widths", completed],
      ["dropped", trapped],
      ["past", trapped],
      ["edge", trapped],
      ["hungry", ends("out_of_memory")],
    ]),
    ...of("tables", [
      ["run", completed],
      ["null", trapped],
      ["type", trapped],
      ["beyond", trapped],
      ["set", trapped],
    ]),
    ...of("control", [["run", { ...completed, repeat: 3, needed: true }]]),
    ...of("recursion", [["run", { ...completed, repeat: 3, needed: true }]]),
    ...of(
      "traps",
      ["unreachable", "divide", "remainder", "overflow", "truncate", "large", "load", "wrapped"].map((name) => [
        name,
        trapped,
      ]),
    ),
    ...of(
      "host",
      [
        ["run", { ...completed, repeat: 2 }],
        ["flood", ends("host_call_limit")],
        ["refuse", ends("guest_error")],
        ["outside", trapped],
        ["spill", ends("output_limit")],
        ["hoard", ends("out_of_memory")],
        ["code", ends("guest_error")],
      ],
      ["clock_now", "random_bytes"],
    ),
    ...of("wasi", [["_start", ends("guest_error")]], ["clock_now", "random_bytes"]),
    ...of("started", [["run", completed]]),
    ...of("endless start", [["run", ends("out_of_fuel")]]),
    ...of("segment outside", [["run", trapped]]),
    ...(simdAdmitted
      ? casesOf("vectors", assemble(vectors), [["run", { ...completed, repeat: 3, limits: { fuel: 1_000_000_000 } }]])
      : []),
  ];
}

/** Two guests that run out of fuel in many places, and complete at last. */
function sweeps() {
  const limits = [0, 1, 2, 3, 5, 10, 20, 50, 99, 100, 101, 500, 1000, 5000, 20_000, 100_000, 1_000_000];
  return ["recursion", "host"].flatMap((name) => {
    const [run] = casesOf(name, assemble(programs[name]), [["run", {}]], ["clock_now", "random_bytes"]);
    return limits.map((fuel) => ({ ...run, name: `${name} with fuel ${fuel}`, limits: { fuel } }));
  });
}

/** Frames against the native stack, at the greatest stack a manifest may ask for. */
function attacks() {
  const limits = { fuel: 1_000_000_000_000, stackBytes: 262_144 };
  return shapesOf(true).map(({ name, source, warm }) => ({
    name,
    wasm: assemble(source),
    function: "run",
    input: new Uint8Array(0),
    limits,
    capabilities: [],
    warm,
    ...ends("stack_overflow"),
  }));
}

/**
 * Every case: `{name, wasm, function, input, limits, capabilities, expect}` and, where asked for, `repeat` (how many
 * runs, all alike), `warm` (the export that is run first, until the optimizing compiler has taken over) and `needed`
 * (find the least stack that suffices). `quick` leaves out the guests that need a warm-up and most of the other attacks.
 */
export function corpusOf(quick) {
  const all = [...shipped(), ...fixtures(), ...written(), ...sweeps()];
  const hostile = attacks();
  return quick ? [...all, ...hostile.filter(({ warm }, index) => !warm && index % 4 === 0)] : [...all, ...hostile];
}
