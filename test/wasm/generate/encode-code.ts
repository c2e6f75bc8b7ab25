import type { Bytes } from "./bytes.js";
import { codeOf, plainOp } from "./instructions.js";
import { type FuncType, type FunctionTree, type Immediate, type Node, type Types, typeByte } from "./tree.js";

/** What the bodies of one module share while they are written. */
export type CodeContext = {
  readonly typeIndex: (type: FuncType) => number;
  /** Write indices longer than they must be, now and then. */
  readonly padded: boolean;
  /** Index of the global that counts how often an instruction is executed; null in the plain encoding. */
  readonly counter: ((name: string) => number) | null;
};

const scratch = { f32: 0, f64: 1, f32x4: 2, f64x2: 2 } as const;
const simdMention = /^(?:v128|[if]\d+x\d+)\./;

/** Writes one body, locals included. In the reference encoding it counts itself and makes every new NaN canonical. */
export function encodeBody(out: Bytes, tree: FunctionTree, context: CodeContext): void {
  new BodyEncoder(out, tree, context).encode();
}

class BodyEncoder {
  readonly #out: Bytes;
  readonly #tree: FunctionTree;
  readonly #context: CodeContext;
  readonly #counter: CodeContext["counter"];
  readonly #firstScratch: number;
  #indices = 0;

  constructor(out: Bytes, tree: FunctionTree, context: CodeContext) {
    this.#out = out;
    this.#tree = tree;
    this.#context = context;
    this.#counter = tree.helper ? null : context.counter;
    this.#firstScratch = tree.type.params.length + tree.locals.length;
  }

  encode(): void {
    const simd = mentionsSimd(this.#tree.body);
    const extra: Types = this.#counter === null ? [] : simd ? ["f32", "f64", "v128"] : ["f32", "f64"];
    encodeLocals(this.#out, [...this.#tree.locals, ...extra]);
    this.#sequence(this.#tree.body);
    this.#out.raw(0x0b);
  }

  #sequence(nodes: readonly Node[]): void {
    for (const node of nodes) {
      this.#count(node.name);
      this.#out.append(codeOf(node.name));
      if (node.kind === "plain") {
        for (const immediate of node.immediates) {
          this.#immediate(immediate);
        }
        this.#canonicalize(node.name);
        continue;
      }
      this.#blockType(node.type);
      this.#sequence(node.body);
      if (node.otherwise !== null) {
        this.#out.raw(0x05);
        this.#count("else");
        this.#sequence(node.otherwise);
      }
      this.#out.raw(0x0b);
      this.#count("end");
    }
  }

  #count(name: string): void {
    if (this.#counter !== null) {
      const global = this.#counter(name);
      const out = this.#out;
      out.raw(0x23);
      out.u32(global);
      out.raw(0x42, 1, 0x7c, 0x24);
      out.u32(global);
    }
  }

  #blockType(type: FuncType): void {
    if (type.params.length === 0 && type.results.length === 0) {
      this.#out.raw(0x40);
    } else if (type.params.length === 0 && type.results.length === 1) {
      this.#out.raw(typeByte(type.results[0] as Types[number]));
    } else {
      this.#out.signed(BigInt(this.#context.typeIndex(type)));
    }
  }

  #immediate(immediate: Immediate): void {
    const out = this.#out;
    switch (immediate.kind) {
      case "index":
        this.#indices += 1;
        out.u32(immediate.value, this.#context.padded ? 1 + (this.#indices % 5) : 1);
        return;
      case "i32":
        out.signed(BigInt(immediate.value | 0));
        return;
      case "i64":
        out.signed(BigInt.asIntN(64, immediate.value));
        return;
      case "bytes":
        out.append(immediate.value);
        return;
      case "type":
        out.u32(this.#context.typeIndex(immediate.value));
    }
  }

  /** After an instruction that may make a NaN: whatever NaN it made becomes the canonical one. */
  #canonicalize(name: string): void {
    const shape = plainOp(name)?.nan ?? null;
    if (shape === null || this.#counter === null) {
      return;
    }
    const out = this.#out;
    const local = this.#firstScratch + scratch[shape];
    const f32 = [0, 0, 0xc0, 0x7f];
    const f64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];
    const constant = {
      f32: [0x43, ...f32],
      f64: [0x44, ...f64],
      f32x4: [0xfd, 12, ...f32, ...f32, ...f32, ...f32],
      f64x2: [0xfd, 12, ...f64, ...f64],
    }[shape];
    const choice = {
      f32: [0x5b, 0x1b],
      f64: [0x61, 0x1b],
      f32x4: [0xfd, 0x41, 0xfd, 0x52],
      f64x2: [0xfd, 0x47, 0xfd, 0x52],
    };
    out.raw(0x22);
    out.u32(local);
    out.append(constant);
    out.raw(0x20);
    out.u32(local);
    out.raw(0x20);
    out.u32(local);
    out.append(choice[shape]);
  }
}

function mentionsSimd(nodes: readonly Node[]): boolean {
  return nodes.some(
    (node) =>
      simdMention.test(node.name) ||
      (node.kind === "block" && (mentionsSimd(node.body) || mentionsSimd(node.otherwise ?? []))),
  );
}

function encodeLocals(out: Bytes, locals: Types): void {
  const groups: { type: Types[number]; count: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last?.type === type) {
      last.count += 1;
    } else {
      groups.push({ type, count: 1 });
    }
  }
  out.u32(groups.length);
  for (const { type, count } of groups) {
    out.u32(count);
    out.raw(typeByte(type));
  }
}
