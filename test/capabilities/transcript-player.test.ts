import { describe, expect, it } from "vitest";
import { answerError, answerOk, entryOf } from "../../src/capabilities/answers.js";
import { createPlayer } from "../../src/capabilities/transcript-player.js";
import type { HostCall } from "../../src/contracts/execution.js";
import type { GuestAnswer } from "../../src/ports.js";
import { answerOf, callOf } from "./support.js";

function entry(seq: number, capability: string, request: Record<string, string | number>, answer: number): HostCall {
  const call = callOf(seq, capability, request);
  return entryOf(call, call.request, answerOk({ answer }));
}

const recordedCalls = [
  entry(0, "clock_now", {}, 10),
  entry(1, "fs_read", { path: "data/a" }, 11),
  entry(2, "log", {}, 12),
];

function stopOf(answer: GuestAnswer): { readonly status: string; readonly code: string; readonly message: string } {
  if (answer.kind !== "stop") throw new Error("answered");
  return answer;
}

describe("createPlayer", () => {
  it("serves the recorded answers in order", () => {
    const player = createPlayer(recordedCalls);
    expect(answerOf(player.call(callOf(0, "clock_now", {})))).toEqual({ ok: { answer: 10 } });
    expect(answerOf(player.call(callOf(1, "fs_read", { path: "data/a" })))).toEqual({ ok: { answer: 11 } });
    expect(player.position()).toBe(2);
    expect(player.divergence()).toBeNull();
  });

  it("serves denials and errors as they were", () => {
    const call = callOf(0, "fs_read", { path: "x/a" });
    const denied = entryOf(call, call.request, answerError("denied", "EXO_CAPABILITY_DENIED", "no"));
    expect(answerOf(createPlayer([denied]).call(call))).toEqual({
      error: { code: "EXO_CAPABILITY_DENIED", message: "no" },
    });
  });

  it("stops at another capability, and stays stopped", () => {
    const player = createPlayer(recordedCalls);
    const stop = stopOf(player.call(callOf(0, "fs_list", {})));
    expect(stop).toEqual({
      kind: "stop",
      status: "host_fault",
      code: "EXO_REPLAY_DIVERGED",
      message: "host call 0: capability differs: expected clock_now, came fs_list",
    });
    expect(player.divergence()).toEqual({ seq: 0, kind: "capability", expected: "clock_now", actual: "fs_list" });
    expect(player.call(callOf(0, "clock_now", {}))).toEqual(stop);
    expect(player.position()).toBe(0);
  });

  it.each([
    ["another byte", "data/b", 12],
    ["a longer path", "data/ab", 6],
    ["the first byte", "x", 6],
  ])("stops at another request and says where: %s", (_what, path, offset) => {
    const player = createPlayer(recordedCalls);
    player.call(callOf(0, "clock_now", {}));
    expect(stopOf(player.call(callOf(1, "fs_read", { path }))).code).toBe("EXO_REPLAY_DIVERGED");
    expect(player.divergence()).toMatchObject({ seq: 1, kind: "request", offset });
    expect(player.divergence()?.expected).toBe(recordedCalls[1]?.requestDigest);
    expect(player.divergence()?.actual).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it.each([
    ["a request that goes on", [0x80, 0x80], 1],
    ["no request", [], 0],
  ])("puts the offset of %s at the shorter length", (_what, bytes, offset) => {
    const player = createPlayer(recordedCalls);
    player.call({ ...callOf(0, "clock_now", {}), request: Uint8Array.from(bytes) });
    expect(player.divergence()).toMatchObject({ seq: 0, kind: "request", offset });
  });

  it("stops at other fuel", () => {
    const player = createPlayer(recordedCalls);
    expect(stopOf(player.call(callOf(0, "clock_now", {}, 101))).message).toBe(
      "host call 0: fuel differs: expected 100, came 101",
    );
    expect(player.divergence()).toEqual({ seq: 0, kind: "fuel", expected: "100", actual: "101" });
  });

  it("serves at other fuel where another module may call, and nothing else that differs", () => {
    const player = createPlayer(recordedCalls, { anyFuel: true });
    expect(answerOf(player.call({ ...callOf(0, "clock_now", {}), fuel: 7 }))).toEqual({ ok: { answer: 10 } });
    expect(stopOf(player.call(callOf(1, "fs_read", { path: "data/b" }))).code).toBe("EXO_REPLAY_DIVERGED");
    expect(player.divergence()).toMatchObject({ seq: 1, kind: "request" });
  });

  it("names the capability before the request, the request before the fuel", () => {
    const one = createPlayer(recordedCalls);
    one.call(callOf(0, "log", { a: 1 }, 7));
    expect(one.divergence()?.kind).toBe("capability");
    const two = createPlayer(recordedCalls);
    two.call(callOf(0, "clock_now", { a: 1 }, 7));
    expect(two.divergence()?.kind).toBe("request");
  });

  it("stops at a call after the last entry, also when there is none", () => {
    const player = createPlayer([]);
    expect(stopOf(player.call(callOf(0, "log", {}))).code).toBe("EXO_REPLAY_DIVERGED");
    expect(player.divergence()).toEqual({ seq: 0, kind: "extra", expected: "no further call", actual: "log" });
  });

  it("ends as the recording did at a call beyond the transcript's bound", () => {
    const player = createPlayer([]);
    const request = new Uint8Array(67_108_865);
    expect(stopOf(player.call({ seq: 0, capability: "fs_write", request, fuel: 1 }))).toMatchObject({
      status: "host_call_limit",
      code: "EXO_HOST_CALL_LIMIT",
    });
    expect(player.divergence()).toBeNull();
  });

  it("hands out copies of its answers", () => {
    const first = recordedCalls.slice(0, 1);
    const player = createPlayer([...first, { ...first[0], seq: 1 } as HostCall]);
    const answer = player.call(callOf(0, "clock_now", {}));
    if (answer.kind === "answer") answer.response.fill(0);
    expect(answerOf(player.call(callOf(1, "clock_now", {}, 100)))).toEqual({ ok: { answer: 10 } });
  });

  it.each([
    ["a gap", [recordedCalls[0], recordedCalls[2]]],
    ["a start at 1", [recordedCalls[1]]],
    ["a repeated number", [recordedCalls[0], recordedCalls[0]]],
    ["bits past the end of base64url", [{ ...recordedCalls[0], request: "gB" }]],
    ["an impossible base64url length", [{ ...recordedCalls[0], response: "A" }]],
  ])("refuses entries with %s", (_what, entries) => {
    expect(() => createPlayer(entries as HostCall[])).toThrow(expect.objectContaining({ code: "EXO_SCHEMA" }));
  });

  it("serves 20,000 calls and finds the one that was tampered with", () => {
    const entries = Array.from({ length: 20_000 }, (_, seq) => entry(seq, "fs_read", { path: `data/${seq}` }, seq));
    const tampered = entries.map((one, seq) => (seq === 19_998 ? { ...one, fuel: one.fuel + 1 } : one));
    const player = createPlayer(tampered);
    for (let seq = 0; seq < 20_000; seq++) player.call(callOf(seq, "fs_read", { path: `data/${seq}` }));
    expect(player.position()).toBe(19_998);
    expect(player.divergence()).toMatchObject({ seq: 19_998, kind: "fuel" });
  });
});
