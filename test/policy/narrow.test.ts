import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAliasPath } from "../../src/contracts/alias-path.js";
import type { CapabilityGrant, Constraints, ExecutorManifest } from "../../src/contracts/manifest.js";
import { defaultLimits } from "../../src/contracts/manifest.js";
import { isWithin, type NarrowingInput, narrowGrants } from "../../src/policy/narrow.js";

function manifestOf(...capabilities: CapabilityGrant[]): ExecutorManifest {
  return {
    schema: "exoarmur.executor/v1",
    name: "fs",
    version: "1.0.0",
    wasm: { digest: `sha256:${"0".repeat(64)}` },
    functions: [],
    capabilities,
    limits: defaultLimits,
  };
}

function narrowed(
  asked: Constraints | undefined,
  granted: Constraints | undefined,
  narrow?: NarrowingInput["narrow"],
  target: string | null = "data/x",
): CapabilityGrant[] {
  const manifest = manifestOf(asked === undefined ? { name: "fs_read" } : { name: "fs_read", constraints: asked });
  return narrowGrants({ manifest, deployment: granted === undefined ? {} : { fs_read: granted }, narrow, target });
}

const only = (constraints: Constraints): CapabilityGrant[] => [{ name: "fs_read", constraints }];

describe("what is granted", () => {
  test("a capability the deployment does not name is not", () => {
    expect(narrowed(undefined, undefined)).toEqual([]);
    expect(narrowed({ roots: ["data"], paths: ["data"] }, undefined)).toEqual([]);
  });

  test("a capability the manifest does not ask for is not", () => {
    expect(
      narrowGrants({
        manifest: manifestOf(),
        deployment: { fs_read: { roots: ["data"] } },
        narrow: undefined,
        target: null,
      }),
    ).toEqual([]);
  });

  test("log is, when it is asked for", () => {
    const manifest = manifestOf({ name: "log" });
    expect(narrowGrants({ manifest, deployment: {}, narrow: undefined, target: null })).toEqual([{ name: "log" }]);
    expect(narrowGrants({ manifest: manifestOf(), deployment: { log: {} }, narrow: undefined, target: null })).toEqual(
      [],
    );
  });

  test("members of Object.prototype grant nothing", () => {
    const manifest = manifestOf({ name: "fs_read" });
    const deployment = Object.create({ fs_read: { roots: ["data"] } }) as Record<string, Constraints>;
    expect(narrowGrants({ manifest, deployment, narrow: undefined, target: null })).toEqual([]);
  });

  test("sorted by name, each capability once, asked twice is asked for both", () => {
    const manifest = manifestOf(
      { name: "fs_stat" },
      { name: "fs_read", constraints: { maxBytes: 5 } },
      { name: "clock_now" },
      { name: "fs_read", constraints: { roots: ["data"] } },
    );
    const deployment = { fs_stat: { roots: ["b", "a"] }, fs_read: { roots: ["data", "x"] }, clock_now: {} };
    expect(narrowGrants({ manifest, deployment, narrow: undefined, target: null })).toEqual([
      { name: "clock_now" },
      { name: "fs_read", constraints: { roots: ["data"], maxBytes: 5 } },
      { name: "fs_stat", constraints: { roots: ["a", "b"] } },
    ]);
  });
});

describe("constraints", () => {
  test("roots of the deployment, of those the manifest names; none when the deployment names none", () => {
    expect(narrowed({}, { roots: ["b", "a", "a"] })).toEqual(only({ roots: ["a", "b"] }));
    expect(narrowed({ roots: ["a", "c"] }, { roots: ["a", "b"] })).toEqual(only({ roots: ["a"] }));
    expect(narrowed({ roots: ["c"] }, { roots: ["a"] })).toEqual(only({ roots: [] }));
    expect(narrowed({ roots: ["a"] }, {})).toEqual(only({ roots: [] }));
  });

  test("the lesser maxBytes", () => {
    expect(narrowed({ maxBytes: 5 }, { roots: [], maxBytes: 9 })).toEqual(only({ roots: [], maxBytes: 5 }));
    expect(narrowed({ maxBytes: 9 }, { roots: [], maxBytes: 0 })).toEqual(only({ roots: [], maxBytes: 0 }));
    expect(narrowed({}, { roots: [], maxBytes: 9 })).toEqual(only({ roots: [], maxBytes: 9 }));
  });

  test.each<[string[] | undefined, string[] | undefined, string[] | undefined]>([
    [undefined, undefined, undefined],
    [["data"], undefined, ["data"]],
    [undefined, ["data"], ["data"]],
    [["data"], ["data/x"], ["data/x"]],
    [["data/x"], ["data"], ["data/x"]],
    [["data/x"], ["data/y"], []],
    [["data/x"], ["data/xy"], []],
    [
      ["data/x", "out"],
      ["data", "out/a", "out/b"],
      ["data/x", "out/a", "out/b"],
    ],
    [["data", "data/x"], ["data"], ["data"]],
    [["data", "data/x"], undefined, ["data"]],
    [["/data"], ["data"], []],
    [["data/../x"], ["data"], []],
    [[], ["data"], []],
    [["data"], [], []],
  ])("paths %j and %j give %j", (asked, granted, expected) => {
    const constraints = (paths: string[] | undefined) => (paths === undefined ? {} : { paths });
    expect(narrowed(constraints(asked), { roots: [], ...constraints(granted) })).toEqual(
      only({ roots: [], ...constraints(expected) }),
    );
  });
});

describe("obligation", () => {
  const granted = { roots: ["data"] };

  test.each<[NarrowingInput["narrow"], string | null, string[] | undefined]>([
    [{}, "data/x", undefined],
    [{ fs_remove: { paths: ["data"] } }, "data/x", undefined],
    [{ fs_read: {} }, "data/x", undefined],
    [{ fs_read: { paths: ["{target}"] } }, "data/x", ["data/x"]],
    [{ fs_read: { paths: ["{target}", "data/y"] } }, "data/x", ["data/x", "data/y"]],
    [{ fs_read: { paths: ["{target}"] } }, null, []],
    [{ fs_read: { paths: ["{target}"] } }, "/data/x", []],
    [{ fs_read: { paths: ["{target}"] } }, "data/../x", []],
    [{ fs_read: { paths: ["{target}"] } }, "{target}", ["{target}"]],
  ])("%j with target %j gives %j", (narrow, target, paths) => {
    expect(narrowed({}, granted, narrow, target)).toEqual(only(paths === undefined ? granted : { ...granted, paths }));
  });

  test("cannot widen", () => {
    expect(narrowed({ paths: ["data/a"] }, granted, { fs_read: { paths: ["data"] } })).toEqual(
      only({ roots: ["data"], paths: ["data/a"] }),
    );
  });
});

const alias = fc.constantFrom("data", "out", "tmp");
const path = fc.constantFrom("data", "data/a", "data/a/b", "data/ab", "out", "out/x", "tmp/../x", "/data", "x");
const constraints = fc.record(
  { roots: fc.array(alias, { maxLength: 3 }), paths: fc.array(path, { maxLength: 4 }), maxBytes: fc.nat(9) },
  { requiredKeys: [] },
);
const name = fc.constantFrom("fs_read", "fs_write", "log", "clock_now", "random_bytes" as const);
const input = fc.record({
  manifest: fc
    .array(fc.record({ name, constraints }), { maxLength: 5 })
    .map((capabilities) => manifestOf(...(capabilities as CapabilityGrant[]))),
  deployment: fc.dictionary(name, constraints),
  narrow: fc.dictionary(
    name,
    fc.record({ paths: fc.array(fc.oneof(path, fc.constant("{target}")), { maxLength: 3 }) }, { requiredKeys: [] }),
  ),
  target: fc.option(path),
}) as fc.Arbitrary<NarrowingInput>;

/** May this capability touch this path, judged straight from one source? Absent members do not constrain. */
function reaches(constraint: Constraints, probe: string, size: number): boolean {
  const root = probe.split("/")[0] ?? "";
  const inside = (base: string) => parseAliasPath(base) !== null && `${probe}/`.startsWith(`${base}/`);
  return (
    (constraint.roots?.includes(root) ?? true) &&
    (constraint.paths?.some(inside) ?? true) &&
    size <= (constraint.maxBytes ?? 9)
  );
}

describe("properties", () => {
  test("a grant reaches exactly what every source lets it reach", () => {
    const probe = fc.constantFrom("data", "data/a", "data/a/b", "data/a/b/c", "data/ab", "out/x", "tmp", "x/y");
    fc.assert(
      fc.property(input, probe, fc.nat(9), (given, at, size) => {
        const grants = narrowGrants(given);
        for (const capability of ["fs_read", "fs_write"] as const) {
          const asks = given.manifest.capabilities.filter((one) => one.name === capability);
          const deployed = given.deployment[capability];
          const obligation = given.narrow?.[capability]?.paths?.flatMap((p) =>
            p === "{target}" ? (given.target ?? []) : p,
          );
          const allowed =
            asks.length > 0 &&
            deployed !== undefined &&
            asks.every((ask) => reaches(ask.constraints ?? {}, at, size)) &&
            reaches({ ...deployed, roots: deployed.roots ?? [] }, at, size) &&
            (obligation === undefined || reaches({ paths: obligation }, at, size));
          const grant = grants.find((one) => one.name === capability);
          const granted = grant !== undefined && reaches(grant.constraints ?? {}, at, size);
          expect(granted).toBe(allowed);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("narrowing again changes nothing, and the result is within", () => {
    fc.assert(
      fc.property(input, (given) => {
        const grants = narrowGrants(given);
        const deployment = Object.fromEntries(grants.map((grant) => [grant.name, grant.constraints ?? {}]));
        expect(narrowGrants({ ...given, deployment })).toEqual(grants);
        expect(isWithin(grants, given.manifest, given.narrow, given.target)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("isWithin", () => {
  const manifest = manifestOf({ name: "fs_read", constraints: { roots: ["data"], maxBytes: 9 } }, { name: "log" });
  const narrow = { fs_read: { paths: ["{target}"] } };
  const good: CapabilityGrant = { name: "fs_read", constraints: { roots: ["data"], paths: ["data/x"], maxBytes: 9 } };
  const within = (...grants: CapabilityGrant[]) => isWithin(grants, manifest, narrow, "data/x");

  test("accepts what is asked, inside the obligation, and less", () => {
    expect(within(good)).toBe(true);
    expect(within(good, { name: "log" })).toBe(true);
    expect(within()).toBe(true);
    expect(within({ name: "fs_read", constraints: { roots: [], paths: ["data/x/y"], maxBytes: 1 } })).toBe(true);
  });

  test.each<[string, CapabilityGrant[]]>([
    ["another capability", [good, { name: "fs_write", constraints: { roots: ["data"] } }]],
    ["another root", [{ ...good, constraints: { ...good.constraints, roots: ["data", "out"] } }]],
    ["another path", [{ ...good, constraints: { ...good.constraints, paths: ["data"] } }]],
    ["no paths", [{ name: "fs_read", constraints: { roots: ["data"], maxBytes: 9 } }]],
    ["more bytes", [{ ...good, constraints: { ...good.constraints, maxBytes: 10 } }]],
    ["no bound on bytes", [{ name: "fs_read", constraints: { roots: ["data"], paths: ["data/x"] } }]],
    ["no constraints", [{ name: "fs_read" }]],
    ["one capability twice", [good, good]],
    ["another order", [{ name: "log" }, good]],
    ["a root twice", [{ ...good, constraints: { ...good.constraints, roots: ["data", "data"] } }]],
  ])("refuses %s", (_name, grants) => {
    expect(within(...grants)).toBe(false);
  });
});
