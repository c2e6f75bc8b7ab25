/** Kernels of the fuel section that are about memory and tables. */
import { next, times } from "./kernel-text.mjs";

/** Grows memory until the fuel is spent, and writes to every 4 KiB of it. Little fuel: it must be spent before the cap is met. */
const grow = (pages, touch) => ({
  name: `memory.grow by ${pages}${touch ? ", touched" : ""}`,
  group: touch ? "first touch" : "memory",
  pages: 1,
  fuel: 1_800_000,
  body: `(local.set $p (i32.shl (memory.grow (i32.const ${pages})) (i32.const 16)))
    (if (i32.lt_s (local.get $p) (i32.const 0)) (then unreachable))
    ${touch ? `(local.set $c (i32.add (local.get $p) (i32.const ${pages * 65_536}))) (loop $l (i32.store8 (local.get $p) (i32.const 1)) (br_if $l (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4096))) (local.get $c))))` : ""}`,
});

const mib = 1 << 20;
const bulk = (name, size, count) => ({
  name: `memory.${name}, ${size < mib ? `${size} bytes` : "1 MiB"}`,
  group: "bulk memory",
  pages: 64,
  body: times(
    count,
    {
      fill: `(memory.fill (i32.const 64) (i32.const 7) (i32.const ${size}))`,
      copy: `(memory.copy (i32.const 2097152) (i32.const 64) (i32.const ${size}))`,
      init: `(memory.init $data (i32.const 64) (i32.const 0) (i32.const ${size}))`,
    }[name],
  ),
});
const onTable = (name, size, count) => ({
  name: `table.${name}, ${size} elements`,
  group: "tables",
  body: times(
    count,
    {
      fill: `(table.fill $slots (i32.const 0) (ref.func $leaf) (i32.const ${size}))`,
      copy: `(table.copy $slots $slots (i32.const 4096) (i32.const 0) (i32.const ${size}))`,
      init: `(table.init $slots $elements (i32.const 0) (i32.const 0) (i32.const ${size}))`,
    }[name],
  ),
});

/** See kernel-text.mjs for what is in a kernel. */
export const memoryKernels = [
  {
    name: "globals",
    group: "memory",
    fields: "(global $g (mut i32) (i32.const 3))",
    body: times(16, "(global.set $g (i32.add (global.get $g) (local.get $b)))"),
  },
  {
    name: "loads, in order",
    group: "memory",
    pages: 16,
    body: `(local.set $p (i32.and (i32.add (local.get $p) (i32.const 64)) (i32.const 0xfffc0))) ${times(16, "(local.set $c (i32.add (local.get $c) (i32.load offset=@ (local.get $p))))")}`,
  },
  {
    name: "stores, in order",
    group: "memory",
    pages: 16,
    body: `(local.set $p (i32.and (i32.add (local.get $p) (i32.const 64)) (i32.const 0xfffc0))) ${times(16, "(i32.store offset=@ (local.get $p) (local.get $a))")}`,
  },
  {
    name: "loads across lines",
    group: "memory",
    body: times(16, "(local.set $x (i64.add (local.get $x) (i64.load offset=@61 align=1 (i32.const 0))))"),
  },
  {
    name: "loads at random, 16 KiB",
    group: "memory",
    body: times(
      8,
      `${next} (local.set $c (i32.add (local.get $c) (i32.load (i32.shr_u (local.get $a) (i32.const 18)))))`,
    ),
  },
  {
    name: "loads at random, 64 MiB",
    group: "cache misses",
    pages: 1024,
    touched: true,
    body: times(
      8,
      `${next} (local.set $c (i32.add (local.get $c) (i32.load8_u (i32.shr_u (local.get $a) (i32.const 6)))))`,
    ),
  },
  {
    name: "dependent loads, 64 MiB",
    group: "cache misses",
    pages: 1024,
    touched: true,
    body: times(
      8,
      "(local.set $a (i32.add (i32.mul (i32.add (local.get $a) (i32.load8_u (i32.shr_u (local.get $a) (i32.const 6)))) (i32.const 1664525)) (i32.const 1013904223)))",
    ),
  },
  {
    name: "stores at random, 64 MiB",
    group: "cache misses",
    pages: 1024,
    touched: true,
    body: times(8, `${next} (i32.store8 (i32.shr_u (local.get $a) (i32.const 6)) (local.get $b))`),
  },
  { name: "memory.size", group: "memory", body: times(16, "(local.set $c (i32.add (local.get $c) (memory.size)))") },
  { name: "memory.grow by 0", group: "memory", body: "(drop (memory.grow (i32.const 0)))" },
  grow(1, false),
  grow(64, false),
  grow(1, true),
  grow(64, true),
  {
    name: "stores to untouched memory",
    group: "first touch",
    pages: 1024,
    fuel: 50_000,
    body: "(i32.store8 (local.get $p) (local.get $a)) (local.set $p (i32.add (local.get $p) (i32.const 4096)))",
  },
  { name: "memory.grow, refused", group: "memory", body: "(drop (memory.grow (i32.const 2000)))" },
  ...[0, 8, 64, 1024, 65_536, mib].map((size) => bulk("fill", size, size < 1024 ? 8 : 1)),
  ...[0, 8, 64, 1024, 65_536, mib].map((size) => bulk("copy", size, size < 1024 ? 8 : 1)),
  ...[0, 8, 1024].map((size) => bulk("init", size, 4)),
  {
    name: "ref.func, ref.is_null",
    group: "tables",
    body: times(8, "(local.set $c (i32.add (local.get $c) (ref.is_null (ref.func $leaf))))"),
  },
  {
    name: "table.get",
    group: "tables",
    body: times(8, "(local.set $c (i32.add (local.get $c) (ref.is_null (table.get $slots (i32.const @)))))"),
  },
  { name: "table.set", group: "tables", body: times(8, "(table.set $slots (i32.const @) (ref.func $leaf))") },
  {
    name: "table.size",
    group: "tables",
    body: times(8, "(local.set $c (i32.add (local.get $c) (table.size $slots)))"),
  },
  ...["fill", "copy", "init"].flatMap((name) => [onTable(name, 0, 4), onTable(name, 64, 1)]),
  onTable("fill", 4096, 1),
  onTable("copy", 4096, 1),
];
