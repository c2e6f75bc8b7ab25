import { capabilityNames, importTable } from "../../../src/contracts/imports.js";
import { makeBody } from "./body.js";
import type { Callee, Env } from "./env.js";
import { plainOps, usableTypes } from "./instructions.js";
import { anyConstant, anyI32, anyI64, zeroConstant } from "./pools.js";
import { type Random, randomOf } from "./random.js";
import type { PlainOp } from "./scalar-ops.js";
import { at } from "./scope.js";
import { observer, stateDigest } from "./state-digest.js";
import {
  type Call,
  type DataTree,
  digestExport,
  type ElementTree,
  type ExportTree,
  type FuncType,
  type FunctionTree,
  type ImportTree,
  type ModuleTree,
  memoryCap,
  stepsExport,
  stepsGiven,
  type TableTree,
  type ValueType,
} from "./tree.js";

/** Every capability, so that every row of the import table can be imported. */
export const generatedCapabilities: readonly string[] = capabilityNames;

const callable: readonly ValueType[] = ["i32", "i64", "f32", "f64", "externref"];

/** What a module is mostly made of. */
type Profile = { readonly types: readonly ValueType[]; readonly ops: readonly PlainOp[]; readonly exact: boolean };

const isFloatOp = ({ params, results }: PlainOp): boolean =>
  [...params, ...results].some((type) => type === "f32" || type === "f64");
const isSimd = ({ name }: PlainOp): boolean => /\d+x\d+|v128/.test(name);
const makesNan = ({ nan }: PlainOp): boolean => nan !== null;
const scalarTypes = usableTypes.filter((type) => type !== "v128");
const scalarArithmetic = plainOps.filter((op) => makesNan(op) && !isSimd(op));
const scalarFloats = plainOps.filter((op) => isFloatOp(op) && !isSimd(op));
const vectors = plainOps.filter((op) => isSimd(op) || isFloatOp(op));

const profiles: readonly (readonly [weight: number, profile: Profile])[] = [
  [20, { types: usableTypes, ops: plainOps, exact: false }],
  [20, { types: usableTypes, ops: plainOps.filter((op) => !makesNan(op)), exact: true }],
  [15, { types: scalarTypes, ops: plainOps.filter((op) => !isSimd(op)), exact: false }],
  // Almost nothing but floats: NaNs arise often and reach calls, globals and memory before they are lost.
  [
    35,
    { types: ["f32", "f64", "f32", "f64", "f64", "i32"], ops: [...scalarFloats, ...scalarArithmetic], exact: false },
  ],
  [usableTypes.includes("v128") ? 15 : 0, { types: ["v128", "v128", ...usableTypes], ops: vectors, exact: false }],
];

/** The module of a seed. */
export function makeModule(seed: string): ModuleTree {
  const random = randomOf(seed);
  const profile = random.weighted(profiles);
  const anyTypes = (most: number): ValueType[] =>
    Array.from({ length: random.next(most + 1) }, () => random.one(profile.types));
  const hasMemory = random.chance(0.93);
  const imports = makeImports(random);
  const functions: Callee[] = [
    ...imports.map(({ type }) => ({ type, kind: "import" }) as const),
    ...Array.from(
      { length: random.next(4) },
      () => ({ type: { params: anyTypes(3), results: anyTypes(2) }, kind: "leaf" }) as const,
    ),
  ];
  const firstGeneral = functions.length;
  const generals = 2 + random.next(5);
  for (let index = 0; index < generals; index += 1) {
    functions.push({ type: generalType(random, index, anyTypes), kind: "general" });
  }
  const lengthArgs = lengthArguments(imports);
  const referable = [...functions.keys()].filter((index) => !lengthArgs.has(index));
  const tables = makeTables(random);
  const elements = makeElements(random, tables, referable);
  const globals = makeGlobals(random, profile.types, referable);
  const data = hasMemory ? makeData(random) : [];
  const memory = hasMemory ? makeMemory(random) : null;
  const env: Env = {
    random,
    types: profile.types,
    ops: hasMemory ? profile.ops : profile.ops.filter(({ form }) => !form.startsWith("memarg")),
    imports,
    lengthArgs,
    referable,
    functions,
    tables,
    slots: slotsOf(tables, elements),
    memory,
    globals,
    elements,
    dataSegments: data.length,
    daring: random.one([0, 0.5, 1, 1.5]),
    flowing: profile.exact ? 1 : random.one([1, 1, 4]),
    branchy: random.one([0.4, 1, 1, 2]),
  };
  const bodies = functions.flatMap(({ kind }, index) => (kind === "import" ? [] : [makeBody(env, index)]));
  const observers = makeObservers(random, functions, functions.map((_, index) => index).slice(imports.length));
  const digest = functions.length;
  const general = functions.map((_, index) => index).slice(firstGeneral);
  const start = general.find((index) => sizeOf(functions[index]?.type) === 0) ?? null;
  const exports: ExportTree[] = [
    { name: stepsExport, kind: "global", index: 0 },
    { name: digestExport, kind: "function", index: digest },
    ...(memory !== null && random.chance(0.75) ? [{ name: "memory", kind: "memory", index: 0 } as const] : []),
    ...general.map((index) => ({ name: `f${index}`, kind: "function", index }) as const),
    ...observers.map((_, index) => ({ name: `w${index}`, kind: "function", index: digest + 1 + index }) as const),
    ...oddExports(random, functions.length, globals.length, tables.length),
  ];
  return {
    seed,
    imports,
    functions: [...bodies, stateDigest(globals, tables, memory !== null), ...observers],
    tables,
    memory,
    globals,
    exports,
    start: start !== null && random.chance(0.3) ? start : null,
    elements,
    data,
    style: {
      padded: random.chance(0.2),
      twins: random.chance(0.25),
      dataCount: random.chance(0.3),
      custom: random.chance(0.2),
    },
    calls: makeCalls(random, general, functions, observers.length),
    exact: profile.exact,
  };
}

function sizeOf(type: FuncType | undefined): number {
  return type === undefined ? -1 : type.params.length + type.results.length;
}

/** The first two can be called from outside; the third is a possible start function. */
function generalType(random: Random, index: number, anyTypes: (most: number) => ValueType[]): FuncType {
  if (index === 2 && random.chance(0.4)) {
    return { params: [], results: [] };
  }
  const most = random.chance(0.05) ? 12 : 4;
  const type = { params: anyTypes(most), results: anyTypes(3) };
  const outside = (types: readonly ValueType[]): ValueType[] => types.filter((entry) => callable.includes(entry));
  return index < 2 ? { params: outside(type.params), results: outside(type.results) } : type;
}

function makeImports(random: Random): ImportTree[] {
  const count = random.one([0, 1, 2, 4, 6]);
  return Array.from({ length: count }, () => {
    const { module, name, params, results } = random.one(importTable);
    return { module, name, type: { params: [...params], results: [...results] } };
  });
}

function lengthArguments(imports: readonly ImportTree[]): Map<number, number> {
  const found = new Map<number, number>();
  imports.forEach(({ module, name }, index) => {
    const row = importTable.find((entry) => entry.module === module && entry.name === name);
    if (row?.lengthArg !== undefined) {
      found.set(index, row.lengthArg);
    }
  });
  return found;
}

function makeTables(random: Random): TableTree[] {
  return Array.from({ length: random.one([0, 1, 2, 2, 3, 4]) }, (_, index) => {
    const initial = 8 + random.next(9);
    return {
      type: index === 0 || random.chance(0.5) ? ("funcref" as const) : ("externref" as const),
      initial,
      maximum: random.one([null, initial, initial + random.next(100)]),
    };
  });
}

/** Segments of all eight kinds; the active ones fill the lower slots of their tables. */
function makeElements(random: Random, tables: readonly TableTree[], functions: readonly number[]): ElementTree[] {
  const made: ElementTree[] = [];
  tables.forEach(({ type }, table) => {
    const implied = table === 0 && type === "funcref";
    const kinds = type === "externref" ? ([6] as const) : implied ? ([0, 2, 4, 6] as const) : ([2, 6] as const);
    for (const offset of [0, random.one([2, 4, 7])]) {
      const kind = random.one(kinds);
      made.push({ kind, type, table, offset, items: someItems(random, type, kind, functions) });
    }
  });
  for (let count = random.next(4); count > 0; count -= 1) {
    const kind = random.one([1, 3, 5, 7] as const);
    const type = kind >= 5 && random.chance(0.3) ? "externref" : "funcref";
    made.push({ kind, type, table: 0, offset: 0, items: someItems(random, type, kind, functions) });
  }
  const last = made.at(-1);
  if (last !== undefined && (last.kind & 1) === 0 && random.chance(0.02)) {
    made.push({ ...last, offset: random.one([20, -1, 0x7fff_ffff]) });
  }
  return made;
}

function someItems(random: Random, type: string, kind: number, functions: readonly number[]): (number | null)[] {
  return Array.from({ length: random.next(6) }, () =>
    type === "externref" || (kind >= 4 && random.chance(0.2)) ? null : random.one(functions),
  );
}

function slotsOf(tables: readonly TableTree[], elements: readonly ElementTree[]): (number | undefined)[][] {
  const slots = tables.map(({ initial }) => new Array<number | undefined>(initial).fill(undefined));
  for (const { kind, table, offset, items } of elements) {
    if ((kind & 1) === 0 && offset >= 0 && offset < 20) {
      items.forEach((item, index) => {
        const into = slots[table];
        if (into !== undefined && offset + index < into.length) {
          into[offset + index] = item ?? undefined;
        }
      });
    }
  }
  return slots;
}

function makeGlobals(random: Random, types: readonly ValueType[], functions: readonly number[]): ModuleTree["globals"] {
  const before = { stack: [], dead: false };
  const steps = { kind: "i32", value: stepsGiven } as const;
  return [
    { type: "i32", mutable: true, init: { kind: "plain", name: "i32.const", immediates: [steps], before } },
    ...Array.from({ length: 2 + random.next(9) }, () => {
      const type = random.chance(0.15) ? "i64" : random.one(types);
      const [name, immediates] =
        type === "funcref" && random.chance(0.6)
          ? (["ref.func", [at(random.one(functions))]] as const)
          : random.chance(0.8)
            ? anyConstant(random, type)
            : zeroConstant(type);
      return { type, mutable: random.chance(0.8), init: { kind: "plain", name, immediates, before } } as const;
    }),
  ];
}

function makeData(random: Random): DataTree[] {
  return Array.from({ length: random.next(4) }, () => ({
    offset: random.chance(0.4) ? null : dataOffset(random),
    explicit: random.chance(0.3),
    bytes: Array.from({ length: random.next(80) }, () => random.next(256)),
  }));
}

function dataOffset(random: Random): number {
  return random.chance(0.01) ? random.one([65_536 * memoryCap, -1]) : random.next(200);
}

function makeMemory(random: Random): { initial: number; maximum: number | null } {
  const initial = 1 + random.next(2);
  return { initial, maximum: random.one([null, initial, memoryCap, 65_536]) };
}

/** Exports that nobody calls: imports, immutable globals, tables; names that are not plain ASCII. */
function oddExports(random: Random, functions: number, globals: number, tables: number): ExportTree[] {
  const made: ExportTree[] = [];
  const names = ["", "\u{1f980}", "exo", "é\u0000", "Exo:fuel", "constructor", "__proto__"];
  for (let count = random.next(4); count > 0; count -= 1) {
    const name = names.splice(random.next(names.length), 1)[0] as string;
    const kind = random.one(["function", "global", "table"] as const);
    const most = { function: functions, global: globals, table: tables }[kind];
    if (most > 0) {
      made.push({ name, kind, index: random.next(most) });
    }
  }
  return made;
}

/** Functions that call others with constants, NaNs among them, and show the bits of what comes back. */
function makeObservers(random: Random, functions: readonly Callee[], defined: readonly number[]): FunctionTree[] {
  return Array.from({ length: 4 }, () => {
    const callee = random.one(defined);
    return observer(random, callee, functions[callee]?.type as FuncType);
  });
}

function makeCalls(
  random: Random,
  general: readonly number[],
  functions: readonly Callee[],
  observers: number,
): Call[] {
  const possible = general.filter((index) => {
    const type = functions[index]?.type;
    return [...(type?.params ?? []), ...(type?.results ?? [])].every(
      (entry) => entry !== "v128" && entry !== "funcref",
    );
  });
  return Array.from({ length: 4 + random.next(4) }, () => {
    if (random.chance(0.6)) {
      return [`w${random.next(observers)}`] as Call;
    }
    const index = random.one(possible);
    return [`f${index}`, ...(functions[index]?.type.params ?? []).map((type) => argument(random, type))] as Call;
  });
}

function argument(random: Random, type: ValueType): number | bigint | string | null {
  switch (type) {
    case "i32":
      return anyI32(random);
    case "i64":
      return anyI64(random);
    case "f32":
    case "f64":
      return random.one([0, -0, 1, -1.5, 3e30, Number.POSITIVE_INFINITY, -1e-40]);
    default:
      return random.one([null, "stone", "paper"]);
  }
}
