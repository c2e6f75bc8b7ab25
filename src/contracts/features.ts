import { z } from "zod";
import { ok, type Refusal, type Result, refuse } from "../errors.js";

/** What every flag's name in the environment begins with. */
const flagPrefix = "EXOARMUR_FLAG_";

/** The feature flags and what each needs; all are off by default (spec/home.md, Features). */
const flagTable = [
  { name: "EXOARMUR_FLAG_V2_FEDERATION_ENABLED", feature: "v2_federation_enabled", needs: null },
  {
    name: "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED",
    feature: "v2_control_plane_enabled",
    needs: "EXOARMUR_FLAG_V2_FEDERATION_ENABLED",
  },
  {
    name: "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED",
    feature: "v2_operator_approval_required",
    needs: "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED",
  },
] as const;

/** Name of a flag, as it stands in the environment. */
export type FlagName = (typeof flagTable)[number]["name"];

/** Names of the flags in the environment, each after those it needs. */
export const flagNames: readonly FlagName[] = flagTable.map(({ name }) => name);

/** `features` of config.json and of createRuntime: the flags by name, lower case and without `EXOARMUR_FLAG_`. */
export const featuresSchema = z.strictObject({
  v2_federation_enabled: z.boolean().optional(),
  v2_control_plane_enabled: z.boolean().optional(),
  v2_operator_approval_required: z.boolean().optional(),
});

/** The flags as a configuration states them. */
export type Features = z.infer<typeof featuresSchema>;

/** A flag as it stands, and what is wrong with it. `name` is a FlagName unless the problem is that there is none such. */
export type FlagState = {
  readonly name: string;
  /** Its name under `features`. */
  readonly feature: string;
  readonly on: boolean;
  readonly source: "environment" | "config" | "default";
  /** EXO_FLAG: no such flag, no such value, or on while what it needs is off. */
  readonly problem: Refusal | null;
};

const words: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off", ""].map((word) => [word, false] as const),
]);

/**
 * The flags as they stand. The environment comes first (`true 1 yes on` and `false 0 no off`, in any case; empty is
 * off), then `features`. A flag can ask for more approvals, so a word that means neither, and a name that is no flag's,
 * are problems and never a silent off.
 */
export function readFlags(
  env: Readonly<Record<string, string | undefined>>,
  features: Features = {},
): readonly FlagState[] {
  const states = flagTable.map(({ name, feature, needs }) => {
    const given = env[name];
    if (given === undefined) {
      const configured = features[feature];
      const source = configured === undefined ? ("default" as const) : ("config" as const);
      return { name, feature, needs, on: configured ?? false, source, problem: null };
    }
    const on = words.get(given.trim().toLowerCase());
    const problem =
      on === undefined
        ? refusal(`${name} is ${shown(given)}; expected true, 1, yes or on, or false, 0, no or off`)
        : null;
    return { name, feature, needs, on: on ?? false, source: "environment" as const, problem };
  });
  const isOn = (name: FlagName): boolean => states.some((state) => state.name === name && state.on);
  const known = states.map(({ needs, ...flag }): FlagState => {
    const missing = flag.on && needs !== null && !isOn(needs);
    return missing ? { ...flag, problem: refusal(`${flag.name} is on and needs ${needs}, which is off`) } : flag;
  });
  return [...known, ...unknownFlags(env)];
}

function unknownFlags(env: Readonly<Record<string, string | undefined>>): FlagState[] {
  const names = Object.keys(env).filter((name) => name.startsWith(flagPrefix) && env[name] !== undefined);
  return names
    .filter((name) => !flagNames.some((known) => known === name))
    .sort()
    .map((name) => ({
      name,
      feature: name.slice(flagPrefix.length).toLowerCase(),
      on: false,
      source: "environment",
      problem: refusal(`${shown(name)} is no flag; there are ${flagNames.join(", ")}`),
    }));
}

function refusal(message: string): Refusal {
  return { code: "EXO_FLAG", message };
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

/** The names of the flags that are on, or EXO_FLAG with the first problem. */
export function checkFlags(flags: readonly FlagState[]): Result<ReadonlySet<string>> {
  const wrong = flags.find(({ problem }) => problem !== null)?.problem;
  if (wrong) return refuse(wrong.code, wrong.message);
  return ok(new Set(flags.filter(({ on }) => on).map(({ name }) => name)));
}
