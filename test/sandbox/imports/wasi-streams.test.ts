import { describe, expect, it } from "vitest";
import { wasiErrno } from "../../../src/contracts/wasi.js";
import type { GuestCall } from "../../../src/ports.js";
import { assemble, seal } from "../../wasm/support.js";
import { runHere } from "../support.js";
import { callOf, probe, u32At, u64At, write, written } from "./wasi-support.js";

const { success, badf, fault, inval } = wasiErrno;

const lines = (calls: readonly (readonly [string, unknown])[]): unknown[] => calls.map(([, request]) => request);

describe("output", () => {
  it("goes to no other descriptor", async () => {
    const { errnos, calls } = await probe(`${written("x\n")} ${[0, 3, 4, -1].map((fd) => write(fd)).join(" ")}`, 4);
    expect([errnos, calls]).toEqual([[badf, badf, badf, badf], []]);
  });

  it("is one log line for each line end", async () => {
    const { errnos, memory, calls } = await probe(
      `${written("one\n")} ${write(1)} ${written("two\n")} ${callOf("fd_pwrite", { 0: 2, 2: 1, 3: 77, 4: 260 })}`,
      2,
    );
    expect(errnos).toEqual([success, success]);
    expect([u32At(memory, 256), u32At(memory, 260)]).toEqual([4, 4]);
    expect(calls).toEqual([
      ["log", { level: "info", message: "one" }],
      ["log", { level: "warn", message: "two" }],
    ]);
  });

  it("waits for the line end, each stream for its own", async () => {
    const { calls } = await probe(
      `${written("a")} ${write(1)} ${written("b")} ${write(2)} ${written("c\n")} ${write(1)} ${written("d\n")} ${write(2)}`,
      4,
    );
    expect(lines(calls)).toEqual([
      { level: "info", message: "ac" },
      { level: "warn", message: "bd" },
    ]);
  });

  it("is taken up to the last line end; the rest is for another write", async () => {
    const { memory, calls } = await probe(`${written("a\nb\nrest")} ${write(1)}`, 1);
    expect(u32At(memory, 256)).toBe(4);
    expect(lines(calls)).toEqual([{ level: "info", message: "a\nb" }]);
  });

  it("without a line end is logged when the function returns, or closes the stream", async () => {
    const { calls } = await probe(`${written("err")} ${write(2)} ${written("out")} ${write(1)}`, 2);
    expect(lines(calls)).toEqual([
      { level: "info", message: "out" },
      { level: "warn", message: "err" },
    ]);
    const closed = await probe(
      `${written("x")} ${write(2)} ${callOf("fd_close", { 0: 2 })} ${written("y\n")} ${write(1)}`,
      3,
    );
    expect(lines(closed.calls)).toEqual([
      { level: "warn", message: "x" },
      { level: "info", message: "y" },
    ]);
  });

  it("without a line end is lost with a trap", async () => {
    const { outcome, calls } = await probe(`${written("lost")} ${write(1)} unreachable`, 0);
    expect([outcome.status, calls]).toEqual(["trapped", []]);
  });

  it("of nothing logs nothing", async () => {
    const { errnos, memory, calls } = await probe(
      `${written("")} (i32.store (i32.const 256) (i32.const 9)) ${write(1)} ${write(1, 0)}`,
      2,
    );
    expect([errnos, calls, u32At(memory, 256)]).toEqual([[success, success], [], 0]);
  });

  it("of an empty line logs an empty line", async () => {
    expect(lines((await probe(`${written("\n")} ${write(1)}`, 1)).calls)).toEqual([{ level: "info", message: "" }]);
  });

  it("joins its vectors", async () => {
    const vectors = `${written("abcdef\n")}
      (i32.store (i32.const 4) (i32.const 3)) (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 0))
      (i32.store (i32.const 16) (i32.const 515)) (i32.store (i32.const 20) (i32.const 4))`;
    const { memory, calls } = await probe(`${vectors} ${write(1, 3)}`, 1);
    expect([u32At(memory, 256), lines(calls)]).toEqual([7, [{ level: "info", message: "abcdef" }]]);
  });

  it("that is not UTF-8 becomes U+FFFD", async () => {
    const bytes = `${written("a?b\n")} (i32.store8 (i32.const 513) (i32.const 255))`;
    expect(lines((await probe(`${bytes} ${write(1)}`, 1)).calls)).toEqual([{ level: "info", message: "a�b" }]);
  });

  /** Fills 8,192 bytes at 8,192 with a repeated text and names them in one vector. */
  const long = (unit: readonly number[], count: number): string =>
    `(local.set $i (i32.const 0))
     (loop $next ${unit.map((byte, at) => `(i32.store8 offset=${8192 + at} (local.get $i) (i32.const ${byte}))`).join(" ")}
       (local.set $i (i32.add (local.get $i) (i32.const ${unit.length})))
       (br_if $next (i32.lt_u (local.get $i) (i32.const ${count}))))
     (i32.store (i32.const 0) (i32.const 8192)) (i32.store (i32.const 4) (i32.const ${count}))`;

  it("is cut at 4,096 bytes, never inside a character", async () => {
    const ascii = await probe(`${long([0x61], 8000)} ${write(1)}`, 1);
    expect(u32At(ascii.memory, 256)).toBe(4096);
    expect(lines(ascii.calls)).toEqual([{ level: "info", message: "a".repeat(4096) }]);
    // Three bytes each: 1,365 of them are 4,095 bytes.
    const euro = await probe(`${long([0xe2, 0x82, 0xac], 6000)} ${write(1)}`, 1);
    expect(u32At(euro.memory, 256)).toBe(4095);
    expect(lines(euro.calls)).toEqual([{ level: "info", message: "€".repeat(1365) }]);
  });

  it("makes progress with bytes that begin no character", async () => {
    const { memory, calls } = await probe(`${long([0x80], 8000)} ${write(1)}`, 1);
    expect(u32At(memory, 256)).toBe(4096);
    expect(lines(calls)).toEqual([{ level: "info", message: "�".repeat(1365) }]);
  });

  it("always has room for a whole character", async () => {
    for (const before of [4092, 4093, 4094, 4095]) {
      const { memory, calls } = await probe(`${long([0x61], before)} ${write(1)} ${written("😀\n")} ${write(1)}`, 2);
      expect([before, u32At(memory, 256)]).toEqual([before, before === 4092 ? 4 : 5]);
      const first = "a".repeat(before) + (before === 4092 ? "😀" : "");
      expect(lines(calls)[0]).toEqual({ level: "info", message: first });
    }
  });

  it("in small pieces without a line end is logged when the line is full", async () => {
    const { memory, calls } = await probe(`${long([0x61], 1000)} ${write(1).repeat(5)}`, 5);
    expect(u32At(memory, 256)).toBe(96);
    expect(lines(calls)).toEqual([{ level: "info", message: "a".repeat(4096) }]);
  });

  it("counts as host calls", async () => {
    const { outcome } = await probe(`${written("x\n")} ${write(1)} ${write(1)} ${write(1)}`, 3, {
      limits: { hostCalls: 2 },
    });
    expect(outcome).toMatchObject({ status: "host_call_limit", error: { code: "EXO_HOST_CALL_LIMIT" }, hostCalls: 2 });
    const late = await probe(`${written("x")} ${write(1)}`, 1, { limits: { hostCalls: 0 } });
    expect(late.outcome).toMatchObject({ status: "host_call_limit", hostCalls: 0 });
  });

  it("an order to stop ends the run", async () => {
    const stop = { kind: "stop", status: "timed_out", code: "EXO_TIMED_OUT", message: "late" } as const;
    const { outcome } = await probe(`${written("x\n")} ${write(1)}`, 1, { answer: () => stop });
    expect(outcome).toMatchObject({ status: "timed_out", error: { code: "EXO_TIMED_OUT", message: "late" } });
  });
});

describe("standard streams", () => {
  it("input is at its end", async () => {
    const read = (args: Record<number, number>): string => callOf("fd_read", args);
    const { errnos, memory, calls } = await probe(
      `(i32.store (i32.const 256) (i32.const 9))
       ${read({ 0: 1, 3: 256 })} ${read({ 0: 2, 3: 256 })} ${read({ 0: 3, 3: 256 })}
       ${read({ 3: 65_533 })} ${read({ 1: 65_529, 2: 1, 3: 256 })} ${read({ 2: -1, 3: 256 })} ${read({ 2: 1, 3: 256 })}`,
      7,
    );
    expect(errnos).toEqual([badf, badf, badf, fault, fault, fault, success]);
    expect([u32At(memory, 256), calls]).toEqual([0, []]);
  });

  it("are closed once", async () => {
    const { errnos } = await probe(
      [3, 0, 0, 1, 1, 2].map((fd) => callOf("fd_close", { 0: fd })).join(" ") +
        `${write(1)} ${write(2)} ${callOf("fd_read")} ${callOf("fd_fdstat_get", { 0: 1 })} ${callOf("fd_filestat_get")}
         ${callOf("fd_seek", { 0: 2 })}`,
      12,
    );
    expect(errnos).toEqual([badf, success, badf, success, badf, success, ...Array(6).fill(badf)]);
  });

  it("are open again in the next run", async () => {
    const body = callOf("fd_close", { 0: 1 });
    expect((await probe(body, 1)).errnos).toEqual([success]);
    expect((await probe(body, 1)).errnos).toEqual([success]);
  });

  it("are terminals with one right each", async () => {
    const { errnos, memory } = await probe(
      `(i64.store (i32.const 0) (i64.const -1)) (i64.store (i32.const 24) (i64.const -1))
       ${callOf("fd_fdstat_get", { 0: 3 })} ${callOf("fd_fdstat_get", { 1: 65_513 })} ${callOf("fd_fdstat_get", { 1: -1 })}
       ${callOf("fd_fdstat_get")} ${callOf("fd_fdstat_get", { 0: 1, 1: 32 })}`,
      5,
    );
    expect(errnos).toEqual([badf, fault, fault, success, success]);
    expect([0, 8, 16, 24].map((at) => u64At(memory, at))).toEqual([2n, 2n, 0n, 2n ** 64n - 1n]);
    expect([32, 40, 48].map((at) => u64At(memory, at))).toEqual([2n, 64n, 0n]);
  });

  it("have no size and no times", async () => {
    const { errnos, memory } = await probe(
      `(i64.store (i32.const 32) (i64.const -1)) (i64.store (i32.const 64) (i64.const -1))
       ${callOf("fd_filestat_get", { 0: 3 })} ${callOf("fd_filestat_get", { 1: 65_473 })} ${callOf("fd_filestat_get", { 0: 2 })}`,
      3,
    );
    expect(errnos).toEqual([badf, fault, success]);
    expect([0, 8, 16, 24, 32, 40, 48, 56, 64].map((at) => u64At(memory, at))).toEqual([
      0n,
      0n,
      2n,
      0n,
      0n,
      0n,
      0n,
      0n,
      2n ** 64n - 1n,
    ]);
  });
});

describe("fd_write's pointers", () => {
  it.each([
    ["vectors outside", callOf("fd_write", { 0: 1, 1: 65_529, 2: 1, 3: 256 }), fault],
    ["vectors that wrap around", callOf("fd_write", { 0: 1, 1: -8, 2: 2, 3: 256 }), fault],
    ["the result outside", `${written("x\n")} ${write(1, 1, 65_533)}`, fault],
    ["a buffer outside", `${written("x\n")} (i32.store (i32.const 0) (i32.const 65535)) ${write(1)}`, fault],
    [
      "a buffer that wraps around",
      `(i32.store (i32.const 0) (i32.const -1)) (i32.store (i32.const 4) (i32.const 2)) ${write(1)}`,
      fault,
    ],
    ["a buffer of 4 GiB", `(i32.store (i32.const 4) (i32.const -1)) ${write(1)}`, fault],
    [
      "the second buffer outside",
      `${written("x\n")} (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 1)) ${write(1, 2)}`,
      fault,
    ],
    ["more than 1,024 vectors", write(1, 1025), inval],
  ])("%s: nothing is logged", async (_, body, errno) => {
    const { errnos, calls, memory } = await probe(body, 1);
    expect(errnos).toEqual([errno]);
    expect(calls).toEqual([]);
    expect(u32At(memory, 256)).toBe(0);
  });

  it("reach to the last byte", async () => {
    const at = `(i32.store8 (i32.const 65535) (i32.const 120)) (i32.store (i32.const 65520) (i32.const 65535))
      (i32.store (i32.const 65524) (i32.const 1))`;
    const { errnos, calls } = await probe(`${at} ${callOf("fd_write", { 0: 1, 1: 65_520, 2: 1, 3: 65_528 })}`, 1);
    expect(errnos).toEqual([success]);
    expect(lines(calls)).toEqual([{ level: "info", message: "x" }]);
    expect((await probe(write(1, 1024), 1)).errnos).toEqual([success]);
  });

  it("follow a memory that has grown", async () => {
    const body = `${callOf("clock_time_get", { 2: 65_536 })} (drop (memory.grow (i32.const 1))) ${callOf("clock_time_get", { 2: 65_536 })}`;
    expect((await probe(body, 2)).errnos).toEqual([fault, success]);
  });

  it("of a guest without a memory are all wild", async () => {
    const source = `(module
      (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
      (func (export "run") (result i32)
        (i32.ne (call $time (i32.const 0) (i64.const 0) (i32.const 0)) (i32.const ${fault}))))`;
    const calls: GuestCall[] = [];
    const outcome = await runHere(seal(assemble(source), { capabilities: ["clock_now"] }), {}, calls);
    expect(outcome).toMatchObject({ status: "completed", hostCalls: 0 });
  });

  it("too many vectors for the fuel are never counted", async () => {
    const { outcome, calls } = await probe(write(1, -1), 1);
    expect(outcome).toMatchObject({ status: "out_of_fuel" });
    expect(calls).toEqual([]);
  });
});
