import { Bytes } from "./bytes.js";

/**
 * Valid modules built to take long or much memory; `size` is about how many bytes they have. `most` is the size beyond
 * which the shape meets a structural limit.
 */
export type Hostile = { readonly name: string; readonly build: (size: number) => Uint8Array; readonly most?: number };

type Section = readonly [id: number, content: Bytes];

function module(sections: readonly Section[]): Uint8Array {
  const size = sections.reduce((sum, [, { out }]) => sum + out.length + 6, 8);
  const bytes = new Uint8Array(size);
  bytes.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  let at = 8;
  for (const [id, content] of sections) {
    const head = new Bytes();
    head.raw(id);
    head.u32(content.out.length);
    bytes.set(head.out, at);
    bytes.set(content.out, at + head.out.length);
    at += head.out.length + content.out.length;
  }
  return bytes.subarray(0, at);
}

function section(id: number, write: (out: Bytes) => void): Section {
  const out = new Bytes();
  write(out);
  return [id, out];
}

/** `count` functions of type 0 with the body that `write` gives (locals and `end` included). */
function functions(
  count: number,
  type: readonly number[],
  write: (out: Bytes, index: number) => void,
  before: readonly Section[] = [],
): Uint8Array {
  return module([
    section(1, (out) => out.raw(1, 0x60, ...type)),
    section(3, (out) => {
      out.u32(count);
      for (let index = 0; index < count; index += 1) {
        out.raw(0);
      }
    }),
    ...before,
    section(10, (out) => {
      out.u32(count);
      for (let index = 0; index < count; index += 1) {
        const body = new Bytes();
        write(body, index);
        out.sized(body);
      }
    }),
  ]);
}

const none = [0, 0] as const;

/** One function whose body is `times` copies of `unit`, between `head` and `tail`. */
function repeated(
  size: number,
  head: readonly number[],
  unit: readonly number[],
  tail: readonly number[],
  type: readonly number[] = none,
  before: readonly Section[] = [],
): Uint8Array {
  const most = 7_000_000;
  const each = Math.min(size, most);
  return functions(
    Math.max(1, Math.round(size / each)),
    type,
    (out) => {
      out.append(head);
      for (let times = Math.floor(each / unit.length); times > 0; times -= 1) {
        out.append(unit);
      }
      out.append(tail);
      out.raw(0x0b);
    },
    before,
  );
}

const memory: Section = section(5, (out) => out.raw(1, 0, 1));

function nested(size: number, open: readonly number[], inner: readonly number[], close: readonly number[]): Uint8Array {
  // 9,000 blocks inside blocks, as often as there is room.
  const depth = Math.min(9000, Math.floor(size / (open.length + inner.length + close.length)));
  const each = depth * (open.length + inner.length + close.length);
  return functions(Math.max(1, Math.round(size / each)), none, (out) => {
    out.raw(0);
    for (let level = 0; level < depth; level += 1) {
      out.append(open);
      out.append(inner);
    }
    for (let level = 0; level < depth; level += 1) {
      out.append(close);
    }
    out.raw(0x0b);
  });
}

function leb(value: number): readonly number[] {
  const out = new Bytes();
  out.u32(value);
  return out.out;
}

function table(size: number, entries: number): Section[] {
  return [
    section(4, (out) => {
      out.raw(1, 0x70, 0);
      out.u32(entries);
    }),
    section(9, (out) => {
      out.raw(1, 0, 0x41, 0, 0x0b);
      out.u32(entries);
      for (let index = 0; index < entries; index += 1) {
        out.u32(index % size);
      }
    }),
  ];
}

/** Blocks within blocks; from the innermost a branch to every one of them, by br_if or by br_table. */
function ladder(size: number, byTable: boolean): Uint8Array {
  const depth = Math.min(4000, Math.floor(size / 8));
  const count = Math.max(1, Math.round(size / (depth * 8)));
  return functions(count, [1, 0x7f, 0], (out) => {
    out.raw(0);
    for (let level = 0; level < depth; level += 1) {
      out.raw(0x02, 0x40);
    }
    out.raw(0x20, 0);
    if (byTable) {
      out.raw(0x0e);
      out.u32(depth);
    }
    for (let level = 0; level <= depth; level += 1) {
      if (byTable) {
        out.u32(level);
      } else {
        out.raw(0x0d);
        out.u32(level);
        out.raw(0x20, 0);
      }
    }
    out.append(byTable ? [] : [0x1a]);
    for (let level = 0; level < depth; level += 1) {
      out.raw(0x0b, 0x20, 0, 0x1a);
    }
    out.raw(0x0b);
  });
}

/** Float locals carried round a nest of loops, each assigned from the one before it. */
function floatNest(size: number, depth: number, locals: number): Uint8Array {
  const unit = locals * 8 + depth * 6;
  return functions(Math.max(1, Math.round(size / unit)), none, (out) => {
    out.raw(1);
    out.u32(locals);
    out.raw(0x7c);
    for (let level = 0; level < depth; level += 1) {
      out.raw(0x03, 0x40);
    }
    for (let local = 0; local < locals; local += 1) {
      out.raw(0x20);
      out.u32(local === 0 ? locals - 1 : local - 1);
      out.raw(0x9f, 0x21);
      out.u32(local);
    }
    for (let level = 0; level < depth; level += 1) {
      out.raw(0x41, 0, 0x0d, 0, 0x0b);
    }
    out.raw(0x0b);
  });
}

/** The shapes. Every one of them is valid. */
/** Functions of 8 bytes that declare so many locals together, at most 15,900 each. */
function locals(size: number, together: number): Uint8Array {
  const count = Math.floor(size / 8);
  return functions(count, none, (out) => {
    out.raw(1);
    out.u32(Math.min(15_900, Math.floor(together / count)));
    out.raw(0x7e, 0x0b);
  });
}

/** Modules an engine would take minutes over; a few hundred kilobytes each. They are refused before it is asked. */
export const overwhelming: readonly Omit<Hostile, "most">[] = [
  { name: "15,900 locals in every function", build: (size) => locals(size, Number.POSITIVE_INFINITY) },
  {
    name: "a type for every 20 bytes",
    build: (size) => {
      const count = Math.floor(size / 20);
      return module([
        section(1, (out) => {
          out.u32(count);
          for (let index = 0; index < count; index += 1) {
            out.raw(0x60, 16);
            for (let param = 0; param < 16; param += 1) {
              out.raw(0x7f - ((index >> param) & 1));
            }
            out.raw(0);
          }
        }),
      ]);
    },
  },
];

export const hostileShapes: readonly Hostile[] = [
  {
    name: "functions of one byte",
    build: (size) => functions(Math.min(490_000, Math.floor(size / 4)), none, (out) => out.raw(0, 0x0b)),
    most: 1_900_000,
  },
  { name: "one long line of nops", build: (size) => repeated(size, [0], [0x01], []) },
  { name: "constants dropped", build: (size) => repeated(size, [0], [0x41, 0, 0x1a], []) },
  { name: "as many locals as one module may have", build: (size) => locals(size, 4_950_000) },
  {
    name: "local groups of one",
    build: (size) =>
      functions(Math.max(1, Math.floor(size / 20_000)), none, (out) => {
        out.u32(10_000);
        for (let group = 0; group < 10_000; group += 1) {
          out.raw(1, 0x7c - (group % 2));
        }
        out.raw(0x0b);
      }),
  },
  { name: "blocks nested", build: (size) => nested(size, [0x02, 0x40], [], [0x0b]) },
  { name: "loops nested", build: (size) => nested(size, [0x03, 0x40], [0x41, 0, 0x0d, 0], [0x0b]) },
  { name: "ifs nested with else", build: (size) => nested(size, [0x41, 0, 0x04, 0x40], [0x01], [0x05, 0x01, 0x0b]) },
  { name: "loops in a row", build: (size) => repeated(size, [0], [0x03, 0x40, 0x41, 0, 0x0d, 0, 0x0b], []) },
  { name: "ifs in a row", build: (size) => repeated(size, [0], [0x41, 0, 0x04, 0x40, 0x01, 0x0b], []) },
  { name: "a branch to every block, br_if", build: (size) => ladder(size, false) },
  { name: "a branch to every block, br_table", build: (size) => ladder(size, true) },
  {
    name: "br_table of 65,000 labels",
    build: (size) =>
      repeated(size, [0], [0x02, 0x40, 0x41, 0, 0x0e, ...leb(65_000), ...new Array<number>(65_001).fill(0), 0x0b], []),
  },
  {
    name: "types of 1,000 parameters",
    build: (size) =>
      module([
        section(1, (out) => {
          const count = Math.floor(size / 2000);
          out.u32(count);
          for (let index = 0; index < count; index += 1) {
            out.raw(0x60);
            out.u32(998);
            for (let param = 0; param < 998; param += 1) {
              out.raw(0x7f - ((index >> (param % 16)) & 3));
            }
            out.u32(998);
            for (let param = 0; param < 998; param += 1) {
              out.raw(0x7f);
            }
          }
        }),
      ]),
    // Beyond this the product of types and bytes is refused, before the engine compares every type with every other.
    most: 1_400_000,
  },
  {
    name: "calls of everything by everything",
    build: (size) => {
      const count = Math.max(2, Math.floor(Math.sqrt(size / 4)));
      return functions(count, none, (out) => {
        out.raw(0);
        for (let callee = 0; callee < count; callee += 1) {
          out.raw(0x10);
          out.u32(callee);
        }
        out.raw(0x0b);
      });
    },
  },
  {
    name: "a chain of calls",
    build: (size) => {
      const count = Math.min(490_000, Math.floor(size / 9));
      return functions(count, none, (out, index) => {
        out.raw(0, 0x10);
        out.u32(Math.min(count - 1, index + 1));
        out.raw(0x0b);
      });
    },
    most: 4_000_000,
  },
  {
    name: "a chain of calls backwards, two each",
    build: (size) => {
      const count = Math.min(490_000, Math.floor(size / 13));
      return functions(count, none, (out, index) => {
        out.raw(0);
        for (const back of [1, 2]) {
          if (index >= back) {
            out.raw(0x10);
            out.u32(index - back);
          }
        }
        out.raw(0x0b);
      });
    },
    most: 4_000_000,
  },
  {
    name: "indirect calls, all of one type",
    build: (size) => {
      const count = Math.min(450_000, Math.floor(size / 12));
      return functions(count, none, (out) => out.raw(0, 0x41, 0, 0x11, 0, 0, 0x0b), table(count, count));
    },
    most: 4_000_000,
  },
  {
    name: "float operations in a row",
    build: (size) => repeated(size, [0, 0x20, 0], [0x20, 0, 0xa0], [], [1, 0x7c, 1, 0x7c]),
  },
  {
    name: "float results stored",
    build: (size) => repeated(size, [0], [0x41, 0, 0x20, 0, 0x20, 0, 0xa0, 0x39, 0, 0], [], [1, 0x7c, 0], [memory]),
  },
  { name: "float locals round and round, flat", build: (size) => floatNest(size, 2, 400) },
  { name: "float locals round and round, deep", build: (size) => floatNest(size, 400, 400) },
  {
    name: "one function of float locals, deep",
    build: (size) => floatNest(size, Math.min(2000, Math.floor(size / 40)), Math.min(4000, Math.floor(size / 20))),
  },
  {
    name: "float values through many joins",
    build: (size) =>
      repeated(size, [1, 1, 0x7c], [0x20, 1, 0x04, 0x40, 0x20, 2, 0x9f, 0x21, 2, 0x0b], [], [2, 0x7c, 0x7f, 0]),
  },
  {
    name: "operands piled up",
    build: (size) => {
      const each = Math.min(size, 9000);
      return functions(Math.max(1, Math.round(size / each)), none, (out) => {
        out.raw(0);
        for (let times = each / 3; times > 0; times -= 1) {
          out.raw(0x41, 0);
        }
        for (let times = each / 3; times > 0; times -= 1) {
          out.raw(0x1a);
        }
        out.raw(0x0b);
      });
    },
  },
  {
    name: "exports",
    build: (size) =>
      module([
        section(1, (out) => out.raw(1, 0x60, 0, 0)),
        section(3, (out) => out.raw(1, 0)),
        section(7, (out) => {
          const count = Math.min(99_000, Math.floor(size / 9));
          out.u32(count);
          for (let index = 0; index < count; index += 1) {
            out.name(String(index).padStart(6, "0"));
            out.raw(0, 0);
          }
        }),
        section(10, (out) => out.raw(1, 2, 0, 0x0b)),
      ]),
    most: 800_000,
  },
  {
    name: "element entries",
    build: (size) => functions(1, none, (out) => out.raw(0, 0x0b), table(1, Math.min(990_000, size))),
    most: 990_000,
  },
];

const most = [0xff, 0xff, 0xff, 0xff, 0x0f];
const billion = [0x80, 0x94, 0xeb, 0xdc, 0x03];
const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const oneType = [1, 4, 1, 0x60, 0, 0];

function bytesOf(...parts: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([...header, ...parts.flat()]);
}

/** Small invalid modules whose sizes and counts are huge; with a name. */
export const hostileHeaders: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ...Array.from({ length: 14 }, (_, id) => [`section ${id} of 4 GiB`, bytesOf([id, ...most])] as const),
  ...Array.from({ length: 12 }, (_, index) => {
    const id = index + 1;
    return [`section ${id} of a billion entries`, bytesOf([id, 7, ...billion, 0, 0])] as const;
  }),
  ["a type of a billion parameters", bytesOf([1, 8, 1, 0x60, ...billion, 0])],
  ["a type of a billion results", bytesOf([1, 8, 1, 0x60, 0, ...billion])],
  ["an import name of 4 GiB", bytesOf([2, 7, 1, ...most, 0x61])],
  ["a body of 4 GiB", bytesOf(oneType, [3, 2, 1, 0], [10, 6, 1, ...most])],
  ["a billion local groups", bytesOf(oneType, [3, 2, 1, 0], [10, 8, 1, 6, ...billion, 0x0b])],
  ["a billion locals", bytesOf(oneType, [3, 2, 1, 0], [10, 10, 1, 8, 1, ...billion, 0x7f, 0x0b])],
  ["4 Gi locals, twice", bytesOf(oneType, [3, 2, 1, 0], [10, 16, 1, 14, 2, ...most, 0x7f, ...most, 0x7e, 0x0b])],
  ["br_table of a billion labels", bytesOf(oneType, [3, 2, 1, 0], [10, 12, 1, 10, 0, 0x41, 0, 0x0e, ...billion, 0x0b])],
  ["select of a billion types", bytesOf(oneType, [3, 2, 1, 0], [10, 9, 1, 7, 0, 0x1c, ...billion])],
  ["an element segment of a billion functions", bytesOf(oneType, [9, 10, 1, 0, 0x41, 0, 0x0b, ...billion])],
  ["a data segment of 4 GiB", bytesOf([11, 10, 1, 0, 0x41, 0, 0x0b, ...most])],
  ["a table of 4 Gi elements at least", bytesOf([4, 8, 1, 0x70, 0, ...most])],
  ["a memory of 4 Gi pages", bytesOf([5, 7, 1, 0, ...most])],
  ["a custom section whose name is longer", bytesOf([0, 5, ...billion])],
];
