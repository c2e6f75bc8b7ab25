import { afterEach, describe, expect, it } from "vitest";
import type { GuestAnswer, Logger, SandboxHost, SandboxOutcome } from "../../src/ports.js";
import type { ScheduleOptions } from "../../src/sandbox/scheduler.js";
import { expectSteady, runHostile } from "./hostile.js";
import { bytes, job, program, text } from "./support.js";

/** One way of making pools; their size is 1 unless the options say otherwise. */
export type PoolKind = {
  readonly name: string;
  /** How many hostile plugins it is shown to survive here; a long run shows more. */
  readonly hostile: number;
  open(options: ScheduleOptions): Promise<SandboxHost>;
};

const done = { status: "completed" };
const idle = program("");
const spin = program("(loop $l (br $l))");
const copy = program(`
  (local.set $a (call $input_offset))
  (call $output_set (local.get $a) (call $input_length))`);
const ask = program("(call $all (call $clock_now (call $input_offset)))");
const answer = (content: string): GuestAnswer => ({ kind: "answer", response: bytes(content) });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A gate that holds host calls until it is opened. */
function gate(): { readonly call: () => Promise<GuestAnswer>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { call: () => opened.then(() => answer("late")), open: () => open() };
}

/** What every pool must do, whatever its workers are. */
export function describePool(kind: PoolKind): void {
  describe(`pool contract: ${kind.name}`, () => {
    const pools: SandboxHost[] = [];
    afterEach(async () => {
      await Promise.all(pools.splice(0).map((pool) => pool.close()));
    });
    async function open(options: ScheduleOptions = {}): Promise<SandboxHost> {
      const pool = await kind.open(options);
      pools.push(pool);
      return pool;
    }

    describe("jobs", () => {
      it("200 at once over two workers get their own answers", async () => {
        const pool = await open({ size: 2 });
        const outcomes = await Promise.all(
          Array.from({ length: 200 }, (_, i) =>
            pool.run(
              job(ask, {
                input: bytes(`question ${i}`),
                call: async ({ request, seq, capability }) => {
                  await sleep((i * 7) % 5);
                  return answer(`${capability} ${seq} ${text(request)} answer ${i}`);
                },
              }),
            ),
          ),
        );
        outcomes.forEach((outcome, i) => {
          expect(text(outcome.output)).toBe(`clock_now 0 question ${i} answer ${i}`);
        });
      });

      it("of one module share no memory, and of many modules neither", async () => {
        const pool = await open({ size: 1 });
        const modules = Array.from({ length: 70 }, (_, i) =>
          program(
            `(call $show (i64.add (i64.const ${i}) (i64.load (i32.const 0)))) (i64.store (i32.const 0) (i64.const 1000))`,
          ),
        );
        for (const turn of [0, 1]) {
          for (const [i, module] of modules.entries()) {
            const { output } = await pool.run(job(module));
            expect(output?.[0], `turn ${turn}`).toBe(i);
          }
        }
      });

      it("may be views of larger buffers, small or large, and stay the caller's", async () => {
        const pool = await open();
        for (const size of [5, 16_383, 16_384, 60_000]) {
          const whole = new Uint8Array(size + 100).fill(1);
          const input = whole.subarray(50, 50 + size).fill(2);
          const { output } = await pool.run(job(copy, { input }));
          expect(output).toEqual(input);
          expect(whole.byteLength).toBe(size + 100);
          const response = Buffer.from(input);
          const asked = await pool.run(job(ask, { input, call: () => ({ kind: "answer", response }) }));
          expect(asked.output).toEqual(input);
          expect(response.byteLength).toBe(size);
        }
        const exact = new Uint8Array(50_000).fill(3);
        await pool.run(job(program("(call $store_u8 (call $input_offset) (i32.const 9))"), { input: exact }));
        expect(exact[0]).toBe(3);
        expect(exact.byteLength).toBe(50_000);
      });

      it("whose module does not compile are a host fault, each time", async () => {
        const pool = await open();
        const broken = { digest: "sha256:broken", bytes: new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 9]) };
        const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" } };
        expect(await pool.run(job(broken))).toMatchObject(fault);
        expect(await pool.run(job(broken))).toMatchObject(fault);
        expect(await pool.run(job(idle))).toMatchObject(done);
      });
    });

    describe("host calls", () => {
      it("that throw, reject or answer nonsense are a host fault, and the worker lives on", async () => {
        const lines: string[] = [];
        const logger: Logger = { log: (level, message) => lines.push(`${level} ${message}`) };
        const pool = await open({ logger });
        const fault = { status: "host_fault", error: { code: "EXO_HOST_FAULT" }, hostCalls: 1 };
        const thrower = (): never => {
          throw new Error("broken");
        };
        expect(await pool.run(job(ask, { call: thrower }))).toMatchObject(fault);
        expect(await pool.run(job(ask, { call: () => Promise.reject(new Error("broken")) }))).toMatchObject(fault);
        expect(await pool.run(job(ask, { call: () => undefined as never }))).toMatchObject(fault);
        expect(
          await pool.run(job(ask, { call: () => ({ kind: "answer", response: (() => 1) as never }) })),
        ).toMatchObject(fault);
        expect(await pool.run(job(ask, { call: () => answer("fine") }))).toMatchObject(done);
        expect(lines.filter((line) => line.includes("worker lost"))).toEqual([]);
        expect(lines).toContain("error sandbox: a host call failed");
      });

      it("tell the fuel that was used, and can order the run to stop", async () => {
        const pool = await open();
        let fuel = -1;
        const outcome = await pool.run(
          job(ask, {
            call: (call) => {
              fuel = call.fuel;
              return { kind: "stop", status: "in_doubt", code: "EXO_EFFECT_UNKNOWN", message: "who knows" };
            },
          }),
        );
        expect(outcome).toMatchObject({
          status: "in_doubt",
          error: { code: "EXO_EFFECT_UNKNOWN", message: "who knows" },
        });
        expect(fuel).toBeGreaterThan(0);
        expect(outcome.fuelUsed).toBeGreaterThanOrEqual(fuel);
      });

      it("under way at the deadline may settle before the job is answered", async () => {
        const pool = await open();
        const events: string[] = [];
        const outcome = await pool.run(
          job(ask, {
            limits: { timeoutMs: 1000 },
            call: (_, signal) =>
              new Promise((resolve) => {
                signal.addEventListener("abort", () => {
                  events.push("aborted");
                  setTimeout(() => {
                    events.push("recorded");
                    resolve(answer("too late"));
                  }, 60);
                });
              }),
          }),
        );
        events.push(outcome.status);
        expect(events).toEqual(["aborted", "recorded", "timed_out"]);
      });

      it("answered after the deadline reach nobody", async () => {
        const pool = await open();
        const late = gate();
        expect(await pool.run(job(ask, { limits: { timeoutMs: 1000 }, call: late.call }))).toMatchObject({
          status: "timed_out",
        });
        const next = pool.run(job(ask, { call: () => sleep(50).then(() => answer("mine")) }));
        late.open();
        expect(text((await next).output)).toBe("mine");
      });
    });

    describe("the queue", () => {
      it("runs in order, refuses beyond its bound, and counts", async () => {
        const pool = await open({ size: 1, queueBound: 2 });
        const held = gate();
        const order: number[] = [];
        const run = (i: number): Promise<SandboxOutcome> =>
          pool.run(job(ask, { call: held.call })).finally(() => order.push(i));
        const jobs = [run(0), run(1), run(2)];
        await expect(run(3)).rejects.toMatchObject({ code: "EXO_OVERLOADED" });
        await sleep(100);
        expect(pool.load()).toEqual({ running: 1, queued: 2, size: 1, queueBound: 2 });
        held.open();
        for (const outcome of await Promise.all(jobs)) {
          expect(outcome).toMatchObject(done);
        }
        expect(order).toEqual([3, 0, 1, 2]);
        expect(pool.load()).toMatchObject({ running: 0, queued: 0 });
        expect(await pool.run(job(idle))).toMatchObject(done);
      });

      it("lets one tenant's long jobs hold up nobody else's", async () => {
        const pool = await open({ size: 1 });
        const held = gate();
        const order: string[] = [];
        const run = (tenant: string, call: () => Promise<GuestAnswer>): Promise<unknown> =>
          pool.run({ ...job(ask, { call }), tenant }).then(() => order.push(tenant));
        const greedy = Array.from({ length: 6 }, () => run("greedy", () => sleep(30).then(() => answer(""))));
        const first = run("first", held.call);
        const modest = run("modest", held.call);
        held.open();
        await Promise.all([...greedy, first, modest]);
        expect(order.slice(0, 4).sort()).toEqual(["first", "greedy", "greedy", "modest"]);
        expect(order).toHaveLength(8);
      });

      it("refuses input beyond its bytes with its load, and takes it again later", async () => {
        const pool = await open({ size: 1, queueBytes: 1000 });
        const held = gate();
        const input = new Uint8Array(600);
        const running = pool.run(job(ask, { call: held.call, input }));
        const waiting = pool.run(job(idle, { input }));
        await expect(pool.run(job(idle, { input }))).rejects.toMatchObject({
          code: "EXO_OVERLOADED",
          message:
            "the sandbox queue has no room for a job of 600 bytes: 1 of 1024 jobs wait with 600 of 1000 bytes of input; 1 of 1 workers run",
        });
        held.open();
        expect(await Promise.all([running, waiting])).toMatchObject([done, done]);
        expect(await pool.run(job(idle, { input }))).toMatchObject(done);
      });

      it("is not held up by a job that has to be ended", async () => {
        const pool = await open({ size: 1 });
        const ended = pool.run(job(spin, { limits: { fuel: 9e15, timeoutMs: 100 } }));
        const after = Promise.all([pool.run(job(idle)), pool.run(job(idle))]);
        expect(await ended).toMatchObject({ status: "timed_out" });
        expect(await after).toMatchObject([done, done]);
      });
    });

    describe("hostile plugins", () => {
      it(`are survived, ${kind.hostile} in a row, with steady memory`, async () => {
        expectSteady(await runHostile(await open({ size: 2 }), kind.hostile));
      });
    });

    describe("closing", () => {
      it("answers what was taken, then refuses", async () => {
        const pool = await open({ size: 1 });
        const held = gate();
        const running = pool.run(job(ask, { call: held.call }));
        const queued = pool.run(job(idle));
        const closing = pool.close();
        await expect(pool.run(job(idle))).rejects.toMatchObject({ code: "EXO_CLOSED" });
        let closed = false;
        void closing.then(() => {
          closed = true;
        });
        await sleep(50);
        expect(closed).toBe(false);
        held.open();
        expect(await running).toMatchObject(done);
        expect(await queued).toMatchObject(done);
        await closing;
        await pool.close();
        await expect(pool.run(job(idle))).rejects.toMatchObject({ code: "EXO_CLOSED" });
      });

      it("is possible before anything ran", async () => {
        await (await open()).close();
      });
    });
  });
}
