import { describe, expect, it } from "vitest";
import type { CliContext } from "../../../src/cli/context.js";
import type { GuaranteeState } from "../../../src/cli/prove/finding.js";
import type { proveGuarantees } from "../../../src/cli/prove/prove.js";
import { requireDenials } from "../../../src/cli/prove/require-denials.js";

const ids = ["unknown-action", "kill-switch", "default-deny"];

function ask(states: Readonly<Record<string, GuaranteeState>>): Promise<void> {
  const prove = (_dir: string, { only }: { only?: readonly string[] }) => {
    expect(only).toEqual(ids);
    const guarantees = Object.entries(states).map(([id, state]) => ({
      id,
      state,
      title: `title of ${id}`,
      message: state,
    }));
    return Promise.resolve({ guarantees });
  };
  return requireDenials({} as CliContext, "home", prove as unknown as typeof proveGuarantees);
}

const all = (state: GuaranteeState) => Object.fromEntries(ids.map((id) => [id, state]));

describe("before others are served", () => {
  it("every denial is shown", async () => {
    await expect(ask(all("held"))).resolves.toBeUndefined();
  });

  it("a policy that asks a person for everything is no reason to refuse", async () => {
    await expect(ask({ ...all("held"), "default-deny": "could_not_be_tried" })).resolves.toBeUndefined();
  });

  it.each([
    ["unknown-action", "broken"],
    ["unknown-action", "could_not_be_tried"],
    ["kill-switch", "broken"],
    ["kill-switch", "could_not_be_tried"],
    ["default-deny", "broken"],
  ] as const)("%s that is %s refuses, by name", async (id, state) => {
    await expect(ask({ ...all("held"), [id]: state })).rejects.toMatchObject({
      code: "EXO_GUARANTEE",
      message: `a denial could not be shown; see doctor --prove: ${id}: title of ${id}: ${state}`,
    });
  });

  it("a home that cannot be opened is refused for its own reason", async () => {
    const prove = () =>
      Promise.resolve({
        guarantees: ids.map((id) => ({ id, state: "could_not_be_tried", code: "EXO_FLAG", message: "needs another" })),
      });
    const asked = requireDenials({} as CliContext, "home", prove as unknown as typeof proveGuarantees);
    await expect(asked).rejects.toMatchObject({ code: "EXO_FLAG", message: "needs another" });
  });

  it("one that nothing is said of refuses as well", async () => {
    await expect(ask({ "unknown-action": "held", "kill-switch": "held" })).rejects.toMatchObject({
      code: "EXO_GUARANTEE",
    });
  });
});
