import type { MaterialRole } from "../../src/contracts/bundle.js";
import { Forge, repack } from "../support/forge.js";
import type { Case } from "./vector.js";

/**
 * A bundle from which the bytes of the first material of a role are taken, for each role that has none so far; the
 * statement still names them.
 */
function withoutMaterials(name: string, twin: Case, seen: Set<MaterialRole>): Case[] {
  const { predicate } = new Forge(twin.bytes);
  const roles = new Set(predicate.materials.map(({ role }) => role).filter((role) => !seen.has(role)));
  for (const role of roles) seen.add(role);
  return [...roles].map((role) => ({
    about: `materials: ${name}, its first ${role} left out of the file`,
    bytes: repack(twin.bytes, (bundle) => {
      delete bundle.materials[predicate.materials.find((entry) => entry.role === role)?.digest ?? ""];
    }),
    trust: twin.trust,
    wrong: { check: "materials", code: "EXO_MATERIAL_MISSING" },
    twin,
  }));
}

/** Honest bundles of which nothing is wrong and something cannot be judged. */
export async function indeterminateCases(honest: Readonly<Record<string, Case>>, logged: Case): Promise<Case[]> {
  const layout = new Forge(logged.bytes);
  layout.predicate.revisions.bundle = 99;
  const of = (names: readonly string[]): [string, Case][] =>
    names.flatMap((name) => (honest[name] === undefined ? [] : [[name, honest[name]]]));
  const seen = new Set<MaterialRole>();
  const missing = of(["refused", "denied", "executed", "approved", "resolved", "published"]).flatMap(([name, twin]) =>
    withoutMaterials(name, twin, seen),
  );
  return [
    {
      about: "format: a layout revision nobody knows yet",
      bytes: await layout.pack(),
      trust: logged.trust,
      wrong: { check: "format", code: "EXO_REVISION" },
      twin: logged,
    },
    ...missing,
    ...of(["refused", "denied", "executed"]).map(
      ([name, twin]): Case => ({
        about: `log: ${name}, under a trust file that asks for the log`,
        bytes: twin.bytes,
        trust: { ...twin.trust, require: ["log"] },
        wrong: { check: "log", code: "EXO_MATERIAL_MISSING" },
        twin,
      }),
    ),
  ];
}
