import { opcodes } from "../../../src/wasm/decode/opcodes.js";
import { otherCodes, type PlainOp, scalarOps } from "./scalar-ops.js";
import { simdOps } from "./simd-ops.js";
import type { ValueType } from "./tree.js";

const admitted: ReadonlySet<string> = new Set(opcodes.map(({ name }) => name));

/** Instructions with fixed types that are admitted today. */
export const plainOps: readonly PlainOp[] = [...scalarOps, ...simdOps].filter(({ name }) => admitted.has(name));

/** Is 128-bit SIMD admitted? */
const simdAdmitted = admitted.has("v128.const");

/** Names of every admitted instruction. */
export const admittedNames: readonly string[] = opcodes.map(({ name }) => name);

/** Admitted instructions this generator does not know: there must be none. */
export const unknownNames: readonly string[] = admittedNames.filter(
  (name) => otherCodes[name] === undefined && !plainOps.some((op) => op.name === name),
);

const byName: ReadonlyMap<string, PlainOp> = new Map([...scalarOps, ...simdOps].map((op) => [op.name, op]));

/** An instruction with fixed types by its name. */
export function plainOp(name: string): PlainOp | undefined {
  return byName.get(name);
}

/** The bytes of an instruction's opcode. */
export function codeOf(name: string): readonly number[] {
  const code = otherCodes[name] ?? byName.get(name)?.code;
  if (code === undefined) {
    throw new TypeError(`no instruction ${name}`);
  }
  return code;
}

/** Value types a generated module may use. */
export const usableTypes: readonly ValueType[] = simdAdmitted
  ? ["i32", "i64", "f32", "f64", "v128", "funcref", "externref"]
  : ["i32", "i64", "f32", "f64", "funcref", "externref"];
