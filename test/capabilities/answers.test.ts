import { describe, expect, it } from "vitest";
import {
  answerError,
  answerOk,
  type CallEnd,
  entryOf,
  findDenied,
  writeStateOf,
} from "../../src/capabilities/answers.js";
import type { HostCall } from "../../src/contracts/execution.js";
import { callOf, recorded } from "./support.js";

function entry(seq: number, capability: string, end: CallEnd): HostCall {
  const call = callOf(seq, capability, {});
  return entryOf(call, call.request, end);
}

const fine = answerOk({});
const denied = answerError("denied", "EXO_FS_PATH", "no");
const failed = answerError("error", "EXO_FS_IO", "no");
const unknown = answerError("unknown", "EXO_EFFECT_UNKNOWN", "perhaps");

describe("writeStateOf", () => {
  it.each([
    ["nothing", [], "none"],
    ["reads alone", [entry(0, "fs_read", fine), entry(1, "clock_now", fine)], "none"],
    ["writes denied and failed", [entry(0, "fs_write", denied), entry(1, "fs_remove", failed)], "none"],
    ["a write", [entry(0, "fs_write", fine), entry(1, "fs_write", failed)], "committed"],
    ["an unknown before a write", [entry(0, "fs_remove", unknown), entry(1, "fs_write", fine)], "unknown"],
    ["an unknown after a write", [entry(0, "fs_write", fine), entry(1, "fs_remove", unknown)], "unknown"],
    ["an unknown capability", [entry(0, "kv_swap", fine)], "committed"],
  ])("of %s", (_what, entries, state) => {
    expect(writeStateOf(entries)).toBe(state);
  });
});

describe("findDenied", () => {
  it("finds the first", () => {
    const entries = [entry(0, "fs_read", fine), entry(1, "fs_read", denied), entry(2, "fs_write", denied)];
    expect(findDenied(entries)).toEqual({ seq: 1, capability: "fs_read", code: "EXO_FS_PATH", message: "no" });
    expect(findDenied([entry(0, "fs_read", failed)])).toBeNull();
  });

  it.each(["", "A", "gA", "wA", "gaVlcnJvcgc"])("survives a response of %j", (response) => {
    const forged: HostCall = { ...entry(0, "log", denied), response };
    expect(findDenied([forged])).toEqual({ seq: 0, capability: "log", code: "EXO_CAPABILITY_DENIED", message: "" });
  });
});

describe("answers", () => {
  it("cut a long message at a whole character", () => {
    const { response } = entry(0, "log", answerError("error", "EXO_FS_IO", `${"x".repeat(999)}😀`));
    expect(recorded(response)).toEqual({ error: { code: "EXO_FS_IO", message: "x".repeat(999) } });
  });

  it.each([[null], [1], ["x"], [[]], [new Uint8Array(1)]])("are maps: %j is none", (value) => {
    expect(() => answerOk(value)).toThrow(TypeError);
  });

  it("are not larger than a transcript entry can hold", () => {
    expect(() => answerOk({ bytes: new Uint8Array(42_000_000) })).toThrow(RangeError);
  });
});
