import { describe, expect, it } from "vitest";
import { encodeAbi } from "../../src/canonical/msgpack.js";
import { contentMembers, readRequest } from "../../src/capabilities/schemas.js";
import type { CapabilityName } from "../../src/contracts/imports.js";
import type { AbiValue } from "../../src/ports.js";

const accepted: readonly [CapabilityName, AbiValue][] = [
  ["clock_now", {}],
  ["random_bytes", { length: 0 }],
  ["random_bytes", { length: 65_536 }],
  ["log", { level: "trace", message: "" }],
  ["log", { level: "error", message: "x".repeat(4096) }],
  ["log", { level: "info", message: "é".repeat(2048) }],
  ["fs_read", { path: "data/a" }],
  ["fs_read", { path: "data/a", offset: 0, length: 0 }],
  ["fs_read", { path: "data/a", offset: 5_000_000_000, length: 1 }],
  ["fs_write", { path: "data/a", bytes: new Uint8Array(3), mode: "create" }],
  ["fs_write", { path: "data/a", bytes: new Uint8Array(0), mode: "replace" }],
  ["fs_list", { path: "data" }],
  ["fs_stat", { path: "data" }],
  ["fs_remove", { path: "data/a" }],
];

const refused: readonly [string, CapabilityName, AbiValue][] = [
  ["an unknown member", "clock_now", { zone: "UTC" }],
  ["null", "clock_now", null],
  ["an array", "clock_now", []],
  ["text", "clock_now", "{}"],
  ["a missing member", "random_bytes", {}],
  ["a negative length", "random_bytes", { length: -1 }],
  ["a fraction", "random_bytes", { length: 1.5 }],
  ["a length too great", "random_bytes", { length: 65_537 }],
  ["a length as text", "random_bytes", { length: "1" }],
  ["an unknown level", "log", { level: "fatal", message: "x" }],
  ["a message of 4097 bytes", "log", { level: "info", message: "x".repeat(4097) }],
  ["a message of 2049 two-byte characters", "log", { level: "info", message: "é".repeat(2049) }],
  ["a message as bytes", "log", { level: "info", message: new Uint8Array(1) }],
  ["an empty path", "fs_read", { path: "" }],
  ["a path of 4097 characters", "fs_read", { path: "a".repeat(4097) }],
  ["a path as bytes", "fs_read", { path: new Uint8Array([100]) }],
  ["a null offset", "fs_read", { path: "data/a", offset: null }],
  ["a negative offset", "fs_read", { path: "data/a", offset: -1 }],
  ["an offset beyond integers", "fs_read", { path: "data/a", offset: 1e21 }],
  ["an unknown member beside good ones", "fs_read", { path: "data/a", follow: true }],
  ["content as text", "fs_write", { path: "data/a", bytes: "x", mode: "create" }],
  ["content as a list", "fs_write", { path: "data/a", bytes: [1, 2], mode: "create" }],
  ["no mode", "fs_write", { path: "data/a", bytes: new Uint8Array(1) }],
  ["an unknown mode", "fs_write", { path: "data/a", bytes: new Uint8Array(1), mode: "append" }],
  ["a nested map", "fs_stat", { path: { path: "data" } }],
  ["a nested list", "fs_list", { path: ["data"] }],
  [
    "nine members",
    "fs_remove",
    Object.fromEntries(["a", "b", "c", "d", "e", "f", "g", "h", "i"].map((key) => [key, 1])),
  ],
];

function codeFor(capability: CapabilityName, bytes: Uint8Array): string {
  const result = readRequest(capability, bytes);
  return result.ok ? "ok" : result.error.code;
}

describe("readRequest", () => {
  it.each(accepted)("takes %s %j as it is", (capability, request) => {
    expect(readRequest(capability, encodeAbi(request))).toEqual({ ok: true, value: request });
  });

  it.each(refused)("refuses %s for %s", (_what, capability, request) => {
    expect(codeFor(capability, encodeAbi(request))).toBe("EXO_CAPABILITY_REQUEST");
  });

  it.each([
    ["no bytes", []],
    ["a map header alone", [0xde]],
    ["a map that ends early", [0x81, 0xa4, 0x70]],
    ["bytes after the end", [0x80, 0xc0]],
    ["two documents", [0x80, 0x80]],
    ["a duplicate key", [0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x01]],
    ["a key that is a number", [0x81, 0x01, 0x01]],
    ["an extension type", [0xd4, 0x01, 0x00]],
    ["a reserved byte", [0xc1]],
    ["the key __proto__", [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80]],
    ["a map16 that claims 65,535 members", [0xde, 0xff, 0xff]],
    ["a map32 that claims 4 billion members", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["text that is not UTF-8", [0x81, 0xa4, 0x70, 0x61, 0x74, 0x68, 0xa1, 0xff]],
  ])("refuses %s", (_what, bytes) => {
    expect(codeFor("fs_stat", Uint8Array.from(bytes))).toBe("EXO_CAPABILITY_REQUEST");
  });

  it("takes a short map under a long header", () => {
    expect(codeFor("clock_now", Uint8Array.of(0xde, 0, 0))).toBe("ok");
    expect(codeFor("clock_now", Uint8Array.of(0xdf, 0, 0, 0, 0))).toBe("ok");
  });

  it("refuses a document nested 10,000 deep without walking it", () => {
    expect(codeFor("fs_stat", new Uint8Array(10_000).fill(0x81))).toBe("EXO_CAPABILITY_REQUEST");
  });

  it("refuses a long request before decoding it, write content apart", () => {
    expect(codeFor("fs_stat", encodeAbi({ path: "data", pad: new Uint8Array(32_768) }))).toBe("EXO_CAPABILITY_REQUEST");
    const write = { path: "data/a", bytes: new Uint8Array(100_000), mode: "create" };
    expect(codeFor("fs_write", encodeAbi(write))).toBe("ok");
    expect(codeFor("fs_write", new Uint8Array(33_554_432 + 32_769).fill(0x80))).toBe("EXO_CAPABILITY_REQUEST");
  });

  it("says what was expected and repeats nothing the guest wrote", () => {
    const result = readRequest("fs_read", encodeAbi({ path: "data/a", "\u001b[31msecret": 1 }));
    expect(result).toEqual({
      ok: false,
      error: {
        code: "EXO_CAPABILITY_REQUEST",
        message: "fs_read expects {path: text, offset?: integer, length?: integer}; an unknown member came",
      },
    });
    expect(readRequest("fs_read", encodeAbi({ path: 7 }))).toMatchObject({
      error: { message: expect.stringMatching(/member path is missing or wrong$/) },
    });
  });
});

it("names write content", () => {
  expect(Object.entries(contentMembers).filter(([, members]) => members.length > 0)).toEqual([
    ["fs_write", ["bytes"]],
    ["fs_append", ["bytes"]],
    ["http_request", ["body"]],
    ["kv_put", ["value"]],
  ]);
});
