import { describe, expect, it } from "vitest";
import { actionClasses, actionClassOf, operatorClasses } from "../../src/contracts/action-class.js";
import type { ActionIntent } from "../../src/contracts/intent.js";

const declared = (actionClass: unknown): Pick<ActionIntent, "context"> => ({
  context: { actionClass } as ActionIntent["context"],
});

describe("the class of an action", () => {
  it("is one of four, two of which need an operator", () => {
    expect(actionClasses).toEqual(["A0_observe", "A1_soft_containment", "A2_hard_containment", "A3_irreversible"]);
    expect(operatorClasses).toEqual(["A2_hard_containment", "A3_irreversible"]);
  });

  it.each([
    ["none", "A0_observe"],
    ["read", "A0_observe"],
    ["write", "A2_hard_containment"],
  ] as const)("follows from effects where nothing is declared: %s", (effects, expected) => {
    expect(actionClassOf({}, effects)).toBe(expected);
    expect(actionClassOf({ context: {} }, effects)).toBe(expected);
  });

  it("is raised by what is declared, and never lowered", () => {
    const read = actionClasses.map((one) => actionClassOf(declared(one), "read"));
    const write = actionClasses.map((one) => actionClassOf(declared(one), "write"));
    expect(read).toEqual(actionClasses);
    expect(write).toEqual(["A2_hard_containment", "A2_hard_containment", "A2_hard_containment", "A3_irreversible"]);
  });

  it.each(["a2_hard_containment", "A2", "A4_world", "", 2, null, true, ["A0_observe"]])(
    "is the highest where the word is none: %o",
    (word) => {
      expect(actionClassOf(declared(word), "none")).toBe("A3_irreversible");
    },
  );
});
