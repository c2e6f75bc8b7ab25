import { ok, type Refusal, type Result, refuse } from "../errors.js";

/** The feature flags and what each needs; all are off by default (spec/cli.md). */
const flagTable = [
  { name: "EXOARMUR_FLAG_V2_FEDERATION_ENABLED", needs: null },
  { name: "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED", needs: "EXOARMUR_FLAG_V2_FEDERATION_ENABLED" },
  { name: "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED", needs: "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED" },
] as const;

/** Name of a flag, as it stands in the environment. */
export type FlagName = (typeof flagTable)[number]["name"];

/** A flag's name under `features` of config.json: without `EXOARMUR_FLAG_`, in lower case. */
export function featureOf(name: FlagName): string {
  return name.slice("EXOARMUR_FLAG_".length).toLowerCase();
}

/** A flag as it stands, and what is wrong with it: EXO_FLAG when it is on and what it needs is off. */
export type FlagState = {
  readonly name: FlagName;
  readonly on: boolean;
  readonly source: "environment" | "config" | "default";
  readonly problem: Refusal | null;
};

const onWords = new Set(["true", "1", "yes", "on"]);

/**
 * The flags as they stand. The environment comes first (`true`, `1`, `yes` or `on`, in any case, is on, anything else
 * off), then `features` of config.json.
 */
export function readFlags(
  env: Readonly<Record<string, string | undefined>>,
  features: Readonly<Record<string, boolean>> = {},
): readonly FlagState[] {
  const states = flagTable.map(({ name, needs }) => {
    const feature = featureOf(name);
    const given = env[name];
    if (given !== undefined)
      return { name, needs, on: onWords.has(given.trim().toLowerCase()), source: "environment" as const };
    const configured = Object.hasOwn(features, feature) ? features[feature] : undefined;
    return {
      name,
      needs,
      on: configured ?? false,
      source: configured === undefined ? ("default" as const) : ("config" as const),
    };
  });
  return states.map(({ needs, ...flag }) => {
    const missing = flag.on && needs !== null && !states.some(({ name, on }) => name === needs && on);
    const problem: Refusal | null = missing
      ? { code: "EXO_FLAG", message: `${flag.name} is on and needs ${needs}, which is off` }
      : null;
    return { ...flag, problem };
  });
}

/** The names of the flags that are on, or EXO_FLAG with the first one whose dependency is off. */
export function checkFlags(flags: readonly FlagState[]): Result<ReadonlySet<FlagName>> {
  const wrong = flags.find(({ problem }) => problem !== null)?.problem;
  if (wrong) return refuse(wrong.code, wrong.message);
  return ok(new Set(flags.filter(({ on }) => on).map(({ name }) => name)));
}
