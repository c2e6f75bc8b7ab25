import { describe, expect, it } from "vitest";
import { broken, type Claim, type Found, held, notTried } from "../../../src/cli/prove/finding.js";
import { mustEnd, mustRefuse, worst } from "../../../src/cli/prove/stage.js";
import type { ExecutionResult } from "../../../src/pipeline/types.js";

const claim: Claim = { id: "one", title: "one", tried: "one", expected: "denied", codes: ["EXO_KILL_SWITCH"] };

function resultOf(status: string, code?: string): ExecutionResult {
  const reason = code === undefined ? {} : { reason: { code, message: "because" } };
  return { status, ...reason } as unknown as ExecutionResult;
}

describe("a result shows a guarantee", () => {
  it.each<[string, ExecutionResult, Found["state"]]>([
    ["denied with its code", resultOf("denied", "EXO_KILL_SWITCH"), "held"],
    ["denied with another code", resultOf("denied", "EXO_BUDGET"), "could_not_be_tried"],
    ["failed with another code", resultOf("failed", "EXO_GUEST_ERROR"), "could_not_be_tried"],
    ["in doubt", resultOf("in_doubt", "EXO_EFFECT_UNKNOWN"), "could_not_be_tried"],
    ["waiting for a person", resultOf("approval_pending"), "could_not_be_tried"],
    ["running", resultOf("running"), "could_not_be_tried"],
    ["carried out", resultOf("executed"), "broken"],
  ])("%s", (_, result, state) => {
    expect(mustEnd(result, claim).state).toBe(state);
  });
});

describe("a refusal shows a guarantee", () => {
  it.each([
    ["with its code", { code: "EXO_KILL_SWITCH", message: "on" }, "held"],
    ["with another code", { code: "EXO_BUDGET", message: "used up" }, "could_not_be_tried"],
    ["that did not come", null, "broken"],
  ] as const)("%s", (_, refusal, state) => {
    expect(mustRefuse(refusal, claim, "it").state).toBe(state);
  });
});

describe("the worst of several findings", () => {
  it.each<[string, Found[], Found["state"]]>([
    ["none", [], "could_not_be_tried"],
    ["all held", [held("a"), held("b")], "held"],
    ["one that shows nothing", [held("a"), notTried("b"), held("c")], "could_not_be_tried"],
    ["one that is broken", [notTried("a"), broken("b"), held("c")], "broken"],
  ])("%s", (_, found, state) => {
    expect(worst(found).state).toBe(state);
  });
});
