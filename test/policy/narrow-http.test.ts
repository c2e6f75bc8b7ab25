import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HttpAllow } from "../../src/contracts/http.js";
import {
  type CapabilityGrant,
  type Constraints,
  defaultLimits,
  type ExecutorManifest,
} from "../../src/contracts/manifest.js";
import { isPathPrefix } from "../../src/contracts/url.js";
import { isWithin, limitToEffects, narrowGrants } from "../../src/policy/narrow.js";
import { intersectAllow } from "../../src/policy/narrow-http.js";

const api: HttpAllow = { scheme: "https", host: "a.example", port: 443, methods: ["GET", "POST"], pathPrefix: "/v1" };

const manifestOf = (constraints?: Constraints): ExecutorManifest => ({
  schema: "exoarmur.executor/v1",
  name: "hook",
  version: "1.0.0",
  wasm: { digest: `sha256:${"0".repeat(64)}` },
  functions: [],
  capabilities: [constraints === undefined ? { name: "http_request" } : { name: "http_request", constraints }],
  limits: defaultLimits,
});
const narrowed = (asked: Constraints | undefined, granted: Constraints, paths?: string[]) =>
  narrowGrants({
    manifest: manifestOf(asked),
    deployment: { http_request: granted },
    narrow: paths === undefined ? undefined : { http_request: { paths } },
    target: null,
  });
const only = (...allow: HttpAllow[]) => [{ name: "http_request", constraints: { allow } }];

describe("a grant of http_request", () => {
  test("reaches nothing where the deployment names no place", () => {
    expect(narrowed(undefined, {})).toEqual(only());
    expect(narrowed({ allow: [api] }, {})).toEqual(only());
    expect(narrowed({ allow: [] }, { allow: [api] })).toEqual(only());
  });

  test("is the deployment's where the manifest does not constrain it", () => {
    expect(narrowed(undefined, { allow: [api] })).toEqual(only(api));
    expect(narrowed({ maxBytes: 5 }, { allow: [api], maxBytes: 9 })).toEqual([
      { name: "http_request", constraints: { allow: [api], maxBytes: 5 } },
    ]);
  });

  test("is what both reach: common methods under the longer path", () => {
    const inner = { ...api, methods: ["PUT", "POST"], pathPrefix: "/v1/orders" } as HttpAllow;
    expect(narrowed({ allow: [inner] }, { allow: [api] })).toEqual(only({ ...inner, methods: ["POST"] }));
    expect(narrowed({ allow: [api] }, { allow: [inner] })).toEqual(only({ ...inner, methods: ["POST"] }));
  });

  test.each([
    ["scheme", { scheme: "http" }],
    ["host", { host: "b.example" }],
    ["port", { port: 8443 }],
    ["method", { methods: ["PUT"] }],
    ["path", { pathPrefix: "/v2" }],
    ["a path that only begins alike", { pathPrefix: "/v10" }],
  ])("is nothing where the %s differs", (_, change) => {
    expect(narrowed({ allow: [{ ...api, ...change } as HttpAllow] }, { allow: [api] })).toEqual(only());
  });

  test("keeps an obligation's paths, which reach no URL", () => {
    expect(narrowed(undefined, { allow: [api] }, ["data"])).toEqual([
      { name: "http_request", constraints: { paths: ["data"], allow: [api] } },
    ]);
  });

  test("is within itself, and not within less", () => {
    const grants = narrowed(undefined, { allow: [{ ...api, host: "b.example" }, api] });
    expect(isWithin(grants, manifestOf(), undefined, null)).toBe(true);
    expect(isWithin(grants, manifestOf({ allow: [api] }), undefined, null)).toBe(false);
    const swapped = [{ name: "http_request" as const, constraints: { allow: [{ ...api, host: "b.example" }, api] } }];
    expect(isWithin(swapped, manifestOf(), undefined, null)).toBe(false);
  });
});

describe("intersection", () => {
  const entry = fc.record({
    scheme: fc.constantFrom("http" as const, "https" as const),
    host: fc.constantFrom("a", "b"),
    port: fc.constantFrom(80, 443),
    methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const, "PUT" as const), { minLength: 1 }),
    pathPrefix: fc.constantFrom("/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"),
  });
  const list = fc.array(entry, { maxLength: 5 });
  const reaches = (allow: readonly HttpAllow[], place: HttpAllow, method: string): boolean =>
    allow.some(
      ({ scheme, host, port, methods, pathPrefix }) =>
        scheme === place.scheme &&
        host === place.host &&
        port === place.port &&
        (methods as readonly string[]).includes(method) &&
        isPathPrefix(place.pathPrefix, pathPrefix),
    );

  test("reaches exactly what both reach, is in one form, and does not change when it is made again", () => {
    fc.assert(
      fc.property(list, list, entry, (a, b, place) => {
        const both = intersectAllow(a, b);
        for (const method of ["GET", "POST", "PUT"]) {
          expect(reaches(both, place, method)).toBe(reaches(a, place, method) && reaches(b, place, method));
        }
        expect(intersectAllow(both, both)).toEqual(both);
        expect(intersectAllow(b, a)).toEqual(both);
        expect(intersectAllow([...both].reverse(), a)).toEqual(both);
      }),
    );
  });
});

describe("a function whose effects are read", () => {
  const grant = (allow: readonly HttpAllow[]): CapabilityGrant => ({
    name: "http_request",
    constraints: { allow: [...allow] },
  });
  const place = { ...api, methods: ["GET", "POST", "OPTIONS", "DELETE"] } as HttpAllow;

  test("keeps the safe methods of its places, and the rest of its constraints", () => {
    const limited = limitToEffects(
      { name: "http_request", constraints: { allow: [place], maxBytes: 5, secrets: ["a"] } },
      "read",
    );
    expect(limited).toEqual({
      name: "http_request",
      constraints: { allow: [{ ...place, methods: ["GET", "OPTIONS"] }], maxBytes: 5, secrets: ["a"] },
    });
    expect(limitToEffects(limited as CapabilityGrant, "read")).toEqual(limited);
  });

  test("reaches no place that only takes changes, and nothing without places", () => {
    expect(limitToEffects(grant([{ ...place, methods: ["POST"] }]), "read")).toEqual(grant([]));
    expect(limitToEffects({ name: "http_request" }, "read")).toEqual(grant([]));
  });

  test.each([
    ["none", "http_request"],
    ["none", "fs_read"],
    ["none", "kv_get"],
    ["read", "fs_write"],
    ["read", "fs_rename"],
    ["read", "kv_put"],
    ["read", "kv_delete"],
  ] as const)("of %s is left nothing of %s", (effects, name) => {
    expect(limitToEffects({ name }, effects)).toBe(null);
  });

  test.each([
    ["write", "http_request"],
    ["write", "kv_put"],
    ["read", "kv_list"],
    ["read", "fs_stat"],
    ["none", "log"],
    ["none", "clock_now"],
  ] as const)("of %s keeps %s as it is", (effects, name) => {
    expect(limitToEffects({ name, constraints: { maxBytes: 1 } }, effects)).toEqual({
      name,
      constraints: { maxBytes: 1 },
    });
  });
});
