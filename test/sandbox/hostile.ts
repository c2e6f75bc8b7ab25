import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import type { SandboxHost, SandboxJob, SandboxOutcome } from "../../src/ports.js";
import { assemble, seal } from "../wasm/support.js";
import { type JobDraft, job } from "./support.js";

/** A way of being hostile: a module for a number, what to ask of it, and how it must end. */
type Shape = {
  readonly name: string;
  readonly wat: (n: number) => string;
  readonly draft?: JobDraft;
  readonly ends: readonly SandboxOutcome["status"][];
  /** Costs a worker and wall time: used for one plugin in 50 only. */
  readonly kills?: true;
};

const kernel = `
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))`;
const run = (body: string, rest = "", memory = "1"): string =>
  `(module ${kernel} (memory (export "memory") ${memory}) ${rest} (func (export "run") (result i32) (local $i i32) (local $a i64) ${body} (i32.const 0)))`;
const spin = (n: number): string => run(`(loop $l (local.set $i (i32.add (local.get $i) (i32.const ${n}))) (br $l))`);

const shapes: readonly Shape[] = [
  { name: "endless loop", wat: spin, draft: { limits: { fuel: 300_000 } }, ends: ["out_of_fuel"] },
  {
    name: "endless loop with fuel for ever",
    wat: spin,
    draft: { limits: { fuel: 9e15, timeoutMs: 60 } },
    ends: ["timed_out"],
    kills: true,
  },
  {
    name: "memory to the cap, every page written",
    wat: (n) =>
      run(`(loop $l
        (if (i32.ge_s (memory.grow (i32.const 8)) (i32.const 0)) (then
          (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const ${(n % 60_000) + 1})) (i32.const 1))
          (br $l))))
        (memory.fill (i32.const 0) (i32.const ${n & 255}) (i32.mul (memory.size) (i32.const 65536)))
        (unreachable)`),
    ends: ["out_of_memory"],
  },
  {
    name: "blocks to the cap",
    wat: (n) => run(`(loop $l (drop (call $alloc (i64.const ${50_000 + n}))) (br $l))`),
    ends: ["out_of_memory"],
  },
  {
    name: "a million tiny blocks",
    wat: (n) => run(`(loop $l (drop (call $alloc (i64.const ${(n % 60) + 1}))) (br $l))`),
    ends: ["out_of_memory"],
  },
  {
    name: "a table as large as it may be",
    wat: (n) => run("(unreachable)", `(table 1000 funcref) (elem (i32.const ${n % 900}) func $alloc $output_set)`),
    ends: ["trapped"],
  },
  {
    name: "deep recursion",
    wat: (n) =>
      run(
        `(drop (call $deep (i32.const ${n})))`,
        `(func $deep (param i32) (result i32) (local i64 i64 i64) (i32.add (local.get 0) (call $deep (i32.add (local.get 0) (i32.const 1)))))`,
      ),
    ends: ["stack_overflow"],
  },
  {
    name: "the largest output",
    wat: (n) =>
      run(
        `(local.set $a (call $alloc (i64.const 65536))) (call $output_set (local.get $a) (i64.const ${65_536 - (n % 1000)}))`,
      ),
    ends: ["completed"],
  },
  {
    name: "an output beyond the limit",
    wat: (n) =>
      run(`(local.set $a (call $alloc (i64.const 99999))) (call $output_set (local.get $a) (i64.const ${70_000 + n}))`),
    ends: ["output_limit"],
  },
  {
    name: "a trap in the start section",
    wat: (n) => run("", `(func $start (drop (i32.div_u (i32.const ${n}) (i32.const 0)))) (start $start)`),
    ends: ["trapped"],
  },
  {
    name: "an endless start section",
    wat: (n) => run("", `(func $start (loop $l (drop (i32.const ${n})) (br $l))) (start $start)`),
    draft: { limits: { fuel: 300_000 } },
    ends: ["out_of_fuel"],
  },
  {
    name: "a large data segment",
    wat: (n) => run("(unreachable)", `(data (i32.const ${n}) "${"x".repeat(60_000)}")`, "2"),
    ends: ["trapped"],
  },
  {
    name: "a data segment that does not fit",
    wat: (n) => run("", `(data (i32.const ${65_536 - (n % 9)}) "0123456789")`),
    ends: ["trapped"],
  },
  {
    name: "many globals",
    wat: (n) =>
      run("(unreachable)", Array.from({ length: 500 }, (_, i) => `(global (mut i64) (i64.const ${n + i}))`).join("")),
    ends: ["trapped"],
  },
  {
    name: "many functions",
    wat: (n) =>
      run("(unreachable)", Array.from({ length: 300 }, (_, i) => `(func (result i32) (i32.const ${n + i}))`).join("")),
    ends: ["trapped"],
  },
  {
    name: "addresses that are nobody's",
    wat: (n) => run(`(call $output_set (i64.const ${2 ** 40 + n}) (i64.const 5))`),
    ends: ["trapped"],
  },
];

const often = shapes.filter(({ kills }) => kills === undefined);
const rare = shapes.filter(({ kills }) => kills === true);

/** The `n`th of the hostile plugins: every one is a module of its own, and every 50th ends by the wall clock. */
function hostilePlugin(n: number): {
  readonly name: string;
  readonly job: SandboxJob;
  readonly ends: Shape["ends"];
} {
  const list = n % 50 === 49 ? rare : often;
  const shape = list[n % list.length] as Shape;
  const module = seal(assemble(shape.wat(n)), { memoryPages: 64, tableElements: 1000 });
  return { name: `${n}: ${shape.name}`, job: job(module, shape.draft), ends: shape.ends };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What the host holds, in bytes, after what can be collected was. */
async function held(): Promise<Growth> {
  // Compiled modules are given back in a turn of their own after a collection, and what they held by the next.
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { rss, external, heapUsed } = process.memoryUsage();
  return { rss, external, heap: heapUsed };
}

/** How much more memory the host held over the last third of the plugins than over the second, in MiB. */
export type Growth = { readonly rss: number; readonly external: number; readonly heap: number };

/**
 * Runs hostile plugins, two at a time, and measures the host. The first third is warm-up: caches fill, workers start.
 * Of the other two thirds the least that was held is compared, for what is collected late is not held.
 */
export async function runHostile(pool: SandboxHost, plugins: number): Promise<Growth> {
  const samples: Growth[] = [];
  const every = Math.max(1, Math.floor(plugins / 60));
  for (let n = 0; n < plugins; n += 2) {
    await Promise.all(
      [n, n + 1].map(async (at) => {
        const { name, job: hostile, ends } = hostilePlugin(at);
        const { status } = await pool.run(hostile);
        if (!ends.includes(status)) throw new Error(`${name} ended ${status}, expected ${ends.join(" or ")}`);
      }),
    );
    if ((n / 2) % every === 0) samples.push(await held());
  }
  const third = Math.floor(samples.length / 3);
  const least = (part: typeof samples, what: keyof Growth): number => Math.min(...part.map((sample) => sample[what]));
  const grown = (what: keyof Growth): number =>
    (least(samples.slice(2 * third), what) - least(samples.slice(third, 2 * third), what)) / 1_048_576;
  return { rss: grown("rss"), external: grown("external"), heap: grown("heap") };
}

/**
 * Fails when the host's memory grew. What scripts hold is collected first and measured to the byte: 0.0 and at most
 * 0.3 MiB were seen, and one kept output in three would show. The resident set has the threads' stacks and heaps in it
 * and follows the allocator by some 25 MiB; five workers that are not gone would show.
 */
export function expectSteady({ rss, external, heap }: Growth): void {
  expect(external, "external memory grew (MiB)").toBeLessThan(0.5);
  expect(heap, "the heap grew (MiB)").toBeLessThan(1);
  expect(rss, "the resident set grew (MiB)").toBeLessThan(48);
}
