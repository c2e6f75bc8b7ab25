import { expect, test } from "vitest";
import { formatOrigin, isSameOrigin, originOf, originSchema } from "../../src/contracts/origin.js";

const origin = { scheme: "https", host: "api.example.com", port: 443 } as const;

test("two origins are the same in all three or not at all", () => {
  expect(isSameOrigin(origin, { ...origin })).toBe(true);
  for (const part of [{ scheme: "http" as const }, { host: "api.example.org" }, { port: 444 }]) {
    expect(isSameOrigin(origin, { ...origin, ...part })).toBe(false);
  }
});

test.each(["*.example.com", "", "API.example.com", "example.com:443", "a..b", "[::1]"])(
  "%j is no host of one",
  (host) => {
    expect(originSchema.safeParse({ ...origin, host }).success).toBe(false);
  },
);

test("the origin of a URL is that of its normal form alone", () => {
  expect(originOf("https://api.example.com/a?b")).toEqual(origin);
  expect(originOf("http://localhost:8080/")).toEqual({ scheme: "http", host: "localhost", port: 8080 });
  for (const url of ["https://api.example.com", "https://user@api.example.com/", "ftp://a/", "HTTPS://a/", "/a", ""]) {
    expect(originOf(url), url).toBeUndefined();
  }
  expect(formatOrigin(origin)).toBe("https://api.example.com:443");
});
