import { beforeAll, describe, expect, test } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import type { ExecutionRecord } from "../../src/contracts/execution.js";
import { encodeUtf8 } from "../../src/crypto/encoding.js";
import type { SandboxHost } from "../../src/ports.js";
import { replay } from "../replay/support.js";
import { realPool } from "../support/real.js";
import { checkStore, endOf, eventTypes, openRig, type Rig } from "../support/rig.js";
import { type Hostile, hostilePlugin, watBytes } from "./support.js";

const pool = realPool({ size: 1 });
const forever = (body: string): string => `(loop $l ${body} (br $l))`;
const every8 = (text: string): string => {
  const [first = "", ...rest] = [...encodeUtf8(text.repeat(8).slice(0, 8))]
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, "0"));
  return `(i64.const 0x${[first, ...rest].join("")})`;
};

type Attack = Hostile & { readonly status: string; readonly code: string; readonly message?: string };

/** A guest that sets this as its output. */
const says = (output: "json" | "text", bytes: string | readonly number[]): Hostile => {
  const content = typeof bytes === "string" ? encodeUtf8(bytes) : Uint8Array.from(bytes);
  return {
    output,
    body: `(call $say (i32.const 0) (i32.const ${content.length}))`,
    rest: `(data (i32.const 0) ${watBytes(content)})`,
  };
};
/** A guest whose output repeats eight characters up to a length. */
const repeats = (text: string, length: number): Hostile => ({
  output: "json",
  body: `(call $all (call $fill ${every8(text)} (i64.const ${length})))`,
});
const broken = (output: "json" | "text") => ({
  status: "guest_error",
  code: "EXO_GUEST_ERROR",
  message: `the output is not ${output}`,
});

const resources: Readonly<Record<string, Attack>> = {
  "a memory bomb": {
    body: forever("(if (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)) (then unreachable))"),
    memory: "1",
    limits: { memoryPages: 16 },
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "a bomb of the host's memory through alloc": {
    body: forever("(drop (call $alloc (i64.const 1048576)))"),
    limits: { kernelBytes: 16_777_216 },
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "a bomb of the host's memory through alloc and free": {
    body: forever("(call $free (call $alloc (i64.const 1048576)))"),
    limits: { fuel: 50_000_000 },
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
  "a million tiny blocks": {
    body: `(loop $l (drop (call $alloc (i64.const 1)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))`,
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "a million variables": {
    body: forever(`(i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
      (call $var_set (call $text (i32.const 0) (i32.const 8)) (call $alloc (i64.const 1)))`),
    status: "out_of_memory",
    code: "EXO_OUT_OF_MEMORY",
  },
  "an output of more than its limit": {
    body: "(call $all (call $alloc (i64.const 1001)))",
    limits: { outputBytes: 1000 },
    status: "output_limit",
    code: "EXO_OUTPUT_LIMIT",
  },
  "an output of 2^63 bytes": {
    body: "(call $output_set (call $alloc (i64.const 8)) (i64.const 0x8000000000000000))",
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
  "recursion without an end": {
    body: "(call $f)",
    rest: "(func $f (call $f) (call $f))",
    status: "stack_overflow",
    code: "EXO_STACK_OVERFLOW",
  },
  "recursion in the start section": {
    body: "",
    rest: "(func $f (call $f) (call $f)) (start $f)",
    status: "stack_overflow",
    code: "EXO_STACK_OVERFLOW",
  },
  "an endless start section": {
    body: "",
    rest: `(func $s ${forever("")}) (start $s)`,
    limits: { fuel: 1_000_000 },
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
  "a trap in the start section": {
    body: "",
    rest: "(func $s unreachable) (start $s)",
    status: "trapped",
    code: "EXO_TRAPPED",
  },
  "a segment that does not fit": {
    body: "",
    rest: `(data (i32.const 65535) "ab")`,
    status: "trapped",
    code: "EXO_TRAPPED",
  },
  "a pointer out of every block": {
    body: "(call $store_u64 (i64.const 0x7fffffff0000) (i64.const 1))",
    status: "trapped",
    code: "EXO_KERNEL_BOUNDS",
  },
  "a pointer across the end of a block": {
    body: "(drop (call $load_u64 (i64.add (call $alloc (i64.const 16)) (i64.const 9))))",
    status: "trapped",
    code: "EXO_KERNEL_BOUNDS",
  },
  "a table filled again and again": {
    body: forever("(table.fill $t (i32.const 0) (ref.null func) (i32.const 10000))"),
    rest: "(table $t 10000 funcref)",
    limits: { fuel: 10_000_000 },
    status: "out_of_fuel",
    code: "EXO_OUT_OF_FUEL",
  },
};

const outputs: Readonly<Record<string, Attack>> = {
  "text that is not UTF-8": { ...says("text", [0xff, 0xfe, 0x41]), ...broken("text") },
  "text in overlong UTF-8": { ...says("text", [0xc0, 0xaf]), ...broken("text") },
  "text with a surrogate as UTF-8": { ...says("text", [0xed, 0xa0, 0x80]), ...broken("text") },
  "text that ends inside a character": { ...says("text", [0x41, 0xf0, 0x9f, 0x98]), ...broken("text") },
  "text beyond U+10FFFF": { ...says("text", [0xf4, 0x90, 0x80, 0x80]), ...broken("text") },
  "JSON that is not UTF-8": { ...says("json", [0x22, 0xff, 0x22]), ...broken("json") },
  "JSON with a byte order mark": { ...says("json", [0xef, 0xbb, 0xbf, 0x31]), ...broken("json") },
  "no JSON": { ...says("json", ""), ...broken("json") },
  "two documents": { ...says("json", "{}{}"), ...broken("json") },
  "129 levels": { ...says("json", `${"[".repeat(129)}${"]".repeat(129)}`), ...broken("json") },
  "a million levels": { ...repeats("[", 1_000_000), ...broken("json") },
  "half a million maps in one another": { ...repeats('{"a":   ', 4_000_000), ...broken("json") },
  "a key twice": { ...says("json", '{"a":1,"\\u0061":2}'), ...broken("json") },
  "a prototype": { ...says("json", '{"__proto__":{"admin":true}}'), ...broken("json") },
  "a number that is none": { ...says("json", '{"a":1e999}'), ...broken("json") },
  "an integer that is not exact": { ...says("json", "9007199254740993"), ...broken("json") },
  "minus nought": { ...says("json", "-0"), ...broken("json") },
  NaN: { ...says("json", "NaN"), ...broken("json") },
  "a lone surrogate": { ...says("json", '"\\ud800"'), ...broken("json") },
  "a comment": { ...says("json", "1 // one"), ...broken("json") },
  "4 MiB of digits": { ...repeats("99999999", 4_194_304), ...broken("json") },
  "an error that is not UTF-8": {
    body: "(call $error_set (call $text (i32.const 0) (i32.const 2))) (return (i32.const 1))",
    rest: `(data (i32.const 0) "\\c3\\28")`,
    status: "guest_error",
    code: "EXO_GUEST_ERROR",
    message: "(the message is not UTF-8)",
  },
  "an error of a million characters": {
    body: `(call $error_set (call $fill ${every8("xxxxxxxx")} (i64.const 1000000))) (return (i32.const 1))`,
    status: "guest_error",
    code: "EXO_GUEST_ERROR",
    message: `${"x".repeat(1024)}`,
  },
};

const attacks: readonly (readonly [name: string, attack: Attack])[] = [
  ...Object.entries(resources),
  ...Object.entries(outputs),
];
/** A name that executors may have. */
const idOf = (at: number): string => `guest-${at}`;

describe("a hostile guest in the whole pipeline", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({
      sandbox: pool,
      plugins: attacks.map(([, attack], at) => hostilePlugin(idOf(at), attack)),
      rules: [{ id: "all", match: {}, verdict: "allow" }],
    });
    expect(rig.pipeline.executors.listRefused()).toEqual([]);
    await rig.add(hostilePlugin("good", says("json", '{"good":true}')));
  });

  test.each(attacks.map(([name, attack], at) => [name, attack, at] as const))(
    "%s ends with its recorded status, twice the same, replays to it, and the host lives on",
    async (_name, { status, code, message }, at) => {
      const records: ExecutionRecord[] = [];
      for (let turn = 0; turn < 2; turn += 1) {
        const failed = await rig.pipeline.execute({
          actor: "a",
          action: `attack.${idOf(at)}`,
          parameters: { turn: 1 },
        });
        expect(endOf(failed)).toBe(`failed ${code}`);
        if (failed.status !== "failed") throw new Error("unreachable");
        const { execution } = failed;
        expect(execution.status).toBe(status);
        expect(execution.error).toEqual(message === undefined ? { code } : { code, message });
        expect(execution.outputDigest).toBeUndefined();
        expect(execution.fuel.used).toBeLessThanOrEqual(execution.fuel.limit);
        expect(execution.memoryPeakPages).toBeLessThanOrEqual(execution.limits.memoryPages);
        records.push(execution);
        if (turn === 1) expect((await replay(failed.bundle.bytes(), rig.trust, pool)).result).toBe("success");
      }
      // Input and configuration are salted for each intent.
      const [{ inputDigest, configDigest }] = records as [ExecutionRecord];
      expect(records[0]).toEqual({ ...records[1], inputDigest, configDigest });
      const good = await rig.pipeline.execute({ actor: "a", action: "attack.good", parameters: {} });
      expect(good.status === "executed" && good.output).toEqual({ good: true });
    },
  );

  test("every record verifies", () => {
    expect(checkStore(rig).length).toBe(3 * attacks.length);
  });
});

describe("a guest's document for a capability", () => {
  const filler = (byte: number): string => `(i64.const 0x${byte.toString(16).padStart(2, "0").repeat(8)})`;
  /** A guest that asks with this, and outputs the answer. */
  const asks = (bytes: readonly number[] | Uint8Array): string =>
    `(call $all (call $clock_now (call $text (i32.const 0) (i32.const ${bytes.length}))))`;
  const asksMany = (byte: number, length: number): string =>
    `(call $all (call $clock_now (call $fill ${filler(byte)} (i64.const ${length}))))`;
  const literal: Readonly<Record<string, readonly number[]>> = {
    "nothing at all": [],
    "not a map": [0x01],
    "a list of 4 billion": [0xdd, 0xff, 0xff, 0xff, 0xff],
    "a map of 4 billion": [0xdf, 0xff, 0xff, 0xff, 0xff],
    "text of 4 GiB": [0x81, 0xdb, 0xff, 0xff, 0xff, 0xff],
    "bytes of 4 GiB": [0x81, 0xa1, 0x61, 0xc6, 0xff, 0xff, 0xff, 0xff],
    "an extension type": [0x81, 0xa1, 0x61, 0xd4, 0x01, 0x00],
    "a date": [0x81, 0xa1, 0x61, 0xd6, 0xff, 0, 0, 0, 0],
    "a record of msgpackr's": [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01],
    "a float of 32 bits": [0x81, 0xa1, 0x61, 0xca, 0, 0, 0, 0],
    NaN: [0x81, 0xa1, 0x61, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
    "a key twice": [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x01],
    "a prototype": [0x81, 0xa9, ...encodeUtf8("__proto__"), 0x80],
    "a key that is a number": [0x81, 0x01, 0x01],
    "text that is not UTF-8": [0x81, 0xa1, 0xff, 0x01],
    "bytes behind the end": [0x80, 0xc0],
    "a member more": [0x81, 0xa1, 0x61, 0x01],
  };
  const guests: readonly (readonly [name: string, body: string, data: readonly number[]])[] = [
    ...Object.entries(literal).map(([name, bytes]) => [name, asks(bytes), bytes] as const),
    ["30,000 maps in one another", asksMany(0x81, 30_000), []],
    ["30,000 lists in one another", asksMany(0x91, 30_000), []],
    ["more than a request may have", asksMany(0xc0, 32_776), []],
    ["16 MiB", asksMany(0x80, 16_777_216), []],
  ];
  let rig: Rig;
  let reads = 0;
  beforeAll(async () => {
    rig = await openRig({
      sandbox: pool,
      plugins: [],
      rules: [{ id: "all", match: {}, verdict: "allow" }],
      grants: Object.fromEntries(guests.map((_, at) => [idOf(at), { clock_now: {} }])),
      performers: { clock_now: { perform: () => ({ outcome: "ok", value: { ms: ++reads } }) } },
    });
    for (const [at, [, body, data]] of guests.entries()) {
      const rest = `(data (i32.const 0) ${watBytes(data)})`;
      await rig.add(hostilePlugin(idOf(at), { body, rest, capabilities: ["clock_now"] }));
    }
    expect(rig.pipeline.executors.listRefused()).toEqual([]);
  });

  test.each(guests.map(([name], at) => [name, at] as const))(
    "%s is answered, recorded, and not performed",
    async (_name, at) => {
      const done = await rig.pipeline.execute({ actor: "a", action: `attack.${idOf(at)}`, parameters: {} });
      if (done.status !== "executed") throw new Error(endOf(done));
      expect(new TextDecoder().decode(done.output as Uint8Array)).toContain("EXO_CAPABILITY_REQUEST");
      expect(done.hostCalls).toBe(1);
      expect(reads).toBe(0);
    },
  );

  test("a good one is performed: the table above can fail", async () => {
    const rest = `(data (i32.const 0) "\\80")`;
    await rig.add(hostilePlugin(idOf(0), { body: asks([0x80]), rest, capabilities: ["clock_now"] }));
    const done = await rig.pipeline.execute({ actor: "a", action: `attack.${idOf(0)}`, parameters: {} });
    expect(done.status === "executed" && new TextDecoder().decode(done.output as Uint8Array)).toContain("ms");
    expect(reads).toBe(1);
  });

  test("every record verifies", () => {
    expect(checkStore(rig).length).toBe(guests.length + 1);
  });
});

describe("fuel runs out before a host call, never in it", () => {
  const request = encodeAbi({ path: "data/owned.txt", bytes: encodeUtf8("owned"), mode: "replace" });
  /** Burns some fuel, then writes: directly, through a table, or from the start section. */
  const ways: Readonly<Record<string, Omit<Hostile, "capabilities" | "limits">>> = {
    directly: { body: "(call $burn) (drop (call $fs_write (call $text (i32.const 0) (i32.const 64))))" },
    "through a table": {
      body: "(call $burn) (drop (call_indirect (param i64) (result i64) (call $text (i32.const 0) (i32.const 64)) (i32.const 0)))",
      rest: "(table 1 funcref) (elem (i32.const 0) func $fs_write)",
    },
    "from the start section": {
      body: "",
      rest: "(func $s (call $burn) (drop (call $fs_write (call $text (i32.const 0) (i32.const 64))))) (start $s)",
    },
  };
  const burn = `(func $burn (local $i i32) (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50)))))`;

  const parameters = { path: "data/owned.txt" };

  test.each(Object.entries(ways))("%s: with one unit less than it takes, nothing was asked", async (_way, hostile) => {
    /** Fuel used, call included, as the host is told it. */
    const told: number[] = [];
    const sandbox: SandboxHost = {
      engine: pool.engine,
      load: () => pool.load(),
      close: () => pool.close(),
      run: (job) =>
        pool.run({
          ...job,
          call: (call, signal) => {
            told.push(call.fuel);
            return job.call(call, signal);
          },
        }),
    };
    const rig = await openRig({
      sandbox,
      plugins: [],
      rules: [{ id: "all", match: {}, verdict: "allow" }],
      grants: { writer: { fs_write: { roots: ["data"] } } },
    });
    const data = `(data (i32.const 0) ${watBytes(request)})`;
    const rest = `${burn} ${data} ${hostile.rest ?? ""}`.replaceAll("(i32.const 64)", `(i32.const ${request.length})`);
    const body = hostile.body.replaceAll("(i32.const 64)", `(i32.const ${request.length})`);
    /** Runs with this fuel; true when the write was made. Either it was made, or nothing at all happened. */
    const writes = async (fuel: number): Promise<boolean> => {
      await rig.add(
        hostilePlugin("writer", { body, rest, effects: "write", capabilities: ["fs_write"], limits: { fuel } }),
      );
      const before = rig.disk.done.length;
      const result = await rig.pipeline.execute({ actor: "a", action: "attack.writer", parameters });
      const wrote = rig.disk.done.length > before;
      expect(eventTypes(rig, result.intentId).includes("effect_started")).toBe(wrote);
      if (result.status === "failed") {
        expect([result.execution.status, result.execution.fuel]).toEqual(["out_of_fuel", { limit: fuel, used: fuel }]);
        expect(result.execution.transcript.size).toBe(wrote ? 1 : 0);
        expect(result.reason.retrySafe).toBe(!wrote);
      } else {
        expect([endOf(result), wrote]).toEqual(["executed", true]);
      }
      return wrote;
    };
    expect(await writes(20_000)).toBe(true);
    const [takes = 0] = told;
    expect(takes).toBeGreaterThan(500);
    // Exactly what the call itself had cost is enough for it: an overdraft would make it with less.
    for (let fuel = takes - 15; fuel < takes; fuel += 1) expect(await writes(fuel), `${fuel} of ${takes}`).toBe(false);
    for (let fuel = takes; fuel < takes + 4; fuel += 1) expect(await writes(fuel), `${fuel} of ${takes}`).toBe(true);
    expect(new Set(told)).toEqual(new Set([takes]));
    checkStore(rig);
  });

  test("a function that declares no effects has none, whatever its manifest and its deployment grant", async () => {
    const rig = await openRig({
      sandbox: pool,
      plugins: [],
      rules: [{ id: "all", match: {}, verdict: "allow" }],
      grants: { writer: { fs_write: { roots: ["data"] } } },
    });
    const body = `(call $all (call $fs_write (call $text (i32.const 0) (i32.const ${request.length}))))`;
    const rest = `(data (i32.const 0) ${watBytes(request)})`;
    for (const effects of ["none", "read"] as const) {
      await rig.add(hostilePlugin("writer", { body, rest, effects, capabilities: ["fs_write"] }));
      const result = await rig.pipeline.execute({ actor: "a", action: "attack.writer", parameters });
      if (result.status !== "executed") throw new Error(endOf(result));
      expect(new TextDecoder().decode(result.output as Uint8Array)).toContain("EXO_CAPABILITY_DENIED");
      expect(eventTypes(rig, result.intentId)).not.toContain("effect_started");
      expect(rig.disk.done).toEqual([]);
    }
    checkStore(rig);
  });
});
