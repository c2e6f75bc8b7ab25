import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  capabilityModule,
  capabilityNames,
  type ImportRow,
  importTable,
  kernelModule,
} from "../../src/contracts/imports.js";
import type { SandboxHost } from "../../src/ports.js";
import { createPool, job } from "../sandbox/support.js";
import { assemble, seal } from "../wasm/support.js";

/** Values that are no address: beyond every block, behind the last one's end, a freed one's, all ones, the sign bit. */
const wild: Readonly<Record<string, string>> = {
  "beyond every block": "(i64.const 0x7fffffff0000)",
  "the end of a block": "(i64.add (local.get $b) (i64.const 16))",
  "far behind a block": "(i64.add (local.get $b) (i64.const 0xfffffff8))",
  "all ones": "(i64.const -1)",
  "the sign bit": "(i64.xor (local.get $b) (i64.const 0x8000000000000000))",
};

/** Arguments that are lengths or offsets, or values to store: what becomes of the wild ones there. */
const lengths: Readonly<Record<string, string>> = {
  "alloc 0": "length",
  "output_set 1": "length",
  "store_u64 1": "value",
};

const rows = importTable.filter(({ module }) => module === kernelModule || module === capabilityModule);

/** Every argument of 64 bits of every function that a guest of the kernel can import. */
const uses = rows.flatMap((row) =>
  row.params.flatMap((type, index) => (type === "i64" ? [{ row, index, what: `${row.name} ${index}` }] : [])),
);

/** A guest that calls one function with a value at one place and good arguments elsewhere. */
function guestOf({ module, name, params, results, lengthArg }: ImportRow, index: number, value: string) {
  const declared = `${params.length === 0 ? "" : `(param ${params.join(" ")})`} ${results.length === 0 ? "" : `(result ${results.join(" ")})`}`;
  const good = (type: string, at: number): string => {
    if (type === "i32") return "(i32.const 1)";
    return at === lengthArg ? "(i64.const 8)" : "(local.get $b)";
  };
  const args = params.map((type, at) => (at === index ? value : good(type, at)));
  const call = `(call $f ${args.join(" ")})`;
  return seal(
    assemble(`(module (import "${kernelModule}" "alloc" (func $alloc (param i64) (result i64)))
      (import "${module}" "${name}" (func $f ${declared})) (memory (export "memory") 1)
      (func (export "run") (result i32) (local $b i64)
        (local.set $b (call $alloc (i64.const 16))) ${results.length === 0 ? call : `(drop ${call})`} (i32.const 0)))`),
    { capabilities: capabilityNames },
  );
}

describe("a wild pointer in every argument of every function, in a real worker", () => {
  let pool: SandboxHost;
  beforeAll(() => {
    pool = createPool({ size: 1 });
  });
  afterAll(() => pool.close());

  it("covers every kernel function and every capability that takes one", () => {
    const none = rows.filter(({ params }) => !params.includes("i64")).map(({ name }) => name);
    expect(new Set(uses.map(({ row }) => row)).size).toBe(rows.length - none.length);
    for (const name of ["load_u64", "store_u8", "output_set", "var_set", "log_info", ...capabilityNames]) {
      expect(uses.some(({ row }) => row.name === name)).toBe(true);
    }
  });

  for (const { row, index, what } of uses) {
    it(`${what}: the run ends by its code, nothing is asked, and the pool goes on`, async () => {
      for (const [kind, value] of Object.entries(wild)) {
        const guest = guestOf(row, index, value);
        let asked = 0;
        const draft = {
          input: new Uint8Array(16),
          call: () => {
            asked += 1;
            return { kind: "answer", response: new Uint8Array(0) } as const;
          },
        };
        const outcome = await pool.run(job(guest, draft));
        const { status, error } = outcome;
        if (lengths[what] === "value") expect(status, kind).toBe("completed");
        else if (lengths[what] === "length")
          expect(["out_of_fuel", "out_of_memory", "output_limit"], kind).toContain(status);
        else expect([status, error], kind).toEqual(["trapped", { code: "EXO_KERNEL_BOUNDS" }]);
        expect(asked, kind).toBe(0);
        expect(await pool.run(job(guest, draft)), kind).toEqual(outcome);
      }
    });
  }
});
