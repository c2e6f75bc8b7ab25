import { describe, expect, it } from "vitest";
import { decodeAbi } from "../../../src/canonical/msgpack.js";
import type { GuestCall } from "../../../src/ports.js";
import { bytes, guest, number, program, runHere, text } from "../support.js";

const data = (content: string): string => `(data (i32.const 0) "${content}")`;

describe("blocks", () => {
  it("are zeroed, have exact lengths and addresses aligned to 8, none of them 0", async () => {
    const module = program(`
      (local.set $a (call $alloc (i64.const 13)))
      (if (i64.eqz (local.get $a)) (then unreachable))
      (if (i64.ne (i64.and (local.get $a) (i64.const 7)) (i64.const 0)) (then unreachable))
      (if (i32.ne (call $load_u8 (i64.add (local.get $a) (i64.const 12))) (i32.const 0)) (then unreachable))
      (if (i64.ne (call $length_unsafe (local.get $a)) (i64.const 13)) (then unreachable))
      (call $show (call $length (local.get $a)))`);
    expect(number(await runHere(module))).toBe(13n);
  });

  it("keep what is stored, at any alignment, little-endian", async () => {
    const module = program(`
      (local.set $a (call $alloc (i64.const 16)))
      (call $store_u64 (i64.add (local.get $a) (i64.const 3)) (i64.const 0x8877665544332211))
      (call $store_u8 (i64.add (local.get $a) (i64.const 4)) (i32.const 0x1ff))
      (call $show (call $load_u64 (i64.add (local.get $a) (i64.const 3))))`);
    expect(number(await runHere(module))).toBe(0x887766554433ff11n);
  });

  it("of no bytes are address 0, whose length is 0", async () => {
    const module = program(`
      (if (i64.ne (call $alloc (i64.const 0)) (i64.const 0)) (then unreachable))
      (call $show (call $length (i64.const 0)))`);
    expect(number(await runHere(module))).toBe(0n);
  });

  it("can be freed twice, and a freed one has length 0", async () => {
    const module = program(`
      (local.set $a (call $alloc (i64.const 8)))
      (call $free (local.get $a))
      (call $free (local.get $a))
      (call $free (i64.const 0))
      (local.set $b (call $alloc (i64.const 8)))
      (if (i64.eq (local.get $a) (local.get $b)) (then unreachable))
      (call $free (local.get $a))
      (call $store_u8 (local.get $b) (i32.const 1))
      (call $show (call $length (local.get $a)))`);
    expect(number(await runHere(module))).toBe(0n);
  });

  it("are zeroed again in the place of a freed one, small or large", async () => {
    for (const size of [1, 8, 63, 64, 65, 4096]) {
      const module = program(`
        (local.set $a (call $alloc (i64.const ${size})))
        (call $store_u8 (i64.add (local.get $a) (i64.const ${size - 1})) (i32.const 255))
        (call $free (local.get $a))
        (local.set $a (call $alloc (i64.const ${size})))
        (call $show (i64.extend_i32_u (call $load_u8 (i64.add (local.get $a) (i64.const ${size - 1})))))`);
      expect(number(await runHere(module)), String(size)).toBe(0n);
    }
  });

  it("side by side do not reach into each other", async () => {
    const module = program(`
      (loop $fill
        (local.set $b (local.get $a))
        (local.set $a (call $alloc (i64.const 64)))
        (loop $byte
          (call $store_u64 (i64.add (local.get $a) (i64.extend_i32_u (local.get $i))) (i64.const -1))
          (br_if $byte (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 63))))
        (local.set $i (i32.const 0))
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (br_if $fill (i32.lt_u (i32.load (i32.const 0)) (i32.const 3000))))
      (call $free (local.get $b))
      (local.set $b (call $alloc (i64.const 5)))
      (call $show (i64.add (call $load_u64 (local.get $a)) (i64.extend_i32_u (call $load_u8 (local.get $b)))))`);
    expect(number(await runHere(module))).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("freed make room again", async () => {
    const module = program(`
      (loop $again
        (call $free (call $alloc (i64.const 900000)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 50))))`);
    expect(await runHere(module)).toMatchObject({ status: "completed" });
  });
});

describe("input", () => {
  it("reads by offset and through its block", async () => {
    const module = program(`
      (local.set $a (call $input_offset))
      (if (i64.ne (call $input_load_u64 (i64.const 1)) (call $load_u64 (i64.add (local.get $a) (i64.const 1)))) (then unreachable))
      (if (i32.ne (call $input_load_u8 (i64.const 8)) (i32.const 105)) (then unreachable))
      (if (i64.ne (call $length (local.get $a)) (call $input_length)) (then unreachable))
      (call $output_set (i64.add (local.get $a) (i64.const 2)) (i64.const 3))`);
    expect(text((await runHere(module, { input: bytes("abcdefghi") })).output)).toBe("cde");
  });

  it("of no bytes has offset 0 and length 0", async () => {
    const module = program(`(call $show (i64.add (call $input_length) (call $input_offset)))`);
    expect(number(await runHere(module))).toBe(0n);
  });

  it("is gone once freed", async () => {
    const module = program(`(call $free (call $input_offset)) (call $show (call $input_length))`);
    expect(number(await runHere(module, { input: bytes("abc") }))).toBe(0n);
  });

  it("counts against the kernel's bytes", async () => {
    const module = program("");
    const input = new Uint8Array(4096);
    const over = { status: "out_of_memory", error: { code: "EXO_OUT_OF_MEMORY" }, fuelUsed: 0 };
    expect(await runHere(module, { input, limits: { kernelBytes: 4095 } })).toMatchObject(over);
    expect(await runHere(module, { input, limits: { kernelBytes: 4096 } })).toMatchObject({ status: "completed" });
  });
});

describe("output", () => {
  it("is empty when none was set", async () => {
    expect((await runHere(program(""))).output).toEqual(new Uint8Array(0));
  });

  it("is what the last output_set names, read at the end, freed or not", async () => {
    const module = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 4)))
       (call $output_set (i64.const 0) (i64.const 0))
       (call $output_set (i64.add (local.get $a) (i64.const 1)) (i64.const 2))
       (call $store_u8 (i64.add (local.get $a) (i64.const 1)) (i32.const 33))
       (call $free (local.get $a))`,
      data("wxyz"),
    );
    expect(text((await runHere(module)).output)).toBe("!y");
  });

  it("can be taken back", async () => {
    const module = program(`(call $all (call $alloc (i64.const 8))) (call $output_set (i64.const 0) (i64.const 0))`);
    expect((await runHere(module)).output).toEqual(new Uint8Array(0));
  });

  it("is not that of a block in the place of a freed one", async () => {
    const module = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 4)))
       (call $all (local.get $a))
       (call $free (local.get $a))
       (call $store_u8 (call $alloc (i64.const 4)) (i32.const 33))`,
      data("kept"),
    );
    expect(text((await runHere(module)).output)).toBe("kept");
    const failing = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 4)))
       (call $error_set (local.get $a))
       (call $free (local.get $a))
       (call $store_u8 (call $alloc (i64.const 4)) (i32.const 33))`,
      data("kept"),
    );
    expect((await runHere(failing)).error?.message).toBe("kept");
  });

  it("may have exactly its limit and no more", async () => {
    const module = program(`(call $all (call $alloc (call $input_load_u64 (i64.const 0))))`);
    const size = (value: number): Uint8Array => new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
    expect((await runHere(module, { input: size(65_536) })).output?.length).toBe(65_536);
    const over = await runHere(module, { input: size(65_537) });
    expect(over).toMatchObject({ status: "output_limit", error: { code: "EXO_OUTPUT_LIMIT" } });
    expect(over.output).toBeUndefined();
  });
});

describe("errors", () => {
  const fail = (content: string, code: number): ReturnType<typeof runHere> => {
    const size = [...content.matchAll(/\\[0-9a-f]{2}|./gu)].length;
    const body = `(call $error_set (call $text (i32.const 0) (i32.const ${size}))) (return (i32.const ${code}))`;
    return runHere(program(body, data(content)));
  };

  it("carry the guest's message", async () => {
    expect(await fail("no such row", 1)).toMatchObject({
      status: "guest_error",
      error: { code: "EXO_GUEST_ERROR", message: "no such row" },
    });
  });

  it("fail a function that returns 0, as for Extism", async () => {
    expect(await fail("half done", 0)).toMatchObject({ status: "guest_error", error: { message: "half done" } });
  });

  it("have no message when none was set, or when it was taken back", async () => {
    const expected = { code: "EXO_GUEST_ERROR" };
    expect((await runHere(program("(return (i32.const -1))"))).error).toEqual(expected);
    const module = program(
      "(call $error_set (call $text (i32.const 0) (i32.const 2))) (call $error_set (i64.const 0)) (return (i32.const 7))",
      data("no"),
    );
    expect((await runHere(module)).error).toEqual(expected);
  });

  it("that are not UTF-8 are named as such", async () => {
    expect((await fail("\\ff\\fe", 1)).error).toEqual({
      code: "EXO_GUEST_ERROR",
      message: "(the message is not UTF-8)",
    });
  });

  it("end at 1,024 characters, never inside one", async () => {
    const cut = async (character: string, size: number, before = ""): Promise<string> => {
      const module = program(`
        (local.set $a (call $alloc (call $input_length)))
        (loop $next
          (call $store_u8 (i64.add (local.get $a) (local.get $b)) (call $input_load_u8 (local.get $b)))
          (br_if $next (i64.lt_u (local.tee $b (i64.add (local.get $b) (i64.const 1))) (call $input_length))))
        (call $error_set (local.get $a))`);
      const outcome = await runHere(module, { input: bytes(before + character.repeat(size)) });
      return outcome.error?.message ?? "";
    };
    expect(await cut("x", 5000)).toBe("x".repeat(1024));
    expect(await cut("é", 3000)).toBe("é".repeat(1024));
    expect(await cut("語", 3000)).toBe("語".repeat(1024));
    expect(await cut("🙂", 2000)).toBe("🙂".repeat(512));
    expect(await cut("🙂", 3)).toBe("🙂🙂🙂");
    expect(await cut("🙂", 1000, "x")).toBe(`x${"🙂".repeat(511)}`);
  });
});

describe("configuration, variables and log", () => {
  it("has no configuration, whatever the key", async () => {
    const module = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 9)))
       (if (i64.ne (call $config_get (local.get $a)) (i64.const 0)) (then unreachable))
       (call $show (call $length (local.get $a)))`,
      data("__proto__"),
    );
    expect(number(await runHere(module))).toBe(0n);
  });

  it("pins the log level to info", async () => {
    expect(number(await runHere(program("(call $show (i64.extend_i32_u (call $get_log_level)))")))).toBe(2n);
  });

  it("keeps variables by name within a run, and takes the blocks over", async () => {
    const module = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 1)))
       (call $var_set (local.get $a) (call $text (i32.const 2) (i32.const 5)))
       (if (i64.ne (call $length (local.get $a)) (i64.const 0)) (then unreachable))
       (call $var_set (call $text (i32.const 1) (i32.const 1)) (call $text (i32.const 7) (i32.const 3)))
       (if (i64.ne (call $var_get (call $text (i32.const 1) (i32.const 2))) (i64.const 0)) (then unreachable))
       (call $all (call $var_get (call $text (i32.const 0) (i32.const 1))))`,
      data("\\ff\\fefirsttwo"),
    );
    expect(text((await runHere(module)).output)).toBe("first");
  });

  it("deletes a variable set to address 0", async () => {
    const module = program(
      `(call $var_set (call $text (i32.const 0) (i32.const 1)) (call $text (i32.const 0) (i32.const 4)))
       (call $var_set (call $text (i32.const 0) (i32.const 1)) (i64.const 0))
       (call $show (call $var_get (call $text (i32.const 0) (i32.const 1))))`,
      data("kept"),
    );
    expect(number(await runHere(module))).toBe(0n);
  });

  it("refuses variables beyond 1,024 bytes, names included", async () => {
    const over = { status: "out_of_memory", error: { code: "EXO_OUT_OF_MEMORY" } };
    const large = program("(call $var_set (call $alloc (i64.const 1)) (call $alloc (i64.const 1024)))");
    expect(await runHere(large)).toMatchObject(over);
    const fits = program("(call $var_set (call $alloc (i64.const 1)) (call $alloc (i64.const 1023)))");
    expect(await runHere(fits)).toMatchObject({ status: "completed" });
    const name = program("(drop (call $var_get (call $alloc (i64.const 1025))))");
    expect(await runHere(name)).toMatchObject(over);
  });

  it("setting a variable again and again does not use it up", async () => {
    const module = program(`
      (loop $again
        (call $var_set (call $alloc (i64.const 8)) (call $alloc (i64.const 900)))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))`);
    expect(await runHere(module)).toMatchObject({ status: "completed" });
  });

  it("sends log lines through the log capability, and frees them", async () => {
    const calls: GuestCall[] = [];
    const module = program(
      `(local.set $a (call $text (i32.const 0) (i32.const 4)))
       (call $log_warn (local.get $a))
       (call $log_trace (call $text (i32.const 4) (i32.const 1)))
       (call $log_error (i64.const 0))
       (call $show (call $length (local.get $a)))`,
      data("care\\ff"),
    );
    const outcome = await runHere(module, {}, calls);
    expect(number(outcome)).toBe(0n);
    expect(outcome.hostCalls).toBe(3);
    expect(calls.map((call) => [call.seq, call.capability, decodeAbi(call.request)])).toEqual([
      [0, "log", { level: "warn", message: "care" }],
      [1, "log", { level: "trace", message: "\ufffd" }],
      [2, "log", { level: "error", message: "" }],
    ]);
  });
});

describe("log lines", () => {
  const line = async (content: Uint8Array): Promise<string> => {
    const calls: GuestCall[] = [];
    const module = program("(call $log_info (call $input_offset))");
    await runHere(module, { input: content }, calls);
    return (decodeAbi(calls[0]?.request ?? new Uint8Array(0)) as { message: string }).message;
  };

  it("are cut at 4,096 bytes of UTF-8, never inside a character", async () => {
    expect(await line(bytes("x".repeat(4096)))).toBe("x".repeat(4096));
    expect(await line(bytes("x".repeat(9000)))).toBe("x".repeat(4096));
    expect(await line(bytes(`x${"é".repeat(3000)}`))).toBe(`x${"é".repeat(2047)}`);
    expect(await line(bytes("🙂".repeat(1025)))).toBe("🙂".repeat(1024));
    expect(await line(new Uint8Array(4096).fill(0xff))).toBe("\ufffd".repeat(1365));
  });
});

describe("capabilities", () => {
  const ask = program(
    `(local.set $a (call $text (i32.const 0) (i32.const 5)))
     (local.set $b (call $clock_now (local.get $a)))
     (if (i64.ne (call $length (local.get $a)) (i64.const 5)) (then unreachable))
     (call $all (local.get $b))`,
    data("query"),
  );

  it("carry a block there and a block back", async () => {
    const calls: GuestCall[] = [];
    const outcome = await runHere(ask, { answer: () => ({ kind: "answer", response: bytes("reply") }) }, calls);
    expect(text(outcome.output)).toBe("reply");
    expect(outcome.hostCalls).toBe(1);
    expect(calls).toEqual([{ seq: 0, capability: "clock_now", request: bytes("query"), fuel: calls[0]?.fuel }]);
    expect(calls[0]?.fuel).toBeGreaterThan(0);
    expect(calls[0]?.fuel).toBeLessThanOrEqual(outcome.fuelUsed);
  });

  it("may be asked and may answer with no bytes, which is address 0", async () => {
    const calls: GuestCall[] = [];
    const module = program("(call $show (call $random_bytes (i64.const 0)))");
    expect(number(await runHere(module, {}, calls))).toBe(0n);
    expect(calls[0]?.request).toEqual(new Uint8Array(0));
  });

  it("give the guest a copy of the answer", async () => {
    const response = bytes("recorded");
    const module = program("(call $store_u8 (call $clock_now (i64.const 0)) (i32.const 33))");
    await runHere(module, { answer: () => ({ kind: "answer", response }) });
    expect(text(response)).toBe("recorded");
  });

  it("whose answer does not fit end the run", async () => {
    const answer = () => ({ kind: "answer", response: new Uint8Array(1_048_576) }) as const;
    expect(await runHere(ask, { answer })).toMatchObject({ status: "out_of_memory", hostCalls: 1 });
  });

  it("can be answered with an order to stop", async () => {
    const answer = () =>
      ({ kind: "stop", status: "capability_denied", code: "EXO_CAPABILITY_DENIED", message: "not granted" }) as const;
    expect(await runHere(ask, { answer })).toMatchObject({
      status: "capability_denied",
      error: { code: "EXO_CAPABILITY_DENIED", message: "not granted" },
      hostCalls: 1,
    });
  });

  it("stop at the limit, log lines included, without being asked", async () => {
    const calls: GuestCall[] = [];
    const module = guest(`(func (export "run") (result i32)
      (loop $l (call $log_info (i64.const 0)) (drop (call $clock_now (i64.const 0))) (br $l)) (i32.const 0))`);
    const outcome = await runHere(module, { limits: { hostCalls: 7 } }, calls);
    expect(outcome).toMatchObject({ status: "host_call_limit", error: { code: "EXO_HOST_CALL_LIMIT" }, hostCalls: 7 });
    expect(calls.map((call) => call.seq)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});
