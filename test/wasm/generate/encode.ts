import { Bytes } from "./bytes.js";
import { encodeBody } from "./encode-code.js";
import { codeOf } from "./instructions.js";
import {
  type Constant,
  type DataTree,
  type ElementTree,
  type ExportTree,
  type FuncType,
  type FunctionTree,
  type ModuleTree,
  memoryCap,
  type Node,
  typeByte,
} from "./tree.js";

/** Bytes of a module, and the instructions whose executions its exported globals `count:NAME` count. */
export type Encoded = { readonly bytes: Uint8Array; readonly counted: readonly string[] };

/** Prefix of the counters' export names. */
export const counterPrefix = "count:";

/** The module as a guest is given: no help for the test in it. */
export function encodePlain(tree: ModuleTree): Uint8Array {
  return encode(tree, false).bytes;
}

/**
 * The same program as its own oracle: every new NaN is made canonical on the spot, executed instructions are counted,
 * the memory is exported and has the maximum it would be sealed with.
 */
export function encodeReference(tree: ModuleTree): Encoded {
  return encode(tree, true);
}

/** Indices of function types; each is written twice when the module has twins, and both are used. */
class TypeSection {
  readonly list: FuncType[] = [];
  readonly #known = new Map<string, number>();
  readonly #twins: boolean;
  #uses = 0;

  constructor(twins: boolean) {
    this.#twins = twins;
  }

  indexOf(type: FuncType): number {
    const key = `${type.params.join(",")}>${type.results.join(",")}`;
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.list.length;
      this.#known.set(key, index);
      this.list.push(type);
      if (this.#twins) {
        this.list.push(type);
      }
    }
    this.#uses += 1;
    return this.#twins && this.#uses % 3 === 0 ? index + 1 : index;
  }
}

function encode(tree: ModuleTree, reference: boolean): Encoded {
  const types = new TypeSection(tree.style.twins);
  const counted: string[] = [];
  const counters = new Map<string, number>();
  const counter = (name: string): number => {
    let index = counters.get(name);
    if (index === undefined) {
      index = tree.globals.length + counted.length;
      counters.set(name, index);
      counted.push(name);
    }
    return index;
  };
  const typeIndex = (type: FuncType): number => types.indexOf(type);
  const importTypes = tree.imports.map(({ type }) => typeIndex(type));
  const functionTypes = tree.functions.map(({ type }) => typeIndex(type));
  const bodies = tree.functions.map((entry) =>
    body(entry, { typeIndex, padded: tree.style.padded, counter: reference ? counter : null }),
  );
  const out = new Bytes();
  out.raw(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const sections = new Sections(out, tree.style.custom && !reference);
  sections.list(1, types.list, writeType);
  sections.list(2, tree.imports, (into, { module, name }, index) => {
    into.name(module);
    into.name(name);
    into.raw(0);
    into.u32(importTypes[index] as number);
  });
  sections.list(3, functionTypes, (into, type) => into.u32(type));
  sections.list(4, tree.tables, (into, { type, initial, maximum }) => {
    into.raw(typeByte(type));
    writeLimits(into, initial, maximum);
  });
  sections.list(5, tree.memory === null ? [] : [tree.memory], (into, { initial, maximum }) => {
    writeLimits(into, initial, reference ? Math.min(maximum ?? memoryCap, memoryCap) : maximum);
  });
  writeGlobals(sections, tree, counted);
  sections.list(7, [...tree.exports, ...extraExports(tree, reference, counted)], writeExport);
  if (tree.start !== null) {
    const start = new Bytes();
    start.u32(tree.start);
    sections.write(8, start);
  }
  sections.list(9, [...tree.elements, ...declarations(tree)], writeElement);
  if (tree.style.dataCount || mentions(tree, ["memory.init", "data.drop"])) {
    const count = new Bytes();
    count.u32(tree.data.length);
    sections.write(12, count);
  }
  sections.list(10, bodies, (into, content) => into.sized(content));
  sections.list(11, tree.data, writeData);
  return { bytes: Uint8Array.from(out.out), counted };
}

class Sections {
  readonly #out: Bytes;
  readonly #custom: boolean;

  constructor(out: Bytes, custom: boolean) {
    this.#out = out;
    this.#custom = custom;
  }

  write(id: number, content: Bytes): void {
    if (this.#custom) {
      const custom = new Bytes();
      custom.name(`note-${id}`);
      custom.append(content.out.slice(0, 40));
      this.#out.raw(0);
      this.#out.sized(custom);
    }
    this.#out.raw(id);
    this.#out.sized(content);
  }

  list<Item>(id: number, items: readonly Item[], write: (into: Bytes, item: Item, index: number) => void): void {
    if (items.length > 0) {
      const content = new Bytes();
      content.u32(items.length);
      items.forEach((item, index) => {
        write(content, item, index);
      });
      this.write(id, content);
    }
  }
}

function writeGlobals(sections: Sections, tree: ModuleTree, counted: readonly string[]): void {
  const zero: Constant = {
    kind: "plain",
    name: "i64.const",
    immediates: [{ kind: "i64", value: 0n }],
    before: { stack: [], dead: false },
  };
  const counters = counted.map(() => ({ type: "i64", mutable: true, init: zero }) as const);
  sections.list(6, [...tree.globals, ...counters], (into, { type, mutable, init }) => {
    into.raw(typeByte(type), mutable ? 1 : 0);
    writeConstant(into, init);
  });
}

function extraExports(tree: ModuleTree, reference: boolean, counted: readonly string[]): ExportTree[] {
  const extra: ExportTree[] = counted.map((name, index) => ({
    name: `${counterPrefix}${name}`,
    kind: "global",
    index: tree.globals.length + index,
  }));
  if (reference && tree.memory !== null && !tree.exports.some(({ name }) => name === "memory")) {
    extra.push({ name: "memory", kind: "memory", index: 0 });
  }
  return extra;
}

function body(tree: FunctionTree, context: Parameters<typeof encodeBody>[2]): Bytes {
  const content = new Bytes();
  encodeBody(content, tree, context);
  return content;
}

function writeType(into: Bytes, { params, results }: FuncType): void {
  into.raw(0x60);
  into.u32(params.length);
  into.raw(...params.map(typeByte));
  into.u32(results.length);
  into.raw(...results.map(typeByte));
}

function writeLimits(into: Bytes, initial: number, maximum: number | null): void {
  into.raw(maximum === null ? 0 : 1);
  into.u32(initial);
  if (maximum !== null) {
    into.u32(maximum);
  }
}

function writeConstant(into: Bytes, { name, immediates }: Constant): void {
  into.append(codeOf(name));
  for (const immediate of immediates) {
    if (immediate.kind === "bytes") {
      into.append(immediate.value);
    } else if (immediate.kind === "index") {
      into.u32(immediate.value);
    } else if (immediate.kind !== "type") {
      into.signed(BigInt(immediate.value));
    }
  }
  into.raw(0x0b);
}

const exportKinds = { function: 0, table: 1, memory: 2, global: 3 } as const;

function writeExport(into: Bytes, { name, kind, index }: ExportTree): void {
  into.name(name);
  into.raw(exportKinds[kind]);
  into.u32(index);
}

function writeElement(into: Bytes, { kind, type, table, offset, items }: ElementTree): void {
  into.u32(kind);
  const active = (kind & 1) === 0;
  const expressions = (kind & 4) !== 0;
  if (active) {
    if ((kind & 2) !== 0) {
      into.u32(table);
    }
    into.raw(0x41);
    into.signed(BigInt(offset));
    into.raw(0x0b);
  }
  if (!active || (kind & 2) !== 0) {
    into.raw(expressions ? typeByte(type) : 0);
  }
  into.u32(items.length);
  for (const item of items) {
    if (!expressions) {
      into.u32(item ?? 0);
    } else if (item === null) {
      into.raw(0xd0, typeByte(type), 0x0b);
    } else {
      into.raw(0xd2);
      into.u32(item);
      into.raw(0x0b);
    }
  }
}

function writeData(into: Bytes, { offset, explicit, bytes }: DataTree): void {
  into.u32(offset === null ? 1 : explicit ? 2 : 0);
  if (offset !== null) {
    if (explicit) {
      into.u32(0);
    }
    into.raw(0x41);
    into.signed(BigInt(offset));
    into.raw(0x0b);
  }
  into.u32(bytes.length);
  into.append(bytes);
}

/** Calls `visit` for every instruction of a sequence. */
export function walk(nodes: readonly Node[], visit: (node: Node) => void): void {
  for (const node of nodes) {
    visit(node);
    if (node.kind === "block") {
      walk(node.body, visit);
      walk(node.otherwise ?? [], visit);
    }
  }
}

function mentions(tree: ModuleTree, names: readonly string[]): boolean {
  let found = false;
  for (const { body: nodes } of tree.functions) {
    walk(nodes, ({ name }) => {
      found ||= names.includes(name);
    });
  }
  return found;
}

/** A declarative segment of the functions that ref.func names. */
function declarations(tree: ModuleTree): ElementTree[] {
  const items = new Set<number>();
  for (const { body: nodes } of tree.functions) {
    walk(nodes, (node) => {
      const immediate = node.name === "ref.func" && node.kind === "plain" ? node.immediates[0] : undefined;
      if (immediate?.kind === "index") {
        items.add(immediate.value);
      }
    });
  }
  return items.size === 0 ? [] : [{ kind: 3, type: "funcref", table: 0, offset: 0, items: [...items] }];
}
