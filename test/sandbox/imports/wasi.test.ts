import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { wasiErrno, wasiRows } from "../../../src/contracts/wasi.js";
import { wasiImports } from "../../../src/sandbox/imports/wasi.js";
import { answer, callOf, firstMs, probe, u64At } from "./wasi-support.js";

const { success, acces, badf, fault, inval, io, notdir, notsock, notsup, spipe } = wasiErrno;

describe("the table", () => {
  it("is WASI preview1, function by function", () => {
    expect(wasiRows).toHaveLength(46);
    expect(new Set(wasiRows.map(({ name }) => name)).size).toBe(46);
    expect(Object.keys(wasiImports).sort()).toEqual(wasiRows.map(({ name }) => name).sort());
    expect(wasiErrno).toEqual({
      success: 0,
      acces: 2,
      badf: 8,
      fault: 21,
      inval: 28,
      io: 29,
      notdir: 54,
      notsock: 57,
      notsup: 58,
      spipe: 70,
    });
  });

  it("is the page's", () => {
    const page = readFileSync(new URL("../../../spec/abi.md", import.meta.url), "utf8");
    const section = page.slice(
      page.indexOf("## WASI preview1"),
      page.indexOf("\n## ", page.indexOf("## WASI preview1") + 1),
    );
    const named = section.split("\n").filter((line) => line.startsWith("| `"));
    const names = named.flatMap((line) =>
      Array.from(line.split("|")[1]?.matchAll(/`([a-z0-9_]+)`/g) ?? [], ([, name]) => name),
    );
    expect([...names].sort()).toEqual(wasiRows.map(({ name }) => name).sort());
  });

  it("is answered outside a run by nobody", () => {
    expect(() => (wasiImports["sched_yield"] as () => number)()).toThrow("outside a run");
  });
});

describe("fixed answers", () => {
  const streams = new Map<string, number>([
    ["fd_advise", spipe],
    ["fd_allocate", notsup],
    ["fd_datasync", inval],
    ["fd_fdstat_set_flags", notsup],
    ["fd_fdstat_set_rights", notsup],
    ["fd_filestat_set_size", inval],
    ["fd_filestat_set_times", notsup],
    ["fd_pread", spipe],
    ["fd_readdir", notdir],
    ["fd_renumber", notsup],
    ["fd_seek", spipe],
    ["fd_sync", inval],
    ["fd_tell", spipe],
    ["path_create_directory", notdir],
    ["path_filestat_get", notdir],
    ["path_filestat_set_times", notdir],
    ["path_link", notdir],
    ["path_open", notdir],
    ["path_readlink", notdir],
    ["path_remove_directory", notdir],
    ["path_rename", notdir],
    ["path_unlink_file", notdir],
    ["sock_accept", notsock],
    ["sock_recv", notsock],
    ["sock_send", notsock],
    ["sock_shutdown", notsock],
  ]);

  it.each([...streams])("%s has no such descriptor, and no use for a stream (%i)", async (name, errno) => {
    const { errnos, calls, memory } = await probe(
      [3, -1, 2147483647, 0, 1, 2].map((fd) => callOf(name, { 0: fd })).join(" "),
      6,
    );
    expect(errnos).toEqual([badf, badf, badf, errno, errno, errno]);
    expect(calls).toEqual([]);
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });

  it("path_symlink has its descriptor third", async () => {
    const { errnos } = await probe(`${callOf("path_symlink", { 0: 3 })} ${callOf("path_symlink", { 2: 3 })}`, 2);
    expect(errnos).toEqual([notdir, badf]);
  });

  it.each([
    ["fd_prestat_get", badf],
    ["fd_prestat_dir_name", badf],
    ["poll_oneoff", notsup],
    ["proc_raise", notsup],
    ["sched_yield", success],
    ["args_get", success],
    ["environ_get", success],
  ])("%s is always %i", async (name, errno) => {
    const { errnos, memory, calls } = await probe([0, 3].map((fd) => callOf(name, { 0: fd })).join(" "), 2);
    expect(errnos).toEqual([errno, errno]);
    expect(memory.every((byte) => byte === 0)).toBe(true);
    expect(calls).toEqual([]);
  });

  it("covers every row that has no code of its own", () => {
    const fixed = wasiRows.filter(({ answer: given }) => given.kind !== "host").map(({ name }) => name);
    const always = ["fd_prestat_get", "fd_prestat_dir_name", "poll_oneoff", "proc_raise", "sched_yield"];
    expect(fixed.sort()).toEqual([...streams.keys(), "path_symlink", ...always].sort());
  });
});

describe("arguments and environment", () => {
  it.each(["args_sizes_get", "environ_sizes_get"])("%s: none, and no pointer outside the memory", async (name) => {
    const { errnos, memory } = await probe(
      `(i64.store (i32.const 8) (i64.const -1))
       ${callOf(name, { 0: 65_533, 1: 8 })} ${callOf(name, { 0: 8, 1: 65_533 })} ${callOf(name, { 0: -1, 1: 8 })}
       ${callOf(name, { 0: 65_532, 1: 8 })} ${callOf(name, { 0: 8, 1: 65_532 })}`,
      5,
    );
    expect(errnos).toEqual([fault, fault, fault, success, success]);
    expect(u64At(memory, 8)).toBe(0xffffffff_00000000n);
  });
});

describe("clocks", () => {
  it("refuse unknown clocks and wild pointers without a call", async () => {
    const { errnos, calls } = await probe(
      [2, 3, 4, -1]
        .flatMap((clock) => [callOf("clock_time_get", { 0: clock }), callOf("clock_res_get", { 0: clock })])
        .join(" ") +
        [65_529, -1]
          .flatMap((at) => [callOf("clock_time_get", { 2: at }), callOf("clock_res_get", { 1: at })])
          .join(" "),
      12,
    );
    expect(errnos).toEqual([...Array(8).fill(inval), ...Array(4).fill(fault)]);
    expect(calls).toEqual([]);
  });

  it("are the capability's milliseconds, in nanoseconds", async () => {
    const { errnos, memory, calls } = await probe(
      `${callOf("clock_time_get", { 2: 16 })} ${callOf("clock_time_get", { 0: 1, 1: 99, 2: 24 })}
       ${callOf("clock_res_get", { 1: 32 })} ${callOf("clock_res_get", { 0: 1, 1: 40 })}`,
      4,
    );
    expect(errnos).toEqual([success, success, success, success]);
    expect(u64At(memory, 16)).toBe(BigInt(firstMs) * 1_000_000n);
    expect(u64At(memory, 24)).toBe(BigInt(firstMs + 5) * 1_000_000n);
    expect([u64At(memory, 32), u64At(memory, 40)]).toEqual([1_000_000n, 1_000_000n]);
    expect(calls).toEqual([
      ["clock_now", {}],
      ["clock_now", {}],
    ]);
  });

  it("go back with the capability, but the monotonic one does not", async () => {
    const times = [5000, 4000, 3000, 6000];
    const { memory } = await probe(
      [0, 1, 1, 1].map((clock, index) => callOf("clock_time_get", { 0: clock, 2: index * 8 })).join(" "),
      4,
      { answer: ({ seq }) => answer({ ok: { ms: times[seq] as number } }) },
    );
    const seen = [0, 8, 16, 24].map((at) => Number(u64At(memory, at) / 1_000_000n));
    expect(seen).toEqual([5000, 4000, 4000, 6000]);
  });

  it.each([
    ["denied", { error: { code: "EXO_CAPABILITY_DENIED", message: "no" } }, acces],
    ["failed", { error: { code: "EXO_FS_IO", message: "no" } }, io],
    ["a negative time", { ok: { ms: -1 } }, io],
    ["a fraction", { ok: { ms: 1.5 } }, io],
    ["no number", { ok: { ms: "1" } }, io],
    ["no member", { ok: {} }, io],
    ["no form", {}, io],
    ["an error without a message", { error: { code: "EXO_CAPABILITY_DENIED" } }, io],
    ["no map", [1], io],
    ["nil", null, io],
    ["bytes", new Uint8Array(1), io],
  ])("%s is an error number and leaves the memory alone", async (_, document, errno) => {
    const { errnos, memory } = await probe(callOf("clock_time_get", { 2: 8 }), 1, { answer: () => answer(document) });
    expect(errnos).toEqual([errno]);
    expect(u64At(memory, 8)).toBe(0n);
  });

  it("no answer at all is one as well", async () => {
    const empty = { kind: "answer", response: new Uint8Array(0) } as const;
    expect((await probe(callOf("clock_time_get"), 1, { answer: () => empty })).errnos).toEqual([io]);
  });
});

describe("random_get", () => {
  it("refuses wild buffers without a call", async () => {
    const { errnos, calls } = await probe(
      `${callOf("random_get", { 0: 65_530, 1: 7 })} ${callOf("random_get", { 0: -1, 1: 1 })}
       ${callOf("random_get", { 1: 65_537 })} ${callOf("random_get", { 0: 65_537 })}`,
      4,
    );
    expect(errnos).toEqual([fault, fault, fault, fault]);
    expect(calls).toEqual([]);
  });

  it("fills the buffer, and only it", async () => {
    const { errnos, memory, calls } = await probe(callOf("random_get", { 0: 8, 1: 4 }), 1);
    expect(errnos).toEqual([success]);
    expect([...memory.subarray(7, 13)]).toEqual([0, 0, 1, 2, 3, 0]);
    expect(calls).toEqual([["random_bytes", { length: 4 }]]);
  });

  it("of no bytes asks for none", async () => {
    const { errnos, calls } = await probe(callOf("random_get", { 0: 65_536 }), 1);
    expect([errnos, calls]).toEqual([[success], []]);
  });

  it("of many bytes is several calls", async () => {
    const grow = "(drop (memory.grow (i32.const 2)))";
    const { errnos, calls } = await probe(`${grow} ${callOf("random_get", { 0: 4096, 1: 140_000 })}`, 1);
    expect(errnos).toEqual([success]);
    expect(calls.map(([, request]) => request)).toEqual([{ length: 65_536 }, { length: 65_536 }, { length: 8928 }]);
  });

  it.each([
    ["denied", { error: { code: "EXO_CAPABILITY_DENIED", message: "no" } }, acces],
    ["too few", { ok: { bytes: new Uint8Array(3) } }, io],
    ["too many", { ok: { bytes: new Uint8Array(5) } }, io],
    ["text", { ok: { bytes: "1234" } }, io],
    ["nothing", { ok: {} }, io],
  ])("%s is an error number", async (_, document, errno) => {
    const { errnos, memory } = await probe(callOf("random_get", { 0: 8, 1: 4 }), 1, { answer: () => answer(document) });
    expect(errnos).toEqual([errno]);
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });
});
