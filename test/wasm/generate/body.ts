import type { Env } from "./env.js";
import { anyConstant } from "./pools.js";
import type { Random } from "./random.js";
import type { PlainOp } from "./scalar-ops.js";
import { at, bytes, type LoopBound, Scope } from "./scope.js";
import { type FuncType, type FunctionTree, type Immediate, sameTypes, type Types, type ValueType } from "./tree.js";

const references: readonly ValueType[] = ["funcref", "externref"];

/** A random body of function `index` (imports counted), valid by construction. */
export function makeBody(env: Env, index: number): FunctionTree {
  return new BodyMaker(env, index).make();
}

class BodyMaker {
  readonly #env: Env;
  readonly #random: Random;
  readonly #index: number;
  readonly #type: FuncType;
  readonly #leaf: boolean;
  readonly #scope: Scope;
  #counted = 0;
  /** Operands below this height are not to be used up: a value is being made on top of them. */
  #floor = 0;

  constructor(env: Env, index: number) {
    const callee = env.functions[index];
    if (callee === undefined) {
      throw new RangeError(`no function ${index}`);
    }
    this.#env = env;
    this.#random = env.random;
    this.#index = index;
    this.#type = callee.type;
    this.#leaf = callee.kind === "leaf";
    const locals = Array.from({ length: this.#random.next(env.flowing > 1 ? 4 : 9) }, () =>
      this.#random.one(env.types),
    );
    const large = this.#random.chance(0.02) ? 6 : 1;
    const budget = this.#leaf ? 12 + this.#random.next(40) : 60 + this.#random.next(260 * large);
    this.#scope = new Scope(callee.type, locals, budget);
  }

  make(): FunctionTree {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const body = scope.whole(() => {
      if (!this.#leaf) {
        scope.step();
        scope.leaveUnless(random.chance(0.1));
      }
      while (scope.budget > 0 && !scope.dead) {
        this.#statement(4);
      }
      this.#finish(this.#type.results);
    });
    return { type: this.#type, locals: scope.locals.slice(scope.params), body, helper: false };
  }

  /** Some statements; after an unconditional branch only a few dead ones. */
  #statements(depth: number): void {
    const scope = this.#scope;
    let left = 1 + this.#random.next(this.#env.flowing > 1 ? 9 : 5);
    while (left > 0 && scope.budget > 0) {
      left -= 1;
      this.#statement(depth);
      if (scope.dead) {
        left = Math.min(left, this.#random.next(3));
      }
    }
  }

  /** Brings the operands to exactly `results`. */
  #finish(results: Types): void {
    const scope = this.#scope;
    if (scope.dead) {
      if (scope.stack.length > results.length || !scope.offers(results) || this.#random.chance(0.3)) {
        while (scope.stack.length > 0) {
          this.#sink();
        }
        if (this.#random.chance(0.5)) {
          this.#values(results, 1);
        }
      }
      return;
    }
    while (!sameTypes(scope.stack, results.slice(0, scope.stack.length))) {
      this.#sink();
    }
    if (scope.stack.length < results.length) {
      this.#values(results.slice(scope.stack.length), 2);
    }
  }

  /** Takes the top operand away: into a local, a global, memory, or nowhere. */
  #sink(): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const type = scope.stack.at(-1) as ValueType;
    const local = this.#localOf(type, true);
    const global = this.#globalOf(type, true);
    const store = this.#storeOf(type);
    const way = random.next(4);
    if (way === 0 && local !== null) {
      scope.setLocal(local);
    } else if (way === 1 && global !== null) {
      scope.emit("global.set", [at(global)], [type], []);
    } else if (way === 2 && local !== null && store !== null) {
      scope.setLocal(local);
      this.#address(1);
      scope.getLocal(local);
      this.#emitOp(store);
    } else if (type === "v128" && random.chance(0.5)) {
      this.#emitOp(
        random.one(this.#env.ops.filter(({ params, results }) => sameTypes(params, ["v128"]) && results.length > 0)),
      );
      scope.emit("drop", [], [scope.stack.at(-1) as ValueType], []);
    } else {
      scope.emit("drop", [], [type], []);
    }
  }

  #localOf(type: ValueType, written: boolean): number | null {
    const { locals, reserved } = this.#scope;
    const found = [...locals.keys()].filter((index) => locals[index] === type && !(written && reserved.has(index)));
    return found.length === 0 ? null : this.#random.one(found);
  }

  #globalOf(type: ValueType, written: boolean): number | null {
    const globals = this.#env.globals;
    const found = [...globals.keys()].filter(
      (index) => index > 0 && globals[index]?.type === type && (!written || globals[index]?.mutable === true),
    );
    return found.length === 0 ? null : this.#random.one(found);
  }

  #storeOf(type: ValueType): PlainOp | null {
    const found = this.#env.ops.filter(({ params }) => sameTypes(params, ["i32", type]) && params.length === 2);
    const stores = found.filter(({ name, results }) => results.length === 0 && name.includes("store"));
    return stores.length === 0 ? null : this.#random.one(stores);
  }

  #values(types: Types, depth: number): void {
    for (const type of types) {
      this.#value(type, depth);
    }
  }

  /** Sees to it that these operands are on top: those that are there, or new ones. */
  #need(types: Types, depth: number): void {
    const { stack, dead } = this.#scope;
    const within = stack.length - types.length >= this.#floor || (dead && this.#floor === 0);
    if (!within || !this.#scope.offers(types) || this.#random.chance(0.35)) {
      this.#values(types, depth);
    }
  }

  #rarely(probability: number): boolean {
    return this.#random.chance(probability * this.#env.daring);
  }

  /** Pushes a value and leaves what is below it. */
  #value(type: ValueType, depth: number): void {
    const floor = this.#floor;
    this.#floor = this.#scope.stack.length;
    this.#makeValue(type, depth);
    this.#floor = floor;
  }

  #makeValue(type: ValueType, depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    if (depth <= 0 || scope.budget <= 0 || random.chance(0.25)) {
      this.#leafValue(type);
      return;
    }
    const branchy = env.branchy;
    random.weighted<() => void>([
      [references.includes(type) ? 0 : 60, () => this.#valueByOp(type, depth)],
      [12, () => this.#leafValue(type)],
      [6, () => this.#tee(type, depth)],
      [5 * branchy, () => this.#block("block", [type], depth - 1)],
      [3 * branchy, () => this.#block("loop", [type], depth - 1)],
      [5 * branchy, () => this.#block("if", [type], depth - 1)],
      [6, () => this.#callFor(type, depth)],
      [5 * env.flowing, () => this.#select(type, depth)],
      [references.includes(type) ? 8 : 0, () => this.#tableGet(type, depth)],
      [type === "i32" ? 4 : 0, () => this.#query(depth)],
    ])();
  }

  #leafValue(type: ValueType): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const local = this.#localOf(type, false);
    const global = this.#globalOf(type, false);
    if (local !== null && random.chance(0.55)) {
      scope.getLocal(local);
    } else if (global !== null && random.chance(0.4)) {
      scope.emit("global.get", [at(global)], [], [type]);
    } else if (type === "funcref" && random.chance(0.6)) {
      scope.emit("ref.func", [at(random.one(this.#env.referable))], [], [type]);
    } else {
      const [name, immediates] = anyConstant(random, type);
      scope.emit(name, immediates, [], [type]);
    }
  }

  #valueByOp(type: ValueType, depth: number): void {
    const found = this.#env.ops.filter(({ results }) => results[0] === type);
    if (found.length === 0) {
      this.#leafValue(type);
      return;
    }
    this.#op(this.#random.one(found), depth - 1);
  }

  #tee(type: ValueType, depth: number): void {
    this.#value(type, depth - 1);
    const local = this.#localOf(type, true);
    if (local !== null) {
      this.#scope.teeLocal(local);
    }
  }

  #select(type: ValueType, depth: number): void {
    this.#values([type, type, "i32"], depth - 1);
    const typed = references.includes(type) || this.#random.chance(0.4);
    const byte = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, funcref: 0x70, externref: 0x6f }[type];
    this.#scope.emit(typed ? "select_t" : "select", typed ? [bytes(1, byte)] : [], [type, type, "i32"], [type]);
  }

  /** memory.size, table.size, ref.is_null. */
  #query(depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    const way = random.next(3);
    if (way === 0 && env.memory !== null) {
      scope.emit("memory.size", [bytes(0)], [], ["i32"]);
    } else if (way === 1 && env.tables.length > 0) {
      scope.emit("table.size", [at(random.next(env.tables.length))], [], ["i32"]);
    } else {
      const type = random.one(references);
      this.#value(type, depth - 1);
      scope.emit("ref.is_null", [], [type], ["i32"]);
    }
  }

  /** An instruction with fixed types, its operands first. */
  #op(op: PlainOp, depth: number): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    if (op.guard === "address") {
      this.#address(depth);
      this.#values(op.params.slice(1), depth);
    } else if (op.guard === "trunc" && !this.#rarely(0.06)) {
      this.#value("i32", depth);
      scope.i32(random.one([1, 15, 127]));
      scope.i32Op("i32.and", 2);
      const type = op.params[0] as ValueType;
      scope.emit(`${type}.convert_i32_u`, [], ["i32"], [type]);
    } else {
      this.#need(op.params, depth);
      if (op.guard === "divisor" && !this.#rarely(0.05)) {
        const type = op.params[0] as "i32" | "i64";
        scope.emit(
          `${type}.const`,
          [type === "i32" ? { kind: "i32", value: 1 } : { kind: "i64", value: 1n }],
          [],
          [type],
        );
        scope.emit(`${type}.or`, [], [type, type], [type]);
      }
    }
    this.#emitOp(op);
  }

  #emitOp(op: PlainOp): void {
    this.#scope.emit(op.name, this.#immediates(op), op.params, op.results);
  }

  #immediates(op: PlainOp): Immediate[] {
    const random = this.#random;
    const lane = bytes(random.next(Math.max(1, op.lanes)));
    switch (op.form) {
      case "memarg":
        return this.#memoryArgument(op.width);
      case "memarg-lane":
        return [...this.#memoryArgument(op.width), lane];
      case "lane":
        return [lane];
      case "shuffle":
        return [bytes(...Array.from({ length: 16 }, () => random.next(op.lanes)))];
      default:
        return [];
    }
  }

  #memoryArgument(width: number): Immediate[] {
    const random = this.#random;
    const far = this.#rarely(0.008) ? random.one([0x1_0000, 0x7fff_ffff, 0xffff_ffff]) : random.next(0x8000);
    return [at(random.next(width + 1)), at(random.chance(0.8) ? random.next(32) : far)];
  }

  /** An i32 that is an address within the first page, mostly. */
  #address(depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    if (this.#rarely(0.012)) {
      scope.i32(65_536 * (env.memory?.initial ?? 0) - random.next(20));
      return;
    }
    this.#value("i32", depth - 1);
    if (!this.#rarely(0.006)) {
      scope.i32(random.one([0x38, 0x3f, 0xfff]));
      scope.i32Op("i32.and", 2);
    }
  }

  /** A small i32: below `limit`, a power of two. */
  #small(limit: number, depth: number): void {
    this.#value("i32", depth - 1);
    if (!this.#rarely(0.02)) {
      this.#scope.i32(limit - 1);
      this.#scope.i32Op("i32.and", 2);
    }
  }

  #statement(depth: number): void {
    const { random, env } = { random: this.#random, env: this.#env };
    const inner = depth > 0 ? env.branchy : 0;
    random.weighted<() => void>([
      [40, () => this.#op(random.one(env.ops), 2)],
      [12 * env.flowing, () => this.#write(2)],
      [this.#scope.stack.length > 3 ? 10 : 0, () => this.#sink()],
      [8 * inner, () => this.#block("block", this.#someTypes(), depth - 1)],
      [7 * inner, () => this.#block("loop", this.#someTypes(), depth - 1)],
      [9 * inner, () => this.#block("if", this.#someTypes(), depth - 1)],
      [7 * env.branchy, () => this.#branchIf(depth)],
      [depth < 4 ? 4 * env.branchy : 0, () => this.#leave(depth)],
      [6, () => this.#call(this.#chooseCallee(), depth)],
      [env.tables.length > 0 && !this.#leaf ? 5 : 0, () => this.#callIndirect(depth)],
      [env.memory === null ? 0 : 6, () => this.#bulk(depth)],
      [env.tables.length > 0 ? 6 : 0, () => this.#tableOp(depth)],
      [env.flowing > 1 ? 40 : 0, () => this.#shift(random.one(["f32", "f64"]))],
      [1, () => this.#scope.emit("nop", [], [], [])],
    ])();
  }

  #someTypes(): ValueType[] {
    return Array.from({ length: this.#random.one([0, 0, 0, 1, 1, 2, 3]) }, () => this.#random.one(this.#env.types));
  }

  /** Moves floats among the locals: a copy, a copy on a condition, new arithmetic, or bits that come to light. */
  #shift(type: "f32" | "f64"): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const [from, to] = [this.#localOf(type, true), this.#localOf(type, true)];
    const global = this.#globalOf("i64", true);
    if (from === null || to === null) {
      return;
    }
    const copy = (): void => {
      scope.getLocal(from);
      scope.setLocal(to);
    };
    random.weighted<() => void>([
      [2, copy],
      [
        3,
        () => {
          this.#value("i32", 1);
          scope.block("if", { params: [], results: [] }, { types: [], bound: null }, copy);
        },
      ],
      [
        2,
        () => {
          scope.getLocal(from);
          scope.emit(`${type}.${random.one(["sqrt", "floor", "nearest"])}`, [], [type], [type]);
          scope.setLocal(to);
        },
      ],
      [global === null ? 0 : 4, () => this.#accumulate(from, type, global ?? 0)],
    ])();
  }

  /** Mixes the bits of a local into a global, where nothing takes them away again. */
  #accumulate(local: number, type: "f32" | "f64", global: number): void {
    const scope = this.#scope;
    scope.emit("global.get", [at(global)], [], ["i64"]);
    scope.emit("i64.const", [{ kind: "i64", value: 0x100_0000_01b3n }], [], ["i64"]);
    scope.emit("i64.mul", [], ["i64", "i64"], ["i64"]);
    scope.getLocal(local);
    if (type === "f32") {
      scope.emit("i32.reinterpret_f32", [], ["f32"], ["i32"]);
      scope.emit("i64.extend_i32_u", [], ["i32"], ["i64"]);
    } else {
      scope.emit("i64.reinterpret_f64", [], ["f64"], ["i64"]);
    }
    scope.emit("i64.add", [], ["i64", "i64"], ["i64"]);
    scope.emit("global.set", [at(global)], ["i64"], []);
  }

  /** A new value into a local or a global. */
  #write(depth: number): void {
    const type = this.#random.one(this.#env.types);
    this.#value(type, depth);
    const local = this.#localOf(type, true);
    const global = this.#globalOf(type, true);
    if (local !== null && this.#random.chance(0.7)) {
      this.#scope.setLocal(local);
    } else if (global !== null) {
      this.#scope.emit("global.set", [at(global)], [type], []);
    }
  }

  /** Operands on top that a block may take as parameters. */
  #params(): ValueType[] {
    const { stack, dead } = this.#scope;
    return this.#random.chance(0.4) && !dead
      ? stack.slice(Math.max(this.#floor, stack.length - this.#random.next(3)))
      : [];
  }

  #block(name: "block" | "loop" | "if", results: ValueType[], depth: number): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const params = this.#params();
    const bound = name === "loop" ? this.#bound() : null;
    if (bound?.kind === "counted") {
      scope.i32(1 + random.next(5));
      scope.setLocal(bound.local);
      this.#counted += 1;
    }
    if (name === "if") {
      this.#value("i32", depth);
    }
    const alone = name === "if" && sameTypes(params, results) && random.chance(0.6);
    const inside = (): void => {
      this.#floor = 0;
      if (bound?.kind === "header") {
        scope.step();
        scope.leaveUnless(random.chance(0.1));
      }
      this.#statements(depth);
      if (bound !== null && !scope.dead && random.chance(0.75)) {
        this.#branchIfTo(0, 1);
      }
      this.#finish(results);
    };
    const label = { types: name === "loop" ? params : results, bound };
    const floor = this.#floor;
    scope.block(name, { params, results }, label, inside, name === "if" && !alone ? inside : null);
    this.#floor = floor;
    if (bound?.kind === "counted") {
      this.#counted -= 1;
    }
  }

  #bound(): LoopBound {
    const counted = this.#leaf || (this.#counted < 2 && this.#random.chance(0.4));
    if (counted) {
      return { kind: "counted", local: this.#scope.addCounter() };
    }
    return { kind: this.#random.chance(0.5) ? "header" : "edge" };
  }

  #branchIf(depth: number): void {
    this.#branchIfTo(this.#random.next(this.#scope.labels.length), depth);
  }

  #branchIfTo(depthOfLabel: number, depth: number): void {
    const scope = this.#scope;
    const { types, bound } = scope.label(depthOfLabel);
    this.#need(types, depth - 1);
    this.#value("i32", depth - 1);
    if (bound?.kind === "edge" || bound?.kind === "counted") {
      this.#mayPass(bound);
      scope.i32Op("i32.and", 2);
    }
    scope.emit("br_if", [at(depthOfLabel)], [...types, "i32"], types);
  }

  #mayPass(bound: LoopBound): void {
    if (bound.kind === "counted") {
      this.#scope.countDown(bound.local);
    } else {
      this.#scope.step();
    }
  }

  /** br, br_table, return or unreachable. */
  #leave(depth: number): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const target = random.next(scope.labels.length);
    random.weighted<() => void>([
      [4, () => this.#branch([target], null, depth)],
      [4, () => this.#branchTable(target, depth)],
      [2, () => this.#return(depth)],
      [1, () => scope.emit("unreachable", [], [], [])],
    ])();
    scope.die();
  }

  #return(depth: number): void {
    this.#need(this.#type.results, depth - 1);
    this.#scope.emit("return", [], this.#type.results, []);
  }

  #branchTable(target: number, depth: number): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const types = scope.label(target).types;
    const alike = [...scope.labels.keys()].filter((label) => sameTypes(scope.label(label).types, types));
    const targets = Array.from({ length: random.next(6) }, () => random.one(alike));
    this.#branch([...targets, target], "br_table", depth);
  }

  /** Branches for good; every loop that may be the target takes its step first. */
  #branch(targets: readonly number[], name: "br_table" | null, depth: number): void {
    const { scope, random } = { scope: this.#scope, random: this.#random };
    const types = scope.label(targets[0] as number).types;
    this.#need(types, depth - 1);
    for (const target of new Set(targets)) {
      const { bound } = scope.label(target);
      if (bound?.kind === "edge" || bound?.kind === "counted") {
        this.#mayPass(bound);
        scope.leaveUnless(random.chance(0.1));
      }
    }
    if (name === null) {
      scope.emit("br", [at(targets[0] as number)], types, []);
      return;
    }
    this.#small(8, depth);
    scope.emit("br_table", [at(targets.length - 1), ...targets.map(at)], [...types, "i32"], []);
  }

  #chooseCallee(): number | null {
    const { functions } = this.#env;
    const possible = [...functions.keys()].filter((index) =>
      this.#leaf ? functions[index]?.kind === "leaf" && index < this.#index : true,
    );
    return possible.length === 0 ? null : this.#random.one(possible);
  }

  /** A call that leaves a value of this type on top. */
  #callFor(type: ValueType, depth: number): void {
    const { functions } = this.#env;
    const possible = [...functions.keys()].filter(
      (index) =>
        functions[index]?.type.results[0] === type &&
        (!this.#leaf || (functions[index]?.kind === "leaf" && index < this.#index)),
    );
    if (possible.length === 0) {
      this.#leafValue(type);
      return;
    }
    const callee = this.#random.one(possible);
    this.#call(callee, depth);
    for (let extra = functions[callee]?.type.results.length ?? 0; extra > 1; extra -= 1) {
      this.#sink();
    }
  }

  #call(callee: number | null, depth: number): void {
    const entry = callee === null ? undefined : this.#env.functions[callee];
    if (callee === null || entry === undefined) {
      return;
    }
    const length = this.#env.lengthArgs.get(callee);
    if (length === undefined) {
      this.#need(entry.type.params, depth - 1);
    } else {
      this.#lengthArguments(entry.type.params, length);
    }
    this.#scope.emit("call", [at(callee)], entry.type.params, entry.type.results);
  }

  /** Arguments of an import that charges for a length: it stays below 64 Ki. */
  #lengthArguments(params: Types, length: number): void {
    params.forEach((type, index) => {
      this.#value(type, 1);
      if (index === length && (type === "i64" || type === "i32")) {
        const mask: Immediate = type === "i64" ? { kind: "i64", value: 0xffffn } : { kind: "i32", value: 0xffff };
        this.#scope.emit(`${type}.const`, [mask], [], [type]);
        this.#scope.emit(`${type}.and`, [], [type, type], [type]);
      }
    });
  }

  #tableOf(type: ValueType): number | null {
    const found = [...this.#env.tables.keys()].filter((table) => this.#env.tables[table]?.type === type);
    return found.length === 0 ? null : this.#random.one(found);
  }

  #callIndirect(depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    const table = this.#tableOf("funcref");
    const slots = table === null ? [] : (env.slots[table] ?? []);
    const filled = [...slots.keys()].filter((slot) => slots[slot] !== undefined);
    if (table === null || filled.length === 0) {
      return;
    }
    const slot = random.one(filled);
    const type = env.functions[slots[slot] as number]?.type as FuncType;
    this.#need(type.params, depth - 1);
    if (this.#rarely(0.06)) {
      this.#small(16, depth);
    } else {
      scope.i32(slot);
    }
    scope.emit("call_indirect", [{ kind: "type", value: type }, at(table)], [...type.params, "i32"], type.results);
  }

  #tableGet(type: ValueType, depth: number): void {
    const table = this.#tableOf(type);
    if (table === null) {
      this.#leafValue(type);
      return;
    }
    this.#small(8, depth);
    this.#scope.emit("table.get", [at(table)], ["i32"], [type]);
  }

  #tableOp(depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    const type = random.one(references);
    const table = this.#tableOf(type);
    if (table === null) {
      return;
    }
    const low = (): void => {
      // The upper half of a table changes, so that most indirect calls find what was there at first.
      this.#small(4, 1);
      scope.i32(random.chance(0.8) ? 4 : 0);
      scope.i32Op("i32.add", 2);
    };
    const segments = [...env.elements.keys()].filter((index) => env.elements[index]?.type === type);
    random.weighted<() => void>([
      [
        3,
        () => {
          low();
          this.#value(type, depth - 1);
          scope.emit("table.set", [at(table)], ["i32", type], []);
        },
      ],
      [
        2,
        () => {
          low();
          this.#value(type, 1);
          this.#small(4, 1);
          scope.emit("table.fill", [at(table)], ["i32", type, "i32"], []);
        },
      ],
      [
        2,
        () => {
          low();
          this.#small(4, 1);
          this.#small(4, 1);
          this.#three("table.copy", [at(table), at(this.#tableOf(type) as number)]);
        },
      ],
      [
        segments.length > 0 ? 3 : 0,
        () => {
          low();
          this.#small(2, 1);
          this.#small(2, 1);
          this.#three("table.init", [at(random.one(segments)), at(table)]);
        },
      ],
      [
        segments.length > 0 && this.#rarely(0.5) ? 1 : 0,
        () => scope.emit("elem.drop", [at(random.one(segments))], [], []),
      ],
      [
        1,
        () => {
          this.#tableGet(type, depth);
          this.#sink();
        },
      ],
    ])();
  }

  #three(name: string, immediates: readonly Immediate[]): void {
    this.#scope.emit(name, immediates, ["i32", "i32", "i32"], []);
  }

  #bulk(depth: number): void {
    const { scope, random, env } = { scope: this.#scope, random: this.#random, env: this.#env };
    const data = random.next(Math.max(1, env.dataSegments));
    random.weighted<() => void>([
      [
        3,
        () => {
          this.#address(depth);
          this.#value("i32", 1);
          this.#small(256, 1);
          this.#three("memory.fill", [bytes(0)]);
        },
      ],
      [
        3,
        () => {
          this.#address(depth);
          this.#address(1);
          this.#small(256, 1);
          this.#three("memory.copy", [bytes(0, 0)]);
        },
      ],
      [
        env.dataSegments > 0 ? 3 : 0,
        () => {
          this.#address(1);
          this.#small(4, 1);
          this.#small(4, 1);
          this.#three("memory.init", [at(data), bytes(0)]);
        },
      ],
      [env.dataSegments > 0 && this.#rarely(0.5) ? 1 : 0, () => scope.emit("data.drop", [at(data)], [], [])],
      [
        2,
        () => {
          scope.i32(random.one([0, 0, 1, 1, 2, 65_536, -1]));
          scope.emit("memory.grow", [bytes(0)], ["i32"], ["i32"]);
        },
      ],
    ])();
  }
}
