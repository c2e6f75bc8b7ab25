import canonicalize from "canonicalize";
import { beforeEach, describe, expect, test } from "vitest";
import { loadModule, MockHost, type Outcome, Refusal } from "./mock-host.js";

const module = loadModule("plugins/fs.wasm");
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
let host: MockHost;

/** Runs a function of the plugin; a good answer must be canonical JSON. */
function run(name: string, parameters: unknown): Outcome {
  const outcome = host.run(module, name, typeof parameters === "string" ? parameters : JSON.stringify(parameters));
  const canonical = outcome.code === 0 ? canonicalize(JSON.parse(outcome.text)) : outcome.text;
  expect(outcome.text).toBe(canonical);
  return outcome;
}

beforeEach(() => {
  host = new MockHost();
  host.files.set("data/a.txt", utf8("hello\n"));
});

describe("read", () => {
  test("text and base64", () => {
    expect(run("read", { path: "data/a.txt" }).text).toBe('{"path":"data/a.txt","size":6,"text":"hello\\n"}');
    expect(run("read", { path: "data/a.txt", encoding: "utf8" }).text).toBe(
      '{"path":"data/a.txt","size":6,"text":"hello\\n"}',
    );
    expect(run("read", { path: "data/a.txt", encoding: "base64" }).text).toBe(
      '{"base64":"aGVsbG8K","path":"data/a.txt","size":6}',
    );
    expect(host.calls[0]).toEqual({ name: "fs_read", request: { path: "data/a.txt" } });
  });

  test("an empty file", () => {
    host.files.set("data/empty", new Uint8Array());
    expect(run("read", { path: "data/empty" }).text).toBe('{"path":"data/empty","size":0,"text":""}');
    expect(run("read", { path: "data/empty", encoding: "base64" }).text).toBe(
      '{"base64":"","path":"data/empty","size":0}',
    );
  });

  test("any text, in path and content", () => {
    const all = Array.from({ length: 0x500 }, (_, i) => String.fromCodePoint(i)).join("");
    for (const text of ["größe €", "日本語\u2028😀", '"\\/\b\f\n\r\t\u0000\u001f\u007f', `\ufeff${all}`]) {
      const path = `data/${text.slice(0, 8)}.txt`;
      host.files.set(path, utf8(text));
      expect(JSON.parse(run("read", { path }).text)).toEqual({ path, size: utf8(text).length, text });
    }
  });

  test("a large file", () => {
    host.files.set("data/large", utf8("0123456789abcdé\n".repeat(60_000)));
    const outcome = run("read", { path: "data/large" });
    expect(JSON.parse(outcome.text)).toMatchObject({ size: 1_020_000, text: "0123456789abcdé\n".repeat(60_000) });
    expect(outcome.pages).toBeLessThan(128);
  });

  test("bytes that are not UTF-8", () => {
    host.files.set("data/b", Uint8Array.of(0x61, 0xff, 0x62));
    expect(run("read", { path: "data/b" })).toMatchObject({
      code: 1,
      error: 'fs_read data/b: not UTF-8; read it with encoding "base64"',
    });
    expect(run("read", { path: "data/b", encoding: "base64" }).text).toBe('{"base64":"Yf9i","path":"data/b","size":3}');
  });

  test("the host's refusal is passed on", () => {
    expect(run("read", { path: "data/größe" })).toMatchObject({
      code: 1,
      error: "fs_read data/größe: EXO_FS_NOT_FOUND: There is no such file.",
    });
  });
});

describe("write", () => {
  test("text, base64 and mode", () => {
    expect(run("write", { path: "data/n.txt", text: "é\u0000😀" }).text).toBe('{"path":"data/n.txt","size":7}');
    expect(host.files.get("data/n.txt")).toEqual(utf8("é\u0000😀"));
    expect(run("write", { path: "data/a.txt", base64: "/wA=", mode: "replace" }).text).toBe(
      '{"path":"data/a.txt","size":2}',
    );
    expect(host.files.get("data/a.txt")).toEqual(Uint8Array.of(255, 0));
    expect(host.calls.map(({ request }) => request["mode"])).toEqual(["create", "replace"]);
    expect(run("write", { path: "data/zero", text: "" }).text).toBe('{"path":"data/zero","size":0}');
    expect(run("write", { path: "data/zero2", base64: "" }).text).toBe('{"path":"data/zero2","size":0}');
  });

  test("create does not replace", () => {
    expect(run("write", { path: "data/a.txt", text: "x" })).toMatchObject({
      code: 1,
      error: "fs_write data/a.txt: EXO_FS_KIND: The file exists.",
    });
    expect(host.files.get("data/a.txt")).toEqual(utf8("hello\n"));
  });

  test("exactly one content", () => {
    const error = 'exactly one of the parameters "text" and "base64" is needed';
    expect(run("write", { path: "data/n" })).toMatchObject({ code: 1, error });
    expect(run("write", { path: "data/n", text: "", base64: "" })).toMatchObject({ code: 1, error });
    expect(run("write", { path: "data/n", base64: "a" })).toMatchObject({
      code: 1,
      error: 'parameter "base64" is not standard padded base64',
    });
    expect(run("write", { path: "data/n", text: "x", mode: "append" })).toMatchObject({
      code: 1,
      error: 'parameter "mode" must be "create" or "replace"',
    });
    expect(host.calls).toEqual([]);
  });
});

describe("append", () => {
  test("text and base64, to a file that is there and one that is not", () => {
    expect(run("append", { path: "data/a.txt", text: "é" }).text).toBe('{"path":"data/a.txt","size":8}');
    expect(run("append", { path: "data/a.txt", base64: "/wA=" }).text).toBe('{"path":"data/a.txt","size":10}');
    expect(host.files.get("data/a.txt")).toEqual(Uint8Array.of(...utf8("hello\né"), 255, 0));
    expect(run("append", { path: "data/new", text: "" }).text).toBe('{"path":"data/new","size":0}');
    expect(host.calls.map(({ name, request }) => [name, Object.keys(request).sort()])).toEqual(
      new Array(3).fill(["fs_append", ["bytes", "path"]]),
    );
  });

  test("exactly one content, and no mode", () => {
    host.calls.length = 0;
    const error = 'exactly one of the parameters "text" and "base64" is needed';
    expect(run("append", { path: "data/a.txt" })).toMatchObject({ code: 1, error });
    expect(run("append", { path: "data/a.txt", text: "", base64: "" })).toMatchObject({ code: 1, error });
    expect(run("append", { path: "data/a.txt", text: "x", mode: "create" })).toMatchObject({
      code: 1,
      error: 'parameter "mode" is not known',
    });
    expect(run("append", { path: "data/a.txt", base64: "/wA" }).error).toBe(
      'parameter "base64" is not standard padded base64',
    );
    expect(host.calls).toEqual([]);
  });
});

describe("stat, mkdir, rename", () => {
  test("what is asked and answered", () => {
    expect(run("stat", { path: "data/a.txt" }).text).toBe('{"path":"data/a.txt","size":6,"type":"file"}');
    expect(run("mkdir", { path: "data/ü" }).text).toBe('{"made":true,"path":"data/ü"}');
    expect(run("rename", { path: "data/a.txt", to: "data/ü/b.txt" }).text).toBe(
      '{"path":"data/a.txt","to":"data/ü/b.txt"}',
    );
    host.files.set("data/c", utf8("c"));
    expect(run("rename", { path: "data/c", to: "data/ü/b.txt", mode: "replace" }).code).toBe(0);
    expect([...host.files]).toEqual([["data/ü/b.txt", utf8("c")]]);
    expect(host.calls).toEqual([
      { name: "fs_stat", request: { path: "data/a.txt" } },
      { name: "fs_mkdir", request: { path: "data/ü" } },
      { name: "fs_rename", request: { path: "data/a.txt", to: "data/ü/b.txt", mode: "create" } },
      { name: "fs_rename", request: { path: "data/c", to: "data/ü/b.txt", mode: "replace" } },
    ]);
  });

  test("the host's refusals name the capability", () => {
    const error = "EXO_CAPABILITY_DENIED: not granted.";
    const deny = (): never => {
      throw new Refusal("EXO_CAPABILITY_DENIED", "not granted.");
    };
    host = new MockHost({ fs_stat: deny, fs_mkdir: deny, fs_rename: deny, fs_append: deny });
    const parameters = { stat: {}, mkdir: {}, rename: { to: "data/b" }, append: { text: "" } };
    for (const [name, more] of Object.entries(parameters))
      expect(run(name, { path: "data/a", ...more })).toMatchObject({ code: 1, error: `fs_${name} data/a: ${error}` });
    host = new MockHost();
    host.files.set("data/b", utf8(""));
    expect(run("stat", { path: "data/a" }).error).toContain("EXO_FS_NOT_FOUND");
    expect(run("rename", { path: "data/b", to: "data/b" }).error).toContain("EXO_FS_EXISTS");
  });

  test("a rename has two strings and one of two modes", () => {
    for (const [more, error] of [
      [{}, 'parameter "to" is missing'],
      [{ to: 1 }, 'parameter "to" must be a string, not a number'],
      [{ to: "data/b", mode: "force" }, 'parameter "mode" must be "create" or "replace"'],
    ] as const)
      expect(run("rename", { path: "data/a.txt", ...more })).toMatchObject({ code: 1, error });
    expect(host.calls).toEqual([]);
  });
});

describe("list and remove", () => {
  test("list", () => {
    host.files.set("data/ß", utf8("12"));
    expect(run("list", { path: "data" }).text).toBe(
      '{"entries":[{"name":"a.txt","size":6,"type":"file"},{"name":"ß","size":2,"type":"file"}],"path":"data"}',
    );
    expect(run("list", { path: "other" }).text).toBe('{"entries":[],"path":"other"}');
  });

  test("a long listing", () => {
    for (let i = 0; i < 3000; i++) host.files.set(`many/file-${String(i).padStart(5, "0")}`, new Uint8Array(i));
    const outcome = run("list", { path: "many" });
    const { entries } = JSON.parse(outcome.text) as { entries: unknown[] };
    expect(entries).toHaveLength(3000);
    expect(entries[2999]).toEqual({ name: "file-02999", size: 2999, type: "file" });
    expect(outcome.pages).toBeLessThan(128);
  });

  test("entries of another form are refused", () => {
    for (const entry of [
      { name: "a", type: "file" },
      { name: "a", size: 1 },
      { name: 1, type: "file", size: 1 },
      { name: "a", type: "file", size: -1 },
      "a",
    ]) {
      host = new MockHost({ fs_list: () => ({ entries: [entry] }) });
      expect(run("list", { path: "data" })).toMatchObject({
        code: 1,
        error: "fs_list data: EXO_MSGPACK: the host's answer does not have the form of its capability",
      });
    }
  });

  test("remove", () => {
    expect(run("remove", { path: "data/a.txt" }).text).toBe('{"path":"data/a.txt","removed":true}');
    expect(host.files.size).toBe(0);
    expect(run("remove", { path: "data/a.txt" })).toMatchObject({
      code: 1,
      error: "fs_remove data/a.txt: EXO_FS_NOT_FOUND: There is no such file.",
    });
  });

  test("a denial is an error of the call", () => {
    host = new MockHost({
      fs_remove: () => {
        throw new Refusal("EXO_CAPABILITY_DENIED", "secrets/k is outside the grant.");
      },
    });
    expect(run("remove", { path: "secrets/k" })).toMatchObject({
      code: 1,
      error: "fs_remove secrets/k: EXO_CAPABILITY_DENIED: secrets/k is outside the grant.",
    });
  });
});

test("parameters are read strictly, before any host call", () => {
  for (const [parameters, error] of [
    [{}, 'parameter "path" is missing'],
    [{ path: 1 }, 'parameter "path" must be a string, not a number'],
    [{ path: null }, 'parameter "path" must be a string, not null'],
    [{ path: ["a"] }, 'parameter "path" must be a string, not an array'],
    [{ path: { a: 1 } }, 'parameter "path" must be a string, not an object'],
    [{ path: true }, 'parameter "path" must be a string, not a boolean'],
    [{ path: "data/a.txt", größe: 1 }, 'parameter "größe" is not known'],
    [[], "parameters must be an object, not an array"],
    ["", "parameters are not JSON: expected a value at byte 0"],
    ['{"path":"a","path":"b"}', "parameters are not JSON: a key occurs twice at byte 18"],
  ] as const) {
    for (const name of ["read", "write", "append", "list", "stat", "mkdir", "rename", "remove"])
      expect(run(name, parameters)).toMatchObject({ code: 1, error });
  }
  expect(run("read", { path: "data/a.txt", encoding: "latin1" })).toMatchObject({
    code: 1,
    error: 'parameter "encoding" must be "utf8" or "base64"',
  });
  expect(run("read", { path: "data/a.txt", encoding: 8 })).toMatchObject({
    code: 1,
    error: 'parameter "encoding" must be a string, not a number',
  });
  expect(host.calls).toEqual([]);
});
