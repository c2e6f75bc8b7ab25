import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalText } from "../../src/canonical/jcs.js";
import type { HttpAllow } from "../../src/contracts/http.js";
import {
  type CapabilityGrant,
  type Constraints,
  defaultLimits,
  type ExecutorManifest,
} from "../../src/contracts/manifest.js";
import type { Obligations } from "../../src/contracts/policy.js";
import { isPathPrefix, matchesHost } from "../../src/contracts/url.js";
import { isWithin, limitToEffects, narrowGrants } from "../../src/policy/narrow.js";
import { intersectAllow, limitPlaces } from "../../src/policy/narrow-http.js";

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

describe("an obligation of http_request", () => {
  const obliged = (narrow: NonNullable<Obligations["narrow"]>[string], target: string | null = null) =>
    narrowGrants({
      manifest: manifestOf(),
      deployment: { http_request: { allow: [{ ...api, host: "*.example", networks: ["private"] }] } },
      narrow: { http_request: narrow },
      target,
    });
  const wide: HttpAllow = { ...api, host: "*.example", networks: ["private"] };

  test.each([
    ["methods", { methods: ["GET"] }, { ...wide, methods: ["GET"] }],
    ["a path", { pathPrefix: "/v1/orders" }, { ...wide, pathPrefix: "/v1/orders" }],
    ["both", { methods: ["GET"], pathPrefix: "/v1/orders" }, { ...wide, methods: ["GET"], pathPrefix: "/v1/orders" }],
    ["a path above the grant's", { pathPrefix: "/" }, wide],
    ["a URL", { urls: ["https://b.example/v1/a?x=1"] }, { ...wide, host: "b.example", pathPrefix: "/v1/a" }],
    ["a URL above the grant's", { urls: ["https://b.example/"] }, { ...wide, host: "b.example" }],
    ["a place of its own", { allow: [api] }, api],
  ] as const)("limits every place by %s", (_, narrow, place) => {
    const found = obliged(narrow as NonNullable<Obligations["narrow"]>[string]);
    expect(found).toEqual(only(place as HttpAllow));
    const again = { http_request: narrow } as Obligations["narrow"];
    expect(isWithin(found, manifestOf(), again, null)).toBe(true);
    expect(isWithin(only(wide) as never, manifestOf(), again, null)).toBe(canonicalText(place) === canonicalText(wide));
  });

  test("takes the intent's target for {target}", () => {
    const narrow = { urls: ["{target}"] };
    expect(obliged(narrow, "https://c.example/v1/orders/7?x=1")).toEqual(
      only({ ...wide, host: "c.example", pathPrefix: "/v1/orders/7" }),
    );
    for (const target of [
      null,
      "data/a",
      "https://c.example",
      "https://c.other/v1",
      "http://c.example/v1",
      "wss://c.example/v1",
    ]) {
      expect([target, obliged(narrow, target)]).toEqual([target, only()]);
    }
  });

  test.each([
    ["methods that are not granted", { methods: ["PUT"] }],
    ["a path beside the grant's", { pathPrefix: "/v2" }],
    ["a path that only begins alike", { pathPrefix: "/v10" }],
    ["a URL of another port", { urls: ["https://b.example:8443/v1"] }],
    ["a URL that is none", { urls: ["b.example"] }],
  ] as const)("reaches nothing with %s", (_, narrow) => {
    expect(obliged(narrow as NonNullable<Obligations["narrow"]>[string])).toEqual(only());
  });
});

describe("networks", () => {
  test("are those that both name, and none where one names none", () => {
    const wide: HttpAllow = { ...api, networks: ["private", "loopback"] };
    expect(narrowed({ allow: [wide] }, { allow: [{ ...api, networks: ["loopback", "metadata"] }] })).toEqual(
      only({ ...api, networks: ["loopback"] }),
    );
    expect(narrowed({ allow: [api] }, { allow: [wide] })).toEqual(only(api));
    expect(narrowed({ allow: [wide] }, { allow: [api] })).toEqual(only(api));
    expect(narrowed(undefined, { allow: [wide] })).toEqual(only({ ...wide, networks: ["loopback", "private"] }));
  });

  test("of a wider place are not those of a narrower one", () => {
    const host: HttpAllow = { ...api, host: "a.example", networks: ["private"] };
    const any: HttpAllow = { ...api, host: "*.example" };
    expect(intersectAllow([host, any], [host, any])).toEqual([any, host]);
    expect(intersectAllow([any], [host])).toEqual([{ ...api, host: "a.example" }]);
  });
});

describe("intersection", () => {
  const entry = fc
    .record({
      scheme: fc.constantFrom("http" as const, "https" as const),
      host: fc.constantFrom("a.x", "b.x", "*.x", "x", "*.a.x", "b.a.x"),
      port: fc.constantFrom(80, 443),
      methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const, "PUT" as const), { minLength: 1 }),
      pathPrefix: fc.constantFrom("/", "/a", "/a/", "/a/b", "/ab", "/a/b/c"),
      networks: fc.subarray(["loopback" as const, "private" as const, "metadata" as const]),
    })
    .map(({ networks, ...place }): HttpAllow => (networks.length === 0 ? place : { ...place, networks }));
  const host = fc.constantFrom("a.x", "b.x", "x", "b.a.x", "c.b.a.x");
  const list = fc.array(entry, { maxLength: 5 });
  const reaches = (allow: readonly HttpAllow[], place: HttpAllow, method: string): boolean =>
    allow.some(
      ({ scheme, host, port, methods, pathPrefix, networks }) =>
        scheme === place.scheme &&
        matchesHost(place.host, host) &&
        port === place.port &&
        (methods as readonly string[]).includes(method) &&
        isPathPrefix(place.pathPrefix, pathPrefix) &&
        (place.networks ?? []).every((network) => networks?.includes(network)),
    );

  test("reaches exactly what both reach, is in one form, and does not change when it is made again", () => {
    fc.assert(
      fc.property(list, list, entry, host, (a, b, pattern, name) => {
        const place = { ...pattern, host: name };
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

  test("under an obligation reaches what both say, and does not change when it is made again", () => {
    const url = fc.constantFrom("http://a.x/a", "https://b.x/", "https://b.a.x:80/a/b?q=1", "{target}", "no url");
    const target = fc.constantFrom("http://a.x/", "https://b.x/a?q=1", "data/a", null);
    const obligation = fc.record(
      {
        methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const), { minLength: 1 }),
        pathPrefix: fc.constantFrom("/", "/a", "/a/b"),
        urls: fc.array(url, { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(list, obligation, target, entry, host, (allow, obliged, to, pattern, name) => {
        const place = { ...pattern, host: name };
        const limited = limitPlaces(allow, obliged, to);
        const { methods, pathPrefix, urls } = obliged;
        const inUrls = (urls ?? []).some((text) => {
          const url = text === "{target}" ? (to ?? "") : text;
          if (!url.includes("://")) return false;
          const { protocol, hostname, port, pathname } = new URL(url);
          const number = port === "" ? (protocol === "http:" ? 80 : 443) : Number(port);
          return (
            protocol === `${place.scheme}:` &&
            hostname === place.host &&
            number === place.port &&
            isPathPrefix(place.pathPrefix, pathname)
          );
        });
        for (const method of ["GET", "POST", "PUT"] as const) {
          const obligedTo =
            (methods === undefined || (methods as readonly string[]).includes(method)) &&
            (pathPrefix === undefined || isPathPrefix(place.pathPrefix, pathPrefix)) &&
            (urls === undefined || inUrls);
          expect(reaches(limited, place, method)).toBe(reaches(allow, place, method) && obligedTo);
        }
        expect(limitPlaces(limited, obliged, to)).toEqual(limited);
        expect(intersectAllow(limited, limited)).toEqual(limited);
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
