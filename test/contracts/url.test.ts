import { describe, expect, test } from "vitest";
import { isPathPrefix, splitUrl } from "../../src/contracts/url.js";
import { answer, judge } from "../policy/helpers.js";

test.each([
  ["https://api.example.com/", { scheme: "https", host: "api.example.com", port: 443, path: "/" }],
  ["http://x/", { scheme: "http", host: "x", port: 80, path: "/" }],
  ["http://localhost:8080/a/b/", { scheme: "http", host: "localhost", port: 8080, path: "/a/b/" }],
  ["https://x:80/a", { scheme: "https", host: "x", port: 80, path: "/a" }],
  ["nats+tls://x/", { scheme: "nats+tls", host: "x", port: null, path: "/" }],
  ["nats://x:4222/a", { scheme: "nats", host: "x", port: 4222, path: "/a" }],
  ["https://x/a?b=//..%2F&c=?/", { scheme: "https", host: "x", port: 443, path: "/a" }],
  ["https://x/?", { scheme: "https", host: "x", port: 443, path: "/" }],
  [
    "https://x/%E6%97%A5;v=1,2/@:$&'()*+=!~",
    { scheme: "https", host: "x", port: 443, path: "/%E6%97%A5;v=1,2/@:$&'()*+=!~" },
  ],
  ["http://127.0.0.1/", { scheme: "http", host: "127.0.0.1", port: 80, path: "/" }],
  ["http://1a.2b/", { scheme: "http", host: "1a.2b", port: 80, path: "/" }],
  ["https://x/.../a..b/.well-known", { scheme: "https", host: "x", port: 443, path: "/.../a..b/.well-known" }],
])("%j is in normal form", (text, url) => {
  expect(splitUrl(text)).toEqual(url);
});

test.each([
  "",
  "data/orders.csv",
  "//x/",
  "https:/x/",
  "https:x",
  "https://",
  "https:///a",
  "https://x",
  "https://x?a",
  "https://x#a",
  "HTTPS://x/",
  "Https://x/",
  "1http://x/",
  "+http://x/",
  "ht tp://x/",
  "https://X/",
  "https://x.Example/",
  "https://user@x/",
  "https://user:pw@x/",
  "https://@x/",
  "https://x:443/",
  "http://x:80/",
  "https://x:/",
  "https://x:0/",
  "https://x:080/",
  "https://x:65536/",
  "https://x:999999/",
  "https://x:8a/",
  "https://x:80:80/",
  "https://x./",
  "https://.x/",
  "https://x..y/",
  "https://x y/",
  "https://x%2ey/",
  "https://bücher.example/",
  `https://${"a".repeat(64)}/`,
  `https://${"a.".repeat(127)}a/`,
  "https://[::1]/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f.0.0.1/",
  "http://0177.0.0.1/",
  "http://127.0.0.0x1/",
  "http://127.0.0.256/",
  "http://127.0.0.01/",
  "http://1.2.3.4.5/",
  "http://x.1/",
  "https://x/.",
  "https://x/..",
  "https://x/./a",
  "https://x/a/../b",
  "https://x/..;/b",
  "https://x/.;a=1/b",
  "https://x//a",
  "https://x/a//b",
  "https://x/a\\b",
  "https://x\\@y/",
  "https://x/a b",
  "https://x/a\tb",
  "https://x/\u0000",
  "https://x/\u007f",
  "https://x/é",
  "https://x/%2e%2e/b",
  "https://x/%2E%2E/b",
  "https://x/%61",
  "https://x/%7E",
  "https://x/%2fa",
  "https://x/%2Fa",
  "https://x/%5Ca",
  "https://x/%00",
  "https://x/%0A",
  "https://x/%7F",
  "https://x/%e6",
  "https://x/%",
  "https://x/%2",
  "https://x/%G0",
  "https://x/%%20",
  "https://x/a#",
  "https://x/a?b#c",
  "https://x/a?%",
  "https://x/a?%61",
  "https://x/a?b c",
  "https://x/a?é",
  'https://x/"',
  "https://x/<a>",
  "https://x/{a}",
  "https://x/a|b",
  "https://x/a^b",
  "https://x/`",
  "https://x/[a]",
  " https://x/",
  "https://x/ ",
  "\thttps://x/",
  "https://x/\n",
])("%j is not", (text) => {
  expect(splitUrl(text)).toBeNull();
});

test.each<[string, string, boolean]>([
  ["/", "/", true],
  ["/a", "/", true],
  ["/a", "/a", true],
  ["/a/b", "/a", true],
  ["/a/", "/a", true],
  ["/a/", "/a/", true],
  ["/a/b", "/a/", true],
  ["/ab", "/a", false],
  ["/a", "/a/", false],
  ["/a;b", "/a", false],
  ["/b/a", "/a", false],
  ["/A", "/a", false],
])("path %j, prefix %j: %j", (path, prefix, expected) => {
  expect(isPathPrefix(path, prefix)).toBe(expected);
});

describe("url rules", () => {
  const target = "https://api.example.com/v1/orders?x=1";

  test.each([
    [{}],
    [{ scheme: "https" }],
    [{ host: ["a", "api.example.com"] }],
    [{ port: 443 }],
    [{ path: "/v1" }],
    [{ scheme: ["http", "https"], host: "api.example.com", port: [443, 8443], path: ["/v2", "/v1/orders"] }],
  ])("%j matches", (url) => {
    expect(answer({ target: { url } }, { target })).toBe("yes");
  });

  test.each([
    [{ scheme: "http" }],
    [{ host: "example.com" }],
    [{ host: "evil-api.example.com" }],
    [{ port: 80 }],
    [{ path: "/v1/ord" }],
    [{ path: "/v1/orders/" }],
    [{ path: "/v1/o" }],
    [{ scheme: "https", host: "api.example.com", path: "/v2" }],
  ])("%j does not", (url) => {
    expect(answer({ target: { url } }, { target })).toBe("no");
  });

  test("a port is not matched where none is known", () => {
    expect(answer({ target: { url: { port: 4222 } } }, { target: "nats://x/" })).toBe("no");
    expect(answer({ target: { url: { port: 4222 } } }, { target: "nats://x:4222/" })).toBe("yes");
  });

  test.each(["https://api.example.com:443/v1", "https://API.example.com/v1", "https://api.example.com/x/../v1", "x"])(
    "no url rule allows %j, and a deny rule denies it as an error",
    (abnormal) => {
      expect(judge({ target: { url: { path: "/v1" } } }, { target: abnormal }).ruleIds).toEqual(["default"]);
      const denied = judge({ target: { url: { path: "/other" } } }, { target: abnormal }, "deny");
      expect(denied.ruleIds).toEqual(["r1"]);
      expect(denied.rationale).toMatch(/^evaluation error/);
    },
  );
});
