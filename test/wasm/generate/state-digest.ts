import { anyConstant } from "./pools.js";
import type { Random } from "./random.js";
import { at, bytes, Scope } from "./scope.js";
import type { FuncType, FunctionTree, TableTree, ValueType } from "./tree.js";

/**
 * A function `() -> i64` that mixes everything a program can leave behind outside its memory: the bits of its globals,
 * sizes, and which table slots are null. It makes no NaN.
 */
export function stateDigest(
  globals: readonly { readonly type: ValueType }[],
  tables: readonly TableTree[],
  hasMemory: boolean,
): FunctionTree {
  const type = { params: [], results: ["i64"] } as const;
  const scope = new Scope(type, [], 0);
  const mix = (): void => {
    scope.emit("i64.xor", [], ["i64", "i64"], ["i64"]);
    scope.emit("i64.const", [{ kind: "i64", value: 0x100_0000_01b3n }], [], ["i64"]);
    scope.emit("i64.mul", [], ["i64", "i64"], ["i64"]);
  };
  const mixI32 = (): void => {
    scope.emit("i64.extend_i32_u", [], ["i32"], ["i64"]);
    mix();
  };
  const body = scope.whole(() => {
    scope.emit("i64.const", [{ kind: "i64", value: 0x4bf2_9ce4_8422_2325n }], [], ["i64"]);
    globals.forEach((global, index) => {
      // Global 0 counts steps; the host sets it.
      if (index > 0) {
        const halves = global.type === "v128" ? [0, 1] : [0];
        for (const half of halves) {
          scope.emit("global.get", [at(index)], [], [global.type]);
          showBits(scope, global.type, half);
          mix();
        }
      }
    });
    tables.forEach(({ type: element, initial }, table) => {
      scope.emit("table.size", [at(table)], [], ["i32"]);
      mixI32();
      for (let slot = 0; slot < initial; slot += 1) {
        scope.i32(slot);
        scope.emit("table.get", [at(table)], ["i32"], [element]);
        scope.emit("ref.is_null", [], [element], ["i32"]);
        mixI32();
      }
    });
    if (hasMemory) {
      scope.emit("memory.size", [bytes(0)], [], ["i32"]);
      mixI32();
    }
  });
  return { type, locals: [], body, helper: true };
}

/** The bits of the value on top, or of one half of it, as an i64. */
function showBits(scope: Scope, type: ValueType, half: number): void {
  switch (type) {
    case "i32":
      scope.emit("i64.extend_i32_u", [], ["i32"], ["i64"]);
      return;
    case "i64":
      return;
    case "f32":
      scope.emit("i32.reinterpret_f32", [], ["f32"], ["i32"]);
      scope.emit("i64.extend_i32_u", [], ["i32"], ["i64"]);
      return;
    case "f64":
      scope.emit("i64.reinterpret_f64", [], ["f64"], ["i64"]);
      return;
    case "v128":
      scope.emit("i64x2.extract_lane", [bytes(half)], ["v128"], ["i64"]);
      return;
    default:
      scope.emit("ref.is_null", [], [type], ["i32"]);
      scope.emit("i64.extend_i32_u", [], ["i32"], ["i64"]);
  }
}

/** A function `() -> (i64 ...)` that calls another with constants and returns the bits of its results. */
export function observer(random: Random, callee: number, type: FuncType): FunctionTree {
  const results = type.results.flatMap((result): ValueType[] => (result === "v128" ? ["i64", "i64"] : ["i64"]));
  const scope = new Scope({ params: [], results }, type.results, 0);
  const body = scope.whole(() => {
    for (const param of type.params) {
      const [name, immediates] = anyConstant(random, param);
      scope.emit(name, immediates, [], [param]);
    }
    scope.emit("call", [at(callee)], type.params, type.results);
    for (let index = type.results.length - 1; index >= 0; index -= 1) {
      scope.setLocal(index);
    }
    type.results.forEach((result, index) => {
      for (const half of result === "v128" ? [0, 1] : [0]) {
        scope.getLocal(index);
        showBits(scope, result, half);
      }
    });
  });
  return { type: { params: [], results }, locals: type.results, body, helper: true };
}
