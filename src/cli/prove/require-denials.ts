import { type ErrorCode, ExoArmurError, errorTable } from "../../errors.js";
import type { CliContext } from "../context.js";
import { proveGuarantees } from "./prove.js";

/** Denials that any policy can show, and one that a policy which asks a person for everything leaves untried. */
const shown: Readonly<Record<string, "held" | "not broken">> = {
  "unknown-action": "held",
  "kill-switch": "held",
  "default-deny": "not broken",
};

const untried = "could_not_be_tried";

/**
 * Has a home's denials shown in a scratch home (spec/cli.md, Guarantees) before others are let in. EXO_GUARANTEE names
 * those that were not; a home that cannot be opened is refused with its own code. `prove` stands in for the attempts in tests.
 */
export async function requireDenials(
  { clock, entropy, env, signal }: CliContext,
  dir: string,
  prove: typeof proveGuarantees = proveGuarantees,
): Promise<void> {
  const { guarantees } = await prove(dir, { clock, entropy, env, signal, only: Object.keys(shown) });
  const [first] = guarantees;
  // A home that cannot be opened leaves all of them untried, for the reason for which it cannot be served either.
  if (first?.code !== undefined && guarantees.every(({ state, code }) => state === untried && code === first.code)) {
    throw new ExoArmurError(
      Object.hasOwn(errorTable, first.code) ? (first.code as ErrorCode) : "EXO_GUARANTEE",
      first.message,
    );
  }
  const wanted = Object.entries(shown);
  const open = wanted.flatMap(([id, least]) => {
    const found = guarantees.find((proof) => proof.id === id);
    if (found?.state === "held" || (found?.state === untried && least === "not broken")) return [];
    return [found === undefined ? id : `${id}: ${found.title}: ${found.message}`];
  });
  if (open.length === 0) return;
  throw new ExoArmurError("EXO_GUARANTEE", `a denial could not be shown; see doctor --prove: ${open.join("; ")}`);
}
