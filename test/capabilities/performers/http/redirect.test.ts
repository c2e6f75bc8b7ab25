import { expect, it } from "vitest";
import { type Ask, followRedirect } from "../../../../src/capabilities/performers/http/redirect.js";

const ask: Ask = { method: "GET", url: "https://a.example/v1/x?y=1", headers: {}, body: new Uint8Array(0) };

it.each([
  ["/z", "https://a.example/z"],
  ["z", "https://a.example/v1/z"],
  ["?z", "https://a.example/v1/x?z"],
  ["#z", "https://a.example/v1/x?y=1"],
  ["//b.example", "https://b.example/"],
  ["HTTPS://B.example:443/z", "https://b.example/z"],
  ["https://b.example/%C3%A9", "https://b.example/%C3%A9"],
  ["https://2130706433/", "https://127.0.0.1/"],
])("a redirect to %j leads to %s", (location, url) => {
  expect(followRedirect(ask, 302, location)?.url).toBe(url);
});

it.each([
  "https://",
  "https://[::1]/",
  "https://user@b.example/",
  "https://:pass@b.example/",
  "https://b.example./",
  "https://b..example/",
  "https://b.example//z",
  "https://b.example/%2f",
  "https://b.example/%2F",
  "https://b.example/a;/..;/b",
  "https://b.example/|",
  "https://b.example/%zz",
  "mailto:a@b.example",
  "about:blank",
  "blob:https://b.example/1",
  `/${"z".repeat(8192)}`,
])("a redirect to %j leads to no URL in normal form", (location) => {
  expect(followRedirect(ask, 302, location)).toBe(null);
});

it("a redirect without a location, or a location without a redirect, leads nowhere", () => {
  expect(followRedirect(ask, 302, undefined)).toBe(null);
  expect(followRedirect(ask, 200, "/z")).toBe(null);
  expect(followRedirect(ask, 201, "/z")).toBe(null);
});
