import { describe, expect, it } from "vitest";
import { checkFlags, featuresSchema, flagNames, readFlags } from "../../src/contracts/features.js";

const federation = "EXOARMUR_FLAG_V2_FEDERATION_ENABLED";
const control = "EXOARMUR_FLAG_V2_CONTROL_PLANE_ENABLED";
const approval = "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQUIRED";

const refused = (message: string) => ({ ok: false, error: { code: "EXO_FLAG", message } });
const check = (env: Record<string, string>, features = {}) => checkFlags(readFlags(env, features));

describe("feature flags", () => {
  it("have these names, and are off by default", () => {
    expect(flagNames).toEqual([federation, control, approval]);
    expect(readFlags({}).map(({ feature, on, source }) => [feature, on, source])).toEqual([
      ["v2_federation_enabled", false, "default"],
      ["v2_control_plane_enabled", false, "default"],
      ["v2_operator_approval_required", false, "default"],
    ]);
    expect(check({})).toEqual({ ok: true, value: new Set() });
  });

  it("are on by four words and off by as many, in any case", () => {
    for (const word of ["true", "1", "yes", "on", "TRUE", " On "])
      expect(readFlags({ [federation]: word })[0]).toMatchObject({ on: true, source: "environment", problem: null });
    for (const word of ["false", "0", "no", "off", "Off", "", " "])
      expect(readFlags({ [federation]: word })[0]).toMatchObject({ on: false, source: "environment", problem: null });
  });

  it.each(["2", "enabled", "ture", "y", "0x1", "true,false", "null"])("refuse the word %s", (word) => {
    const message = `${federation} is "${word}"; expected true, 1, yes or on, or false, 0, no or off`;
    expect(check({ [federation]: word })).toEqual(refused(message));
  });

  it("refuse a name that is no flag's, and leave other variables alone", () => {
    const misspelt = "EXOARMUR_FLAG_V2_OPERATOR_APPROVAL_REQIRED";
    expect(check({ [misspelt]: "1" })).toEqual(refused(`"${misspelt}" is no flag; there are ${flagNames.join(", ")}`));
    expect(readFlags({ [misspelt]: "1" })[3]).toMatchObject({ name: misspelt, on: false });
    expect(check({ EXOARMUR_HOME: "x", EXOARMUR_DEBUG: "1", PATH: "/bin" })).toEqual({ ok: true, value: new Set() });
  });

  it("take the configuration where the environment says nothing", () => {
    const features = { v2_federation_enabled: true };
    expect(readFlags({}, features)[0]).toMatchObject({ on: true, source: "config" });
    expect(readFlags({ [federation]: "0" }, features)[0]).toMatchObject({ on: false, source: "environment" });
    expect(check({ [control]: "1" }, features)).toEqual({ ok: true, value: new Set([federation, control]) });
  });

  it.each([
    [{ [approval]: "1", [federation]: "1" }, {}, approval, control],
    [{ [approval]: "1", [control]: "1" }, {}, control, federation],
    [{ [approval]: "yes" }, {}, approval, control],
    [{ [control]: "on" }, {}, control, federation],
    [{}, { v2_operator_approval_required: true }, approval, control],
    // The environment can take away what the configuration relied on.
    [{ [federation]: "off" }, { v2_federation_enabled: true, v2_control_plane_enabled: true }, control, federation],
  ])("refuse a flag whose dependency is off, and name it: %o %o", (env, features, flag, missing) => {
    expect(check(env as Record<string, string>, features)).toEqual(
      refused(`${flag} is on and needs ${missing}, which is off`),
    );
  });

  it("are all on when all are", () => {
    const env = { [federation]: "1", [control]: "true", [approval]: "YES" };
    expect(check(env)).toEqual({ ok: true, value: new Set([federation, control, approval]) });
  });

  it("have a configuration of booleans under known names", () => {
    expect(featuresSchema.safeParse({}).success).toBe(true);
    for (const wrong of [{ v2_federation: true }, { v2_federation_enabled: "true" }, { [federation]: true }, []])
      expect(featuresSchema.safeParse(wrong).success).toBe(false);
  });
});
