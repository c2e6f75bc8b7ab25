import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pack } from "msgpackr";
import { describe, expect, test } from "vitest";
import { decodeAbi, encodeAbi } from "../../src/canonical/msgpack.js";
import { capabilityNames } from "../../src/contracts/imports.js";
import type { AbiValue } from "../../src/ports.js";
import { importNames, loadModule, MockHost } from "./mock-host.js";
import { type Answer, type Ran, runSandboxed, sealedAt } from "./sandboxed.js";

// The SDKs of C and Rust, by a probe of each (plugins/sdk-probe, scripts/build-toolchain-plugins.mjs) in the real sandbox.

const modules = { c: sealedAt("test/plugins/probe-c.wasm"), rust: sealedAt("test/plugins/probe-rust.wasm") };
const languages = ["c", "rust"] as const;
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const root = new URL("../../", import.meta.url);

const readDigests = (path: string): [string, string][] =>
  Object.entries(JSON.parse(readFileSync(new URL(path, root), "utf8")) as Record<string, string>);

test("the modules are what their digests name, with nothing in them of the machine that built them", () => {
  const probes = readDigests("test/plugins/digests.json").map(([name, digest]) => [`test/plugins/${name}`, digest]);
  const shipped = readDigests("plugins/toolchain-digests.json").map(([name, digest]) => [`plugins/${name}`, digest]);
  const modules = [...probes, ...shipped] as [string, string][];
  expect(modules.map(([path]) => path)).toEqual([
    "test/plugins/probe-c.wasm",
    "test/plugins/probe-rust.wasm",
    "plugins/checksum.wasm",
    "plugins/text-diff.wasm",
  ]);
  for (const [path, digest] of modules) {
    const bytes = readFileSync(new URL(path, root));
    expect([path, digest]).toEqual([path, `sha256:${createHash("sha256").update(bytes).digest("hex")}`]);
    const latin1 = bytes.toString("latin1");
    expect([path, latin1.includes(fileURLToPath(root)), /\/(?:home|root|tmp|Users)\//.test(latin1)]).toEqual([
      path,
      false,
      false,
    ]);
  }
});

test("the programs in the documentation are in the probes, word for word", async () => {
  const read = (path: string): string => readFileSync(new URL(`plugins/${path}`, root), "utf8");
  const inHeader = /^ \* {3}(\/\/ \{path\}[\s\S]*?\n) \*\n/m.exec(read("sdk-c/exoarmur.h"))?.[1] ?? "missing";
  const inModule = /^\/\/! (\/\/\/ \{path\}[\s\S]*?)\/\/! ```/m.exec(read("sdk-rust/lib.rs"))?.[1] ?? "missing";
  const inReadme = /^```rust\n([\s\S]*?)^```/m.exec(read("sdk-rust/README.md"))?.[1] ?? "missing";
  expect(read("sdk-probe/c/probe.c")).toContain(inHeader.replaceAll(/^ \* {3}/gm, ""));
  expect(read("sdk-probe/rust/lib.rs")).toContain(inModule.replaceAll(/^\/\/! /gm, ""));
  expect(read("sdk-probe/rust/lib.rs")).toContain(inReadme);
  for (const language of languages) {
    const { output } = await runSandboxed(modules[language], "size", '{"path":"d/a"}', () => ({
      ok: { size: 7, type: "file" },
    }));
    expect(output).toBe('{"size":7}');
  }
  expect((await runSandboxed(modules.rust, "reverse", "abc")).output).toBe("cba");
});

test("what is imported is what is asked for", () => {
  const names = [...capabilityNames].sort().map((capability) => `extism:host/user/${capability}`);
  for (const [path, capabilities] of [
    ["test/plugins/probe-c.wasm", names],
    ["test/plugins/probe-rust.wasm", names],
    ["plugins/checksum.wasm", ["extism:host/user/fs_read"]],
    ["plugins/text-diff.wasm", []],
  ] as const) {
    const imports = importNames(loadModule(path));
    expect([path, imports.filter((row) => !row.startsWith("extism:host/env/"))]).toEqual([path, capabilities]);
  }
});

describe.each(languages)("%s", (language) => {
  const run = (name: string, input: Uint8Array | string, serve?: Parameters<typeof runSandboxed>[3]): Promise<Ran> =>
    runSandboxed(modules[language], name, input, serve);
  const completed = async (name: string, input: Uint8Array | string): Promise<string> => {
    const { outcome, output } = await run(name, input);
    expect([input, outcome.status, outcome.error]).toEqual([input, "completed", undefined]);
    return output;
  };
  const refused = async (name: string, input: Uint8Array | string): Promise<unknown> => {
    const { outcome } = await run(name, input);
    expect([input, outcome.status]).toEqual([input, "guest_error"]);
    expect(outcome.error?.code).toBe("EXO_GUEST_ERROR");
    return outcome.error?.message;
  };

  test("input and output of every size around a word, byte for byte", async () => {
    for (const length of [0, 1, 7, 8, 9, 15, 16, 17, 4095, 65_536, 1_000_003]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      expect(Buffer.from((await run("raw", bytes)).bytes).equals(bytes)).toBe(true);
    }
  });

  test("JSON comes back in its compact form", async () => {
    for (const [input, output] of [
      [' { "a" : [ 1 , -2.50 , 1e3 ] , "b" : { } , "c" : [ ] }\n', '{"a":[1,-2.5,1000],"b":{},"c":[]}'],
      ["[true,false,null]", "[true,false,null]"],
      ['"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\/\\"\\\\"', '"Aé€😀/\\"\\\\"'],
      ['"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f"', '"\\b\\f\\n\\r\\t\\u0000\\u001f\u007f"'],
      ['"häßlich 💡 \u2028"', '"häßlich 💡 \u2028"'],
      ['{"":1,"\\u0000":2,"é":3}', '{"":1,"\\u0000":2,"é":3}'],
      ["-0", "0"],
      ["-0.0e5", "0"],
      ["9007199254740991", "9007199254740991"],
      ["-9007199254740992", '"-9007199254740992"'],
      ["9223372036854775807", '"9223372036854775807"'],
      ["-9223372036854775808", '"-9223372036854775808"'],
      ["9223372036854775808", '"9223372036854776000"'],
      ["123456789012345680000", '"123456789012345680000"'],
      ["1e21", "1e+21"],
      [`${"[".repeat(128)}1${"]".repeat(128)}`, `${"[".repeat(128)}1${"]".repeat(128)}`],
      [`${'{"k":'.repeat(128)}1${"}".repeat(128)}`, `${'{"k":'.repeat(128)}1${"}".repeat(128)}`],
    ] as const) {
      expect([input, await completed("json", input)]).toEqual([input, output]);
    }
  });

  test("malformed JSON is refused, naming the byte", async () => {
    for (const [input, problem] of [
      ["", "expected a value at byte 0"],
      ["{} x", "text after the document at byte 3"],
      ["[1,]", "expected a value at byte 3"],
      ["[1 2]", "expected ',' or ']' at byte 3"],
      ['{"a" 1}', "expected ':' at byte 5"],
      ['{"a":1,}', "expected a key at byte 7"],
      ["{a:1}", "expected a key at byte 1"],
      ['{"a":1 "b":2}', "expected ',' or '}' at byte 7"],
      ['{"a":1,"\\u0061":2}', "a key occurs twice at byte 15"],
      ['{"b":1,"c":2,"a":3,"b":4}', "a key occurs twice at byte 22"],
      ['"abc', "a string without an end at byte 4"],
      ['"abc\\', /at byte 5$/],
      ['"abc\\"', "a string without an end at byte 6"],
      ['"\\x"', "malformed escape at byte 3"],
      ['"\\u12g4"', "malformed escape at byte 5"],
      ['"\\ud800"', "malformed escape at byte 7"],
      ['"\\ud800\\u0041"', "malformed escape at byte 13"],
      ['"\\udc00"', "malformed escape at byte 7"],
      ['"a\nb"', "control character in a string at byte 2"],
      ['"\\n\nb"', "control character in a string at byte 3"],
      ['"\u0000"', "control character in a string at byte 1"],
      ["01", "a number starts with 0 at byte 2"],
      ["-01", "a number starts with 0 at byte 3"],
      ["-", "expected a value at byte 1"],
      ["+1", "expected a value at byte 0"],
      ["1.", "expected a digit at byte 2"],
      [".5", "expected a value at byte 0"],
      ["1e", "expected a digit at byte 2"],
      ["1e400", "a number is out of range at byte 5"],
      [`1${"0".repeat(400)}`, "a number is out of range at byte 401"],
      ["tru", "expected a value at byte 0"],
      ["NaN", "expected a value at byte 0"],
      ["[", "expected a value at byte 1"],
      ['{"a":', "expected a value at byte 5"],
      ["\ufeff1", "expected a value at byte 0"],
      ["[".repeat(130), "nested too deep at byte 129"],
      ["[".repeat(100_000), "nested too deep at byte 129"],
    ] as const) {
      const message = await refused("json", input);
      if (typeof problem === "string") expect([input, message]).toEqual([input, problem]);
      else expect(message).toMatch(problem);
    }
    for (const input of ["22ff22", "22c080c022", "22eda08022", "c3", "22f490808022"])
      expect(await refused("json", hex(input))).toMatch(/^not UTF-8 at byte [01]$/);
  });

  test("numbers are read and written as ECMAScript does", async () => {
    const edges = [
      0.1,
      0.2,
      0.3,
      1 / 3,
      5e-324,
      1e-323,
      2.2250738585072014e-308,
      2.225073858507201e-308,
      1.7976931348623157e308,
      2 ** -44,
      2 ** -1022,
      2 ** 53 + 2,
      1e21,
      1e22,
      123456.789e-30,
      1e-7,
      1e-6,
      0.000001234,
      4.35,
      2.5e-5,
      1e23,
      9e22,
      9.5367431640625e-7,
      8.41e21,
      2 ** 100,
      2 ** 1023,
      4.4501477170144023e-308,
    ];
    let state = 7n;
    const bits = new BigUint64Array(1);
    const random = Array.from({ length: 400 }, () => {
      state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
      bits[0] = state ^ (state >> 29n);
      return new Float64Array(bits.buffer)[0] as number;
    }).filter(Number.isFinite);
    const written = (x: number): unknown =>
      Math.abs(x) > Number.MAX_SAFE_INTEGER && Math.abs(x) < 1e21 ? String(x) : x + 0;
    const numbers = [...edges, ...edges.map((x) => -x), ...random, ...random.map(Math.fround).filter(Number.isFinite)];
    // Written out at length they must lead to the same numbers.
    for (const form of [String, (x: number) => x.toExponential(20), (x: number) => x.toPrecision(17)]) {
      const text = `[${numbers.map((x) => form(x).replace("+", "")).join(",")}]`;
      expect(await completed("json", text)).toBe(JSON.stringify(numbers.map(written)));
    }
    const halfway = [
      ["9007199254740993.0", '"9007199254740992"'],
      ["9007199254740993.00000000000000000000000000000000001", '"9007199254740994"'],
      ["9007199254740995.0", '"9007199254740996"'],
      [`0.5${"0".repeat(800)}1`, "0.5"],
      [`1.00000000000000011102230246251565404236316680908203125${"0".repeat(900)}1`, "1.0000000000000002"],
      ["1.00000000000000011102230246251565404236316680908203125", "1"],
      ["2.4703282292062327208e-324", "0"],
      ["2.4703282292062328e-324", "5e-324"],
      ["1.7976931348623158e308", "1.7976931348623157e+308"],
      [`0.${"0".repeat(400)}1e401`, "1"],
      ["1e-400", "0"],
      ["1e-99999999999999999999", "0"],
      [`${"0.".padEnd(1200, "0")}1e1210`, "100000000000"],
    ] as const;
    for (const [input, output] of halfway) expect([input, await completed("json", input)]).toEqual([input, output]);
    expect(await refused("json", "1.7976931348623159e308")).toBe("a number is out of range at byte 22");
  });

  test("msgpack survives reading and writing, every item in its shortest form", async () => {
    const documents: AbiValue[] = [
      ...[null, true, false, 0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296],
      ...[Number.MAX_SAFE_INTEGER, -1, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649],
      ...[Number.MIN_SAFE_INTEGER, 1.5, -0.1, 1e300, "", "é€😀", "x".repeat(31), "x".repeat(32), "x".repeat(256)],
      ...["ü".repeat(40_000), new Uint8Array(), new Uint8Array(255), new Uint8Array(256), new Uint8Array(65_536)],
      ...[[], [1, [2, [3]]], new Array(16).fill(0) as AbiValue, new Array(70_000).fill(1) as AbiValue],
      ...[{ a: 1, b: { c: null } }, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i]))],
      ...[Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${100_000 + i}`, i]))],
    ];
    for (const document of documents) {
      // The host's own encoding is the shortest, with keys in order.
      const encoded = encodeAbi(document);
      const { outcome, bytes } = await run("pack", encoded);
      expect([outcome.error, Buffer.from(bytes).equals(encoded)]).toEqual([undefined, true]);
    }
    for (const [input, output] of [
      ["d90161", "a161"],
      ["db0000000161", "a161"],
      ["cf0000000000000005", "05"],
      ["cf0000000100000000", "cf0000000100000000"],
      ["d3ffffffffffffffff", "ff"],
      ["d3ffe0000000000001", "d3ffe0000000000001"],
      ["d1ff80", "d080"],
      ["cb3ff8000000000000", "cb3ff8000000000000"],
      ["dd0000000101", "9101"],
      ["df00000001a16101", "81a16101"],
      ["c600000001ff", "c401ff"],
      [`${"91".repeat(32)}01`, `${"91".repeat(32)}01`],
    ] as const) {
      expect([input, Buffer.from((await run("pack", hex(input))).bytes).toString("hex")]).toEqual([input, output]);
    }
  });

  test("msgpack outside the profile is refused", async () => {
    for (const input of [
      ...["", "a2ff", "c1", "d40101", "c70101ff", "c80001ff", "a1ff", "a2c080", "a3eda080", "9201", "810102"],
      ...["82a16101a16102", "83a16201a16301a16201", "83a16301a16201a16301", "0101", "cb3ff0", "cd01", "dd7fffffff"],
      ...["c6ffffffff00", "dbffffffff61", "dfffffffff", "91".repeat(33) + "01", "91".repeat(5000), "81c001"],
      // float32, NaN, infinity, -0, integers beyond 2^53-1 in every form, the key __proto__
      ...["ca3fc00000", "cb7ff8000000000000", "cb7ff0000000000000", "cb8000000000000000", "cb4340000000000000"],
      ...["cf0020000000000000", "cfffffffffffffffff", "d3ffe0000000000000", "d38000000000000000"],
      ...[`81a9${Buffer.from("__proto__").toString("hex")}01`],
    ]) {
      expect(await refused("pack", hex(input))).toBe("malformed");
    }
  });

  test("what the profile lacks is not written", async () => {
    const bytes = (await run("convert", '[null,-7,9007199254740991,1.5,1e21,"é",{"a":[]}]')).bytes;
    expect(decodeAbi(bytes)).toEqual([null, -7, Number.MAX_SAFE_INTEGER, 1.5, 1e21, "é", { a: [] }]);
    expect((await run("convert", `${"[".repeat(32)}${"]".repeat(32)}`)).outcome.status).toBe("completed");
    for (const input of [
      ...["9007199254740992", "-9007199254740992", "9223372036854775807", "-9223372036854775808", "-0.0", "1e20"],
      ...['{"__proto__":1}', `${"[".repeat(33)}${"]".repeat(33)}`, `${'{"a":'.repeat(33)}1${"}".repeat(33)}`],
    ]) {
      expect([input, await refused("convert", input)]).toEqual([input, "cannot be written"]);
    }
  });

  test("requests and answers are given back to the host", () => {
    const host = new MockHost();
    host.files.set("d/a", new Uint8Array(100));
    const module = loadModule(`test/plugins/probe-${language}.wasm`);
    for (const input of ['{"capability":"clock_now"}', '{"capability":"fs_read","path":"d/a"}']) {
      expect(host.run(module, "call", input)).toMatchObject({ code: 0, error: null });
      // The output alone.
      expect(host.liveBlocks).toBe(1);
    }
  });

  test("msgpack is judged as the vectors of the profile have it", async () => {
    const text = readFileSync(new URL("spec/vectors/abi.json", root), "utf8");
    const { accept, reject } = JSON.parse(text) as Record<"accept" | "reject", { name: string; hex: string }[]>;
    for (const { name, hex: document } of accept) {
      const { outcome, bytes } = await run("pack", hex(document));
      expect([name, outcome.error]).toEqual([name, undefined]);
      expect(decodeAbi(bytes)).toEqual(decodeAbi(hex(document)));
    }
    for (const { name, hex: document } of reject)
      expect([name, await refused("pack", hex(document))]).toEqual([name, "malformed"]);
    expect([accept.length > 0, reject.length > 0]).toEqual([true, true]);
  });

  test("parameters are read strictly, with the messages of every SDK", async () => {
    expect(await completed("parameters", '{"name":"größe"}')).toBe(
      '{"count":null,"mode":0,"name":"größe","note":null}',
    );
    expect(await completed("parameters", '{"count":-3.0e2,"mode":"replace","name":"","note":"\\u0000"}')).toBe(
      '{"count":-300,"mode":1,"name":"","note":"\\u0000"}',
    );
    for (const [input, problem] of [
      ["{}", 'parameter "name" is missing'],
      ['{"name":null}', 'parameter "name" must be a string, not null'],
      ['{"name":["x"]}', 'parameter "name" must be a string, not an array'],
      ['{"name":"x","note":1}', 'parameter "note" must be a string, not a number'],
      ['{"name":"x","count":1.5}', 'parameter "count" must be a whole number, not a number'],
      ['{"name":"x","count":1e300}', 'parameter "count" must be a whole number, not a number'],
      ['{"name":"x","count":true}', 'parameter "count" must be a whole number, not a boolean'],
      ['{"name":"x","mode":"other"}', 'parameter "mode" must be "create" or "replace"'],
      ['{"name":"x","extra":{}}', 'parameter "extra" is not known'],
      ['{"name":"x","Name":"y"}', 'parameter "Name" is not known'],
      ["[]", "parameters must be an object, not an array"],
      ["", "parameters are not JSON: expected a value at byte 0"],
    ] as const) {
      expect([input, await refused("parameters", input)]).toEqual([input, problem]);
    }
  });

  test("failures, panics and memory", async () => {
    expect(await refused("refuse", "häßlich: 💡")).toBe("häßlich: 💡");
    expect((await run("panic", "{}")).outcome).toMatchObject({ status: "trapped", error: { code: "EXO_TRAPPED" } });
    expect((await run("exhaust", "{}")).outcome).toMatchObject({
      status: "out_of_memory",
      error: { code: "EXO_OUT_OF_MEMORY" },
    });
  });

  test("one module, input and answers use the same fuel in every run", async () => {
    const serve = (): Answer => ({ ok: { bytes: new Uint8Array(5000), size: 5000 } });
    for (const [name, input] of [
      ["call", '{"capability":"fs_read","path":"data/a"}'],
      ["json", `[${"0.1,".repeat(50)}{"b":1,"a":2.5e-7}]`],
      ["parameters", "{}"],
      ["exhaust", "{}"],
    ] as const) {
      const first = await run(name, input, serve);
      expect(first.outcome.fuelUsed).toBeGreaterThan(0);
      expect(await run(name, input, serve)).toEqual(first);
    }
  });
});

describe.each(languages)("%s: capabilities", (language) => {
  const call = (request: object, serve: Answer, checked = true): Promise<Ran> =>
    runSandboxed(modules[language], "call", JSON.stringify(request), () => serve, checked);
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  const entries = [
    { name: "a", type: "file", size: 3 },
    { name: "größe", type: "directory", size: 0 },
  ];
  /** The call as the probe takes it, the request the host must see, its `ok`, and what the probe makes of that. */
  const calls: readonly (readonly [object, AbiValue, AbiValue, unknown?])[] = [
    [{ capability: "clock_now" }, {}, { ms: 1_790_000_000_123 }],
    [{ capability: "clock_now" }, {}, { ms: Number.MAX_SAFE_INTEGER }],
    [{ capability: "random_bytes", length: 3 }, { length: 3 }, { bytes: bytes(0, 128, 255) }, { bytes: "0080ff" }],
    [{ capability: "random_bytes", length: 0 }, { length: 0 }, { bytes: bytes() }, { bytes: "" }],
    ...["trace", "debug", "info", "warn", "error"].map(
      (level) => [{ capability: "log", level, message: "ä" }, { level, message: "ä" }, {}] as const,
    ),
    [{ capability: "fs_read", path: "d/ä" }, { path: "d/ä" }, { bytes: bytes(1), size: 1 }, { bytes: "01", size: 1 }],
    [
      { capability: "fs_read", path: "d/a", offset: 5_000_000_000, length: 2 },
      { path: "d/a", offset: 5_000_000_000, length: 2 },
      { bytes: bytes(), size: 6_000_000_000 },
      { bytes: "", size: 6_000_000_000 },
    ],
    [
      { capability: "fs_write", path: "d/a", bytes: "00ff" },
      { path: "d/a", bytes: bytes(0, 255), mode: "create" },
      { size: 2 },
    ],
    [
      { capability: "fs_write", path: "d/a", bytes: "", mode: "replace" },
      { path: "d/a", bytes: bytes(), mode: "replace" },
      { size: 0 },
    ],
    [{ capability: "fs_append", path: "d/a", bytes: "61" }, { path: "d/a", bytes: bytes(0x61) }, { size: 9 }],
    [{ capability: "fs_list", path: "d" }, { path: "d" }, { entries }],
    [{ capability: "fs_list", path: "d" }, { path: "d" }, { entries: [] }],
    [{ capability: "fs_stat", path: "d/a" }, { path: "d/a" }, { size: 3, type: "file" }],
    [{ capability: "fs_stat", path: "d" }, { path: "d" }, { size: 0, type: "directory" }],
    [{ capability: "fs_remove", path: "d/a" }, { path: "d/a" }, {}],
    [{ capability: "fs_mkdir", path: "d/n" }, { path: "d/n" }, {}],
    [{ capability: "fs_rename", path: "d/a", to: "d/b" }, { path: "d/a", to: "d/b", mode: "create" }, {}],
    [
      { capability: "fs_rename", path: "d/a", to: "d/b", mode: "replace" },
      { path: "d/a", to: "d/b", mode: "replace" },
      {},
    ],
    [
      { capability: "kv_get", key: "k" },
      { key: "k" },
      { found: true, value: bytes(7), version: 4 },
      { value: "07", version: 4 },
    ],
    [{ capability: "kv_get", key: "k" }, { key: "k" }, { found: false, value: bytes(), version: 0 }, {}],
    [
      { capability: "kv_put", key: "k", value: "0a" },
      { key: "k", value: bytes(10) },
      { done: true, version: 5 },
    ],
    [
      { capability: "kv_put", key: "k", value: "", expect: 0 },
      { key: "k", value: bytes(), expect: 0 },
      { done: false, version: 5 },
    ],
    [{ capability: "kv_delete", key: "k" }, { key: "k" }, { done: true, version: 0 }],
    [
      { capability: "kv_delete", key: "k", expect: 5 },
      { key: "k", expect: 5 },
      { done: false, version: 6 },
    ],
    [{ capability: "kv_list", prefix: "" }, { prefix: "" }, { entries: [], more: false }],
    [
      { capability: "kv_list", prefix: "p/", after: "p/a", limit: 2 },
      { prefix: "p/", after: "p/a", limit: 2 },
      { entries: [{ key: "p/b", version: 1, size: 0 }], more: true },
    ],
    [
      { capability: "http_request", method: "GET", url: "https://a.example/", body: "" },
      { method: "GET", url: "https://a.example/", body: bytes(), headers: { authorization: "{{secret:token}}" } },
      { status: 100, headers: {}, body: bytes() },
      { body: "", headers: [], status: 100 },
    ],
    [
      { capability: "http_request", method: "POST", url: "https://a.example/x", body: "7b7d", trace: "t" },
      {
        method: "POST",
        url: "https://a.example/x",
        body: bytes(0x7b, 0x7d),
        headers: { authorization: "{{secret:token}}", "x-trace": "t" },
      },
      { status: 999, headers: { "content-type": "text/plain", etag: '"1"' }, body: bytes(255) },
      { body: "ff", headers: ["content-type: text/plain", 'etag: "1"'], status: 999 },
    ],
  ];

  test("requests are what the host expects, answers come back typed", async () => {
    expect([...new Set(calls.map(([request]) => (request as { capability: string }).capability))].sort()).toEqual(
      [...capabilityNames].sort(),
    );
    for (const [asked, request, ok, made = ok] of calls) {
      const ran = await call(asked, { ok });
      expect([asked, ran.outcome.error]).toEqual([asked, undefined]);
      expect(ran.calls).toEqual([[(asked as { capability: string }).capability, request]]);
      expect([asked, JSON.parse(ran.output)]).toEqual([asked, made]);
    }
  });

  test("a refusal reaches the caller with code and message, whatever was asked", async () => {
    for (const [asked] of calls) {
      const { outcome } = await call(asked, {
        error: { code: "EXO_CAPABILITY_DENIED", message: "Größe: not granted." },
      });
      expect([asked, outcome.error?.message]).toEqual([asked, "EXO_CAPABILITY_DENIED: Größe: not granted."]);
    }
  });

  test("an answer of another form is an error, never a value", async () => {
    const malformed = "EXO_MSGPACK: the host's answer does not have the form of its capability";
    const raw = (value: unknown): Uint8Array => Uint8Array.from(pack(value));
    const answers = [
      ...[{ ok: null }, { ok: 1 }, { error: null }, { error: { code: "X" } }, { error: { message: "x" } }, {}],
      ...[{ error: { code: 1, message: "x" } }, { error: { code: "", message: "x" } }, [], "ok"],
      ...[{ ok: {}, error: { code: "X", message: "x" } }],
    ].map(raw);
    const broken = [...answers, bytes(), bytes(0xc1), bytes(0x81, 0xa2, 0x6f), bytes(0x80, 0x80)];
    for (const [index, answer] of broken.entries()) {
      // Every capability meets some of them, every one of them some capabilities.
      for (const [asked] of calls.filter((_, at) => at % broken.length === index || at % 9 === index % 9))
        expect((await call(asked, answer)).outcome.error?.message).toBe(malformed);
    }
    const stat = { capability: "fs_stat", path: "d" };
    const list = { capability: "fs_list", path: "d" };
    const http = { capability: "http_request", method: "GET", url: "https://a.example/", body: "" };
    const get = { capability: "kv_get", key: "k" };
    const page = { capability: "kv_list", prefix: "" };
    for (const [asked, ok] of [
      ...["1", null, -1, 1.5, bytes(1), [1]].map((ms) => [{ capability: "clock_now" }, { ms }] as const),
      ...["ab", [1], null].map((value) => [{ capability: "random_bytes", length: 1 }, { bytes: value }] as const),
      ...[{}, { size: 1 }, { bytes: "x", size: 1 }, { bytes: bytes(1), size: -1 }].map(
        (ok) => [{ capability: "fs_read", path: "d/a" }, ok] as const,
      ),
      ...[{ size: 1, type: "link" }, { size: 1 }, { type: "file" }, { size: true, type: "file" }].map(
        (ok) => [stat, ok] as const,
      ),
      ...[{}, { entries: {} }, { entries: [1] }, { entries: [{}] }, { entries: [{ ...entries[0], name: 1 }] }].map(
        (ok) => [list, ok] as const,
      ),
      ...[{ entries: [entries[0], { ...entries[1], type: "x" }] }].map((ok) => [list, ok] as const),
      ...[
        { found: 1, value: bytes(), version: 0 },
        { value: bytes(), version: 0 },
        { found: true, version: 1 },
      ].map((ok) => [get, ok] as const),
      ...[{ done: true }, { version: 1 }, { done: 1, version: 1 }].map(
        (ok) => [{ capability: "kv_put", key: "k", value: "" }, ok] as const,
      ),
      ...[{ entries: [] }, { more: true }, { entries: [{ key: "k", version: 1 }], more: false }].map(
        (ok) => [page, ok] as const,
      ),
      ...[99, 1000, 200.5, "200"].map((status) => [http, { status, headers: {}, body: bytes() }] as const),
      [http, { status: 200, headers: { a: 1 }, body: bytes() }],
      [http, { status: 200, headers: [], body: bytes() }],
      [http, { status: 200, headers: {}, body: "text" }],
    ] as const) {
      const { outcome } = await call(asked, { ok: ok as AbiValue });
      expect([asked, ok, outcome.error?.message]).toEqual([asked, ok, malformed]);
    }
    expect((await call(stat, raw({ ok: { size: 2 ** 60, type: "file" } }))).outcome.error?.message).toBe(malformed);
  });

  test("texts and counts outside the profile are refused, by the SDK or by the host's schema", async () => {
    const beyond = { capability: "fs_read", path: "d/a", offset: -1, length: 1 };
    const { outcome, calls: made } = await call(
      beyond,
      { error: { code: "EXO_CAPABILITY_REQUEST", message: "no" } },
      false,
    );
    // Rust's offset is 2^64-1 and never leaves the SDK; C sends what the host then refuses.
    expect([outcome.status, made.length]).toEqual(["guest_error", language === "c" ? 1 : 0]);
    expect(outcome.error?.message).toMatch(/^EXO_(?:MSGPACK: the request has an integer beyond|CAPABILITY_REQUEST)/);
  });

  test("a large answer is taken whole", async () => {
    const large = Uint8Array.from({ length: 1_000_001 }, (_, i) => (i * 7) & 255);
    const { output, outcome } = await call(
      { capability: "fs_read", path: "d/a" },
      { ok: { bytes: large, size: 1_000_001 } },
    );
    expect(outcome.error).toBeUndefined();
    const { bytes: digits } = JSON.parse(output) as { bytes: string };
    expect(digits === Buffer.from(large).toString("hex")).toBe(true);
  });
});
