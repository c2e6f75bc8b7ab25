import { describe, expect, it } from "vitest";
import { decodeAbi } from "../../src/canonical/msgpack.js";
import { wasiErrno, wasiRows } from "../../src/contracts/wasi.js";
import type { GuestAnswer, GuestCall } from "../../src/ports.js";
import { answer, answerWasi, callOf, probe, wasiGuest, write, written } from "../sandbox/imports/wasi-support.js";
import { createPool, job, runHere } from "../sandbox/support.js";

const { badf, fault, inval, success } = wasiErrno;

/** A call of {@link callOf} as it is, its error number not kept. */
const bare = (kept: string): string => kept.slice("(call $r ".length, -1);

/** A loop of `count` rounds around a statement. */
const rounds = (count: number, statement: string): string =>
  `(local.set $i (i32.const 0)) (loop $next ${statement} (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const ${count}))))`;

describe("wild pointers", () => {
  /** Every i32 argument but the first of a function that has a pointer among them. */
  const values = [-1, -8, 65_536, 65_535, 65_529, 0x7fff_ffff, -0x8000_0000];

  it("in every argument of every function end no host, and give an error number of WASI", async () => {
    for (const { name, params } of wasiRows) {
      if (name === "proc_exit") continue;
      const calls = values.flatMap((value) => {
        const args = Object.fromEntries(params.flatMap((type, index) => (type === "i32" ? [[index, value]] : [])));
        // A descriptor or clock that exists as well, so that the pointers behind it are looked at.
        return [value, 0, 1].map((first) => bare(callOf(name, { ...args, 0: first })));
      });
      const checked = calls.map((call) => `(if (i32.gt_u ${call} (i32.const 76)) (then unreachable))`);
      const { outcome } = await probe(checked.join(" "), 0, { limits: { fuel: 2 ** 45 } });
      expect([name, outcome.status]).toEqual([name, "completed"]);
    }
  });

  it("leave the last bytes of the memory alone", async () => {
    const last = "(i64.store (i32.const 65528) (i64.const 0x1122334455667788))";
    const touched = `(if (i64.ne (i64.load (i32.const 65528)) (i64.const 0x1122334455667788)) (then unreachable))`;
    const attacks = [
      callOf("clock_time_get", { 2: 65_529 }),
      callOf("clock_res_get", { 1: 65_529 }),
      callOf("random_get", { 0: 65_529, 1: 8 }),
      callOf("args_sizes_get", { 0: 65_533, 1: 0 }),
      callOf("environ_sizes_get", { 0: 0, 1: 65_533 }),
      callOf("fd_fdstat_get", { 1: 65_513 }),
      callOf("fd_filestat_get", { 1: 65_473 }),
      callOf("fd_read", { 3: 65_533 }),
      `${written("x\n")} ${write(1, 1, 65_533)}`,
    ];
    const { outcome, errnos, calls } = await probe(`${last} ${attacks.join(" ")} ${touched}`, attacks.length);
    expect(outcome.status).toBe("completed");
    expect(errnos).toEqual(attacks.map(() => fault));
    expect(calls).toEqual([]);
  });

  it("that share memory with the vectors give what was there before the call", async () => {
    // The vector names itself, and the count is written over it.
    const self = "(i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 8))";
    const { errnos, memory, calls } = await probe(`${self} ${write(1, 1, 0)}`, 1);
    expect(errnos).toEqual([success]);
    expect([...memory.subarray(0, 8)]).toEqual([8, 0, 0, 0, 8, 0, 0, 0]);
    expect(calls).toEqual([["log", { level: "info", message: "\0\0\0\0\b\0\0\0" }]]);
  });
});

describe("work the guest has not paid for", () => {
  it("2^28 vectors of 4 GiB each", async () => {
    const vectors = "(memory.fill (i32.const 0) (i32.const 255) (i32.const 16384))";
    const { outcome } = await probe(`${vectors} ${write(1, 2 ** 28)}`, 1);
    expect(outcome.status).toBe("out_of_fuel");
    const rich = await probe(`${vectors} ${write(1, 2 ** 28)} ${write(1, 1024)}`, 2, { limits: { fuel: 2 ** 40 } });
    expect(rich.errnos).toEqual([inval, fault]);
    expect(rich.calls).toEqual([]);
  });

  it("vectors are paid for one by one", async () => {
    const fuelOf = async (count: number): Promise<number> => (await probe(write(1, count), 1)).outcome.fuelUsed;
    expect((await fuelOf(1024)) - (await fuelOf(0))).toBe(1024 * 16);
    const bytes = async (length: number): Promise<number> =>
      (await probe(`(drop (memory.grow (i32.const 2))) ${callOf("random_get", { 1: length })}`, 1)).outcome.fuelUsed;
    expect((await bytes(80_000)) - (await bytes(0))).toBe(10_000);
  });

  it("a million writes end at the host-call limit", async () => {
    const module = wasiGuest(`${written("x\n")} ${rounds(1_000_000, `(drop ${bare(write(1))})`)}`);
    const calls: GuestCall[] = [];
    const draft = { limits: { hostCalls: 1000, fuel: 2 ** 40 }, answer: answerWasi };
    expect(await runHere(module, draft, calls)).toMatchObject({
      status: "host_call_limit",
      error: { code: "EXO_HOST_CALL_LIMIT" },
      hostCalls: 1000,
    });
    expect(calls).toHaveLength(1000);
  });

  it("98,233 writes without a line end are one line for every 4 KiB", async () => {
    const module = wasiGuest(`${written("x")} ${rounds(98_233, `(drop ${bare(write(1))})`)}`);
    const calls: GuestCall[] = [];
    const outcome = await runHere(module, { limits: { fuel: 2 ** 40 }, answer: answerWasi }, calls);
    // A line counts as full when no character of four bytes would fit any more.
    expect(outcome).toMatchObject({ status: "completed", hostCalls: Math.ceil(98_233 / 4093) });
  });

  it("clock and randomness count as host calls", async () => {
    for (const call of [callOf("clock_time_get"), callOf("random_get", { 1: 1 })]) {
      const { outcome } = await probe(rounds(1000, `(drop ${bare(call)})`), 0, {
        limits: { hostCalls: 10 },
      });
      expect(outcome).toMatchObject({ status: "host_call_limit", hostCalls: 10 });
    }
  });

  it("a random_get of the whole memory is bounded by the host calls", async () => {
    const body = `(drop (memory.grow (i32.const 3))) ${callOf("random_get", { 1: 262_144 })}`;
    const { outcome } = await probe(body, 1, { limits: { hostCalls: 3 } });
    expect(outcome).toMatchObject({ status: "host_call_limit", hostCalls: 3 });
  });

  it("calls that do nothing cost the guest fuel", async () => {
    const { outcome } = await probe(rounds(1_000_000, "(drop (call $sched_yield))"), 0);
    expect(outcome.status).toBe("out_of_fuel");
  });
});

describe("exits", () => {
  it("from the start section, again and again, leave nothing behind", async () => {
    const module = wasiGuest("", "(func $s (call $proc_exit (i32.const 0))) (start $s)");
    for (let round = 0; round < 3; round++) {
      expect(await runHere(module)).toMatchObject({ status: "guest_error", hostCalls: 0 });
    }
    expect((await probe(callOf("fd_close", { 0: 1 }), 1)).errnos).toEqual([success]);
  });

  it("deep in the stack end the run at once", async () => {
    const deep = `(func $down (param i32) (if (i32.eqz (local.get 0)) (then (call $proc_exit (i32.const 9))))
      (call $down (i32.sub (local.get 0) (i32.const 1))) (call $proc_exit (i32.const 0)))`;
    const { outcome } = await probe("(call $down (i32.const 500))", 0, { before: deep });
    expect(outcome).toMatchObject({ status: "guest_error", error: { message: "the guest called proc_exit(9)" } });
  });

  it("cannot be reached by a table around the charge", async () => {
    const table = `(table 1 funcref) (elem (i32.const 0) $sched_yield) (type $t (func (result i32)))`;
    const { outcome } = await probe(rounds(1_000_000, "(drop (call_indirect (type $t) (i32.const 0)))"), 0, {
      before: table,
    });
    expect(outcome.status).toBe("out_of_fuel");
  });

  it("re-exported and called by the host as the function asked for", async () => {
    const module = wasiGuest("", `(export "yield" (func $sched_yield))`);
    expect(await runHere(module, { function: "yield" })).toMatchObject({ status: "completed" });
  });
});

describe("what a guest can tell apart", () => {
  const body = `(drop (memory.grow (i32.const 1)))
    ${callOf("clock_time_get", { 2: 0 })} ${callOf("clock_time_get", { 0: 1, 2: 8 })} ${callOf("random_get", { 0: 16, 1: 32 })}
    ${callOf("random_get", { 0: 100, 1: 70_000 })} ${written("said\n")} ${write(1)} ${write(2)}`;

  it("is the same again from a recording: output, fuel and calls", async () => {
    const record: { call: GuestCall; given: GuestAnswer }[] = [];
    let salt = 0;
    const live = (call: GuestCall): GuestAnswer => {
      salt = (salt * 1_103_515_245 + 12_345 + call.seq) % 2_147_483_648;
      const given =
        call.capability === "clock_now"
          ? answer({ ok: { ms: 1_700_000_000_000 + salt } })
          : call.capability === "random_bytes"
            ? answer({
                ok: { bytes: new Uint8Array((decodeAbi(call.request) as { length: number }).length).fill(salt & 0xff) },
              })
            : answer({ ok: {} });
      record.push({ call: { ...call, request: call.request.slice() }, given });
      return given;
    };
    const first = await probe(body, 6, { answer: live });
    expect(first.outcome.status).toBe("completed");
    let next = 0;
    const again = await probe(body, 6, {
      answer: (call) => {
        const step = record[next++];
        expect(call).toEqual(step?.call);
        return step?.given ?? answer({});
      },
    });
    expect(next).toBe(record.length);
    expect(again).toEqual(first);
  });

  it("is never the machine: nothing of it is answered without a call", async () => {
    const quiet = wasiRows.filter(({ capability, name }) => capability === null && name !== "proc_exit");
    const calls = quiet.flatMap(({ name }) => [0, 1, 3].map((fd) => callOf(name, { 0: fd })));
    const first = await probe(calls.slice(0, 120).join(" "), 120);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await probe(calls.slice(0, 120).join(" "), 120)).toEqual(first);
    expect(first.calls).toEqual([]);
  });

  it("one run's streams, clock and lines are not another's, in a pool", async () => {
    const pool = createPool();
    try {
      const module =
        wasiGuest(`${written("left over")} ${write(1)} ${callOf("fd_close", { 0: 2 })} ${callOf("fd_close", { 0: 0 })}
        unreachable`);
      const clean = wasiGuest(
        `${written("\n")} ${write(1)} (if (i32.ne (call $fd_close (i32.const 2)) (i32.const 0)) (then unreachable))`,
      );
      const said: GuestCall[] = [];
      const call = (asked: GuestCall): GuestAnswer => {
        said.push(asked);
        return answerWasi(asked);
      };
      expect(await pool.run(job(module, { call }))).toMatchObject({ status: "trapped", hostCalls: 0 });
      expect(await pool.run(job(clean, { call }))).toMatchObject({ status: "completed", hostCalls: 1 });
      expect(said).toHaveLength(1);
    } finally {
      await pool.close();
    }
  });

  it("has no descriptor but the three", async () => {
    const fds = [3, 4, 5, 63, 255, 1024, -1, 32, 33, 34];
    const { errnos } = await probe(fds.map((fd) => callOf("fd_fdstat_get", { 0: fd })).join(" "), fds.length);
    expect(errnos).toEqual(fds.map(() => badf));
  });
});
