import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventPayloads, terminalEventTypes } from "../../src/contracts/event.js";
import { advance, endStates, type IntentState, lifecycle, restingStates } from "../../src/contracts/lifecycle.js";

/** The table as it was agreed on, written out: a change of the source must be a change here and on the page. */
const steps: readonly (readonly [from: string, event: string, to: string])[] = [
  ["none", "intent_received", "received"],
  ["received", "policy_evaluated", "policy_judged"],
  ["received", "intent_denied", "denied"],
  ["policy_judged", "safety_evaluated", "safety_judged"],
  ["safety_judged", "verdict_resolved", "judged"],
  ["judged", "intent_denied", "denied"],
  ["judged", "approval_requested", "pending"],
  ["judged", "execution_started", "started"],
  ["pending", "approval_granted", "pending"],
  ["pending", "approval_denied", "refused"],
  ["pending", "approval_expired", "refused"],
  ["pending", "policy_evaluated", "policy_judged"],
  ["pending", "intent_denied", "denied"],
  ["refused", "intent_denied", "denied"],
  ["started", "effect_started", "started"],
  ["started", "execution_completed", "completed"],
  ["started", "execution_failed", "failed"],
  ["started", "execution_in_doubt", "in_doubt"],
  ["in_doubt", "execution_resolved", "resolved"],
];

const states = Object.keys(lifecycle) as (IntentState | "none")[];
const types = Object.keys(eventPayloads);

describe("the life of an intent", () => {
  test("every state with every event type: exactly the agreed steps exist", () => {
    const found = states.flatMap((from) =>
      types.flatMap((type) => {
        const to = advance(from, type);
        return to === undefined ? [] : [[from, type, to]];
      }),
    );
    expect(found).toHaveLength(steps.length);
    expect(new Set(found.map((step) => step.join(" ")))).toEqual(new Set(steps.map((step) => step.join(" "))));
    expect(states.length * types.length).toBe(13 * 25);
  });

  test.each(["", "constructor", "toString", "__proto__", "hasOwnProperty", "intent_received ", "INTENT_RECEIVED"])(
    "no state knows the event %j",
    (type) => {
      for (const state of states) if (type !== "") expect(advance(state, type)).toBeUndefined();
      for (const state of states) expect(advance(state, type)).toBeUndefined();
    },
  );

  test("every state is reached, and from every state an end is", () => {
    const reached = new Set<string>(["none"]);
    for (let size = 0; size !== reached.size; ) {
      size = reached.size;
      for (const [from, , to] of steps) if (reached.has(from)) reached.add(to);
    }
    expect(reached).toEqual(new Set(states));
    const ending = new Set<string>(endStates);
    for (let size = 0; size !== ending.size; ) {
      size = ending.size;
      for (const [from, , to] of steps) if (ending.has(to)) ending.add(from);
    }
    expect(ending).toEqual(new Set(states));
  });

  test("the events that lead to an end are the terminal ones, and only they", () => {
    for (const [, event, to] of steps) {
      expect(endStates.has(to as IntentState), event).toBe(terminalEventTypes.has(event));
    }
    expect(terminalEventTypes.size).toBe(4);
  });

  test("nothing starts without being judged, however often it was judged before", () => {
    // Walk every path of up to 12 events: between the last verdict_resolved and execution_started nothing may lie.
    const walk = (state: IntentState | "none", path: readonly string[]): void => {
      if (path.at(-1) === "execution_started") expect(path.at(-2)).toBe("verdict_resolved");
      if (path.filter((event) => event === "execution_started").length > 1) throw new Error("started twice");
      if (path.length >= 12) return;
      for (const [event, next] of Object.entries(lifecycle[state])) {
        if (next !== state) walk(next, [...path, event]);
      }
    };
    walk("none", []);
  });

  test("ends rest, and so do the states a crash may find", () => {
    for (const state of endStates) expect(restingStates.has(state)).toBe(true);
    expect([...restingStates].filter((state) => !endStates.has(state)).sort()).toEqual([
      "in_doubt",
      "pending",
      "started",
    ]);
  });

  test("the table on the page is the table in the code", () => {
    const page = readFileSync(new URL("../../spec/contracts.md", import.meta.url), "utf8");
    const section = page.slice(page.indexOf("## Life of an intent"));
    const rows = [...section.matchAll(/^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|$/gm)].map(([, from, event, to]) =>
      [from, event, to].join(" "),
    );
    expect(rows).toEqual(steps.map((step) => step.join(" ")));
  });
});
