import { describe, expect, test } from "vitest";
import { kvBounds } from "../../../src/capabilities/bounds.js";
import { createKvPerformers } from "../../../src/capabilities/kv/performers.js";
import { spaceOf } from "../../../src/capabilities/kv/places.js";
import { emptySpace, KeyValueView, type SpaceHead } from "../../../src/capabilities/kv/view.js";
import type { AbiValue, PerformOutcome } from "../../../src/ports.js";
import { createMemoryStore } from "../../../src/stores/memory.js";
import { calm } from "../support.js";

type Request = Readonly<Record<string, AbiValue>>;

/** Performs calls one after the other on one view. */
function performers(head: SpaceHead = emptySpace) {
  const view = new KeyValueView(createMemoryStore(), spaceOf("default", "kv"), head);
  const made = createKvPerformers(view);
  return (name: keyof typeof made, request: Request, constraints = {}): PerformOutcome =>
    made[name].perform(request, constraints, calm) as PerformOutcome;
}

const value = new Uint8Array(1);

describe("the performers of keys and values", () => {
  test("answer in the form of the specification", () => {
    const perform = performers();
    const ok = (answer: object) => ({ outcome: "ok", value: answer });
    expect(perform("kv_get", { key: "a" })).toEqual(ok({ found: false, value: new Uint8Array(), version: 0 }));
    expect(perform("kv_put", { key: "a", value })).toEqual(ok({ done: true, version: 1 }));
    expect(perform("kv_put", { key: "a", value, expect: 0 })).toEqual(ok({ done: false, version: 1 }));
    expect(perform("kv_get", { key: "a" })).toEqual(ok({ found: true, value, version: 1 }));
    expect(perform("kv_list", { prefix: "" })).toEqual(
      ok({ entries: [{ key: "a", version: 1, size: 1 }], more: false }),
    );
    expect(perform("kv_delete", { key: "a", expect: 1 })).toEqual(ok({ done: true, version: 1 }));
    expect(perform("kv_delete", { key: "a" })).toEqual(ok({ done: true, version: 0 }));
  });

  test("list a hundred where no number is asked for", () => {
    const perform = performers();
    for (let at = 0; at < 101; at++) perform("kv_put", { key: `k${at}`, value });
    expect(perform("kv_list", { prefix: "k" })).toMatchObject({
      value: { more: true, entries: { length: kvBounds.listed } },
    });
    expect(kvBounds.listed).toBe(100);
  });

  test.each([
    ["10,000 keys", { version: 1, entries: 10_000, bytes: 0 }, {}, "EXO_KV_FULL"],
    ["one less", { version: 1, entries: 9999, bytes: 0 }, {}, "ok"],
    ["64 MiB", { version: 1, entries: 1, bytes: 67_108_864 - 1 }, {}, "EXO_KV_FULL"],
    ["two bytes less", { version: 1, entries: 1, bytes: 67_108_864 - 2 }, {}, "ok"],
    ["a grant's own keys", { version: 1, entries: 20_000, bytes: 0 }, { maxEntries: 20_001 }, "ok"],
    ["a grant of none", emptySpace, { maxEntries: 0 }, "EXO_KV_FULL"],
    ["a grant of no bytes", emptySpace, { maxTotalBytes: 0 }, "EXO_KV_FULL"],
  ])("take no further key at %s", (_name, head, constraints, expected) => {
    const outcome = performers(head)("kv_put", { key: "a", value }, constraints);
    expect(outcome.outcome === "ok" ? "ok" : outcome.code).toBe(expected);
  });

  test("give no value and no key beyond the cap of one call", () => {
    const perform = performers();
    perform("kv_put", { key: "abc", value: new Uint8Array(5) });
    expect(perform("kv_get", { key: "abc" }, { maxBytes: 4 })).toMatchObject({ outcome: "error", code: "EXO_KV_SIZE" });
    expect(perform("kv_get", { key: "abc" }, { maxBytes: 5 })).toMatchObject({ outcome: "ok" });
    expect(perform("kv_list", { prefix: "" }, { maxBytes: 2 })).toMatchObject({
      outcome: "error",
      code: "EXO_KV_SIZE",
    });
    expect(perform("kv_list", { prefix: "" }, { maxBytes: 3 })).toMatchObject({ outcome: "ok" });
  });
});
