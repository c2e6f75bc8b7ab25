import { expect, test } from "vitest";
import { assemble, isValid, runOriginal, runSealed, seal } from "./support.js";

type Next = (below: number) => number;

function generator(seed: number): Next {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A random program of two functions over i32 locals, one memory and one f64 global; every loop is bounded. */
class Program {
  readonly #next: Next;
  #labels: ("value" | "void" | "loop")[] = [];

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#next(items.length)] as T;
  }

  /** An i32 expression. */
  #value(depth: number): string {
    if (depth <= 0) {
      return this.#one([`(i32.const ${this.#next(40) - 20})`, `(local.get ${this.#next(3)})`]);
    }
    const sub = () => this.#value(depth - 1 - this.#next(2));
    return this.#one([
      () => `(i32.${this.#one(["add", "sub", "mul", "and", "xor", "div_s", "lt_s", "rotl"])} ${sub()} ${sub()})`,
      () => `(i32.load8_u (i32.and (i32.const 0xfff) ${sub()}))`,
      () => `(local.tee ${this.#next(3)} ${sub()})`,
      () => `(select ${sub()} ${sub()} ${sub()})`,
      () => this.#block("value", depth),
      () => `(if (result i32) ${sub()} (then ${this.#body(depth - 1)} ${sub()}) (else ${sub()}))`,
      () => `(call $g ${sub()} ${sub()})`,
      () => `(call_indirect (param i32 i32) (result i32) ${sub()} ${sub()} (i32.and (i32.const 1) ${sub()}))`,
      () => `(i32.trunc_sat_f64_s (f64.div (f64.convert_i32_s ${sub()}) (f64.convert_i32_s ${sub()})))`,
      () => `(f64.lt (f64.sqrt (f64.convert_i32_s ${sub()})) (global.get $x))`,
      () => `(memory.grow (i32.and (i32.const 1) ${sub()}))`,
      () => `(unreachable)`,
    ])();
  }

  #block(kind: "value" | "void", depth: number): string {
    this.#labels.push(kind);
    const text =
      kind === "value"
        ? `(block (result i32) ${this.#body(depth - 1)} ${this.#value(depth - 1)})`
        : `(block ${this.#body(depth - 1)})`;
    this.#labels.pop();
    return text;
  }

  #loop(depth: number): string {
    this.#labels.push("loop");
    const bound = `(global.set $n (i32.add (global.get $n) (i32.const 1))) (if (i32.gt_s (global.get $n) (i32.const 300)) (then (return (i32.const -5))))`;
    const text = `(loop ${bound} ${this.#body(depth - 1)} (br_if 0 ${this.#value(depth - 2)}))`;
    this.#labels.pop();
    return text;
  }

  /** A branch to any label; what follows an unconditional one is dead. */
  #branch(depth: number): string {
    const index = this.#next(this.#labels.length + 1);
    const kind = index === this.#labels.length ? "value" : this.#labels[this.#labels.length - 1 - index];
    const value = kind === "value" ? this.#value(depth - 1) : "";
    const same = this.#labels
      .map((_, at) => at)
      .filter((at) => (this.#labels[this.#labels.length - 1 - at] === "value") === (kind === "value"));
    return this.#one([
      () => `(br ${index} ${value})`,
      () =>
        kind === "value"
          ? `(drop (br_if ${index} ${value} ${this.#value(depth - 1)}))`
          : `(br_if ${index} ${this.#value(depth - 1)})`,
      () => `(br_table ${[...same, index].join(" ")} ${index} ${value} ${this.#value(depth - 1)})`,
      () => `(return ${this.#value(depth - 1)})`,
    ])();
  }

  /** Statements. */
  #body(depth: number): string {
    if (depth <= 0) {
      return this.#one(["", "(nop)", `(local.set ${this.#next(3)} ${this.#value(1)})`]);
    }
    return Array.from({ length: this.#next(4) }, () =>
      this.#one([
        () => `(local.set ${this.#next(3)} ${this.#value(depth)})`,
        () => `(i32.store8 (i32.and (i32.const 0xfff) ${this.#value(depth - 1)}) ${this.#value(depth - 1)})`,
        () => `(drop ${this.#value(depth)})`,
        () => this.#block("void", depth),
        () => this.#loop(depth),
        () => `(if ${this.#value(depth - 1)} (then ${this.#inside("void", depth)}))`,
        () =>
          `(if ${this.#value(depth - 1)} (then ${this.#inside("void", depth)}) (else ${this.#inside("void", depth)}))`,
        () => this.#branch(depth),
        () =>
          `(global.set $x (f64.sub (f64.mul (global.get $x) (f64.const 1.5)) (f64.convert_i32_s ${this.#value(1)})))`,
        () =>
          `(memory.fill (i32.and (i32.const 0xff) ${this.#value(1)}) ${this.#value(1)} (i32.and (i32.const 0x7f) ${this.#value(1)}))`,
      ])(),
    ).join(" ");
  }

  #inside(kind: "value" | "void", depth: number): string {
    this.#labels.push(kind);
    const text = this.#body(depth - 1);
    this.#labels.pop();
    return text;
  }

  source(): string {
    const f = `${this.#body(4)} ${this.#value(3)}`;
    const g = `${this.#body(2)} (i32.add (local.get 0) (local.get 1))`
      .replaceAll("$g", "$h")
      .replaceAll("call_indirect", "call_indirect $u");
    return `(module (memory (export "memory") 1 3) (table 2 funcref) (table $u 2 funcref) (elem (i32.const 0) func $g $h) (elem (table $u) (i32.const 0) func $h $h)
      (global $n (mut i32) (i32.const 0)) (global $x (mut f64) (f64.const 2))
      (func $h (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
      (func $g (param i32 i32) (result i32) (local i32) ${g})
      (func (export "f") (param i32 i32) (result i32) (local i32) ${f}))`;
  }
}

test("600 random programs: same results, same memory, same traps", () => {
  let ran = 0;
  let trapped = 0;
  for (let seed = 1; seed <= 600; seed += 1) {
    const source = new Program(seed).source();
    const bytes = assemble(source);
    if (!isValid(bytes)) {
      // A value after a dead branch may have the wrong height for validation; such programs are rare and skipped.
      continue;
    }
    const calls = [
      ["f", 0, 1],
      ["f", 7, -3],
      ["f", -1000, 12],
    ] as const;
    const sealed = seal(bytes, { memoryPages: 8 });
    const before = runOriginal(bytes, calls);
    const after = runSealed(sealed, calls, 1_000_000_000n);
    expect({ seed, results: after.results, memory: after.memory }).toEqual({
      seed,
      results: before.results,
      memory: before.memory,
    });
    expect(runSealed(sealed, calls, 1_000_000_000n)).toEqual(after);
    const ends = after.results.some((result) => result.startsWith("trap"));
    expect(ends || after.stack === 32_768).toBe(true);
    trapped += Number(ends);
    ran += 1;
  }
  expect(ran).toBeGreaterThan(500);
  expect(trapped).toBeGreaterThan(20);
  expect(trapped).toBeLessThan(ran - 100);
});
