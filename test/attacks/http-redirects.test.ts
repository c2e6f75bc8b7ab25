import { describe, expect, it } from "vitest";
import type { HttpAllow } from "../../src/contracts/http.js";
import { attack, call, closedPort, place, serve, serveDns, serveRaw, shortOf, tlsFile } from "../support/http.js";

// A granted server that sends its guests elsewhere. A redirect that cannot be followed is the answer itself.

const elsewhere = await serve((seen, response) => response.end(`elsewhere ${seen.method}`));

/** A server whose only answer is this redirect, except under /end. */
const redirecting = (location: string, status = 302) =>
  serve((seen, response) => {
    if (seen.url.startsWith("/end")) return response.end(`end ${seen.method} ${seen.body}`);
    return response.writeHead(status, { location }).end("moved");
  });

describe("a redirect out of the grant", () => {
  const { port } = elsewhere;
  it.each([
    ["to a port that is not granted", `http://127.0.0.1:${port}/`],
    ["to a decimal address", `http://2130706433:${port}/`],
    ["to a hexadecimal address", `http://0x7f000001:${port}/`],
    ["to an address of IPv6", `http://[::1]:${port}/`],
    ["to an IPv4-mapped address", `http://[::ffff:127.0.0.1]:${port}/`],
    ["with user information", `http://user:pass@127.0.0.1:${port}/`],
    ["to the metadata service", "http://169.254.169.254/latest/meta-data/"],
    ["to a private address", "http://10.0.0.1/"],
    ["to a file", "file:///etc/passwd"],
    ["to data", "data:text/plain,hello"],
    ["to a script", "javascript:alert(1)"],
    ["to nothing that can be read", "http://"],
    ["without a scheme to another host", `//localhost:${port}/`],
  ])("%s", async (_, location) => {
    const server = await redirecting(location);
    const { end, headers } = await attack(
      {},
      { allow: [place(server.port)] },
      { url: `http://127.0.0.1:${server.port}/` },
    );
    expect(end).toBe("ok 302 moved");
    expect(headers).toEqual({ location });
    expect(elsewhere.seen).toEqual([]);
  });

  it("to a granted name with an address that is not", async () => {
    const dns = await serveDns((name) => (name === "a.evil.test" ? ["127.0.0.1"] : ["192.168.0.1"]));
    const server = await redirecting("http://b.evil.test:81/");
    const allow = [place(server.port, { host: "a.evil.test" }), place(81, { host: "b.evil.test" })];
    const url = `http://a.evil.test:${server.port}/`;
    expect((await attack({ dnsServers: [dns.server] }, { allow }, { url })).end).toBe("ok 302 moved");
  });

  it("to a name that is not granted is not even looked up", async () => {
    const dns = await serveDns(() => ["127.0.0.1"]);
    const server = await redirecting("http://what-i-know.evil.test/");
    const allow = [place(server.port, { host: "a.example.test" })];
    const url = `http://a.example.test:${server.port}/`;
    expect((await attack({ dnsServers: [dns.server] }, { allow }, { url })).end).toBe("ok 302 moved");
    expect(dns.asked.sort()).toEqual(["A a.example.test", "AAAA a.example.test"]);
  });

  it("to a path, method or host beside the granted ones", async () => {
    for (const [location, change] of [
      ["/admin", { pathPrefix: "/v1" }],
      ["/v1/../admin", { pathPrefix: "/v1" }],
      ["/v1/%2e%2e/admin", { pathPrefix: "/v1" }],
      ["/v1/x", { methods: ["POST"] }],
    ] as const) {
      const server = await redirecting(location);
      const allow = [place(server.port, change as Partial<HttpAllow>)];
      const { end } = await attack({}, { allow }, { method: "POST", url: `http://127.0.0.1:${server.port}/v1/a` });
      expect([location, end]).toEqual([location, "ok 302 moved"]);
      expect(server.seen).toHaveLength(1);
    }
  });

  it("from https to http, unless http is granted there", async () => {
    const plain = await serve((_seen, response) => response.end("plain"));
    const server = await serve(
      (_seen, response) => response.writeHead(302, { location: `http://127.0.0.1:${plain.port}/` }).end("moved"),
      "server",
    );
    const options = { ca: tlsFile("ca.pem") };
    const secure = place(server.port, { scheme: "https" });
    const ask = { url: `https://127.0.0.1:${server.port}/` };
    expect((await attack(options, { allow: [secure, place(plain.port, { scheme: "https" })] }, ask)).end).toBe(
      "ok 302 moved",
    );
    expect(plain.seen).toEqual([]);
    const followed = await call(options, { allow: [secure, place(plain.port)] }, ask);
    expect(shortOf(followed)).toBe("ok 200 plain");
    // One hop that nobody vouches for, and nobody vouches for the answer.
    expect(followed).toMatchObject({ assurance: "unauthenticated" });
  });

  it("from http to https is not vouched for, since anybody could have sent it there", async () => {
    const secure = await serve((_seen, response) => response.end("safe"), "server");
    const server = await redirecting(`https://127.0.0.1:${secure.port}/`);
    const allow = [place(server.port), place(secure.port, { scheme: "https" })];
    const outcome = await call({ ca: tlsFile("ca.pem") }, { allow }, { url: `http://127.0.0.1:${server.port}/` });
    expect(shortOf(outcome)).toBe("ok 200 safe");
    expect(outcome).toMatchObject({ assurance: "unauthenticated" });
  });

  it("to where nobody listens was performed, and its answer is the redirect", async () => {
    const port = await closedPort();
    const server = await redirecting(`http://127.0.0.1:${port}/`, 307);
    const allow = [place(server.port), place(port)];
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/`, body: "x" };
    expect((await attack({}, { allow }, ask)).end).toBe("ok 307 moved");
  });
});

describe("a redirect to a server that does not answer", () => {
  it.each([
    ["of a write to a read: the write was answered", 303, "POST", "ok 303 moved"],
    ["of a write to itself is in doubt", 307, "POST", "unknown EXO_EFFECT_UNKNOWN"],
    ["of a read has no answer", 302, "GET", "error EXO_HTTP_NO_ANSWER"],
  ])("%s", async (_, status, method, expected) => {
    const silent = await serveRaw((socket) => socket.destroy());
    const server = await redirecting(`http://127.0.0.1:${silent.port}/`, status);
    const allow = [place(server.port), place(silent.port)];
    const { end } = await attack({}, { allow }, { method, url: `http://127.0.0.1:${server.port}/` });
    expect(end).toBe(expected);
    expect(silent.count()).toBe(1);
  });
});

describe("redirects without an end", () => {
  it("stop at the grant's bound, or at five", async () => {
    const server = await redirecting("/again");
    const ask = { url: `http://127.0.0.1:${server.port}/` };
    for (const [bound, requests] of [
      [{}, 6],
      [{ maxRedirects: 0 }, 1],
      [{ maxRedirects: 2 }, 3],
    ] as const) {
      server.seen.length = 0;
      expect((await attack({}, { allow: [place(server.port)], ...bound }, ask)).end).toBe("ok 302 moved");
      expect(server.seen).toHaveLength(requests);
    }
  });

  it("between two servers stop as well", async () => {
    let other = 0;
    const one = await serve((_seen, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end(),
    );
    const two = await redirecting(`http://127.0.0.1:${one.port}/`);
    other = two.port;
    const allow = [place(one.port), place(two.port)];
    expect((await attack({}, { allow }, { url: `http://127.0.0.1:${one.port}/` })).end).toMatch(/^ok 302/);
    expect(one.seen.length + two.seen.length).toBe(6);
  });
});

describe("the request a redirect makes", () => {
  it.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [303, "HEAD", "HEAD", ""],
    [301, "PUT", "PUT", "body"],
    [302, "DELETE", "DELETE", "body"],
    [307, "POST", "POST", "body"],
    [308, "PATCH", "PATCH", "body"],
  ])("after %i of a %s is a %s", async (status, method, next, body) => {
    const server = await redirecting("/end#part", status);
    const headers = { "content-type": "text/plain", "content-language": "en", "x-kept": "1" };
    const ask = { method, url: `http://127.0.0.1:${server.port}/`, headers, body: method === "HEAD" ? "" : "body" };
    const { end } = await attack({}, { allow: [place(server.port)] }, ask);
    expect(end).toBe(method === "HEAD" ? "ok 200" : `ok 200 end ${next} ${body}`.trimEnd());
    const seen = server.seen[1];
    expect([seen?.method, seen?.url, seen?.body]).toEqual([next, "/end", body]);
    const told = method === "HEAD" || body !== "";
    expect(seen?.headers).toMatchObject({ "x-kept": "1", ...(told ? { "content-type": "text/plain" } : {}) });
    expect(seen?.headers["content-type"] !== undefined).toBe(told);
    // Only what still writes names the effect.
    const writes = next !== "GET" && next !== "HEAD";
    expect(seen?.headers["idempotency-key"] === undefined).toBe(!writes);
    expect(server.seen[0]?.headers["idempotency-key"] === undefined).toBe(method === "HEAD");
  });

  it.each([300, 304, 305, 306, 399])("is none after %i", async (status) => {
    const server = await redirecting("/end", status);
    const { end } = await attack({}, { allow: [place(server.port)] }, { url: `http://127.0.0.1:${server.port}/` });
    expect(end).toMatch(new RegExp(`^ok ${status}`));
    expect(server.seen).toHaveLength(1);
  });

  it("carries no credential to another origin, and does not get it back on the way home", async () => {
    let home = 0;
    const away = await serve((_seen, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${home}/end` }).end(),
    );
    const server = await redirecting(`http://127.0.0.1:${away.port}/`, 307);
    home = server.port;
    const credentials = { authorization: "Bearer t", cookie: "s=1", "x-api-key": "k", "x-custom": "c" };
    const headers = { ...credentials, accept: "text/plain", "content-type": "text/plain" };
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/`, headers, body: "b" };
    const { end } = await attack({}, { allow: [place(server.port), place(away.port)] }, ask);
    expect(end).toBe("ok 200 end POST b");
    expect(server.seen[0]?.headers).toMatchObject(credentials);
    for (const seen of [away.seen[0], server.seen[1]]) {
      expect(seen?.headers).toMatchObject({ accept: "text/plain", "content-type": "text/plain" });
      for (const name of Object.keys(credentials)) expect(seen?.headers).not.toHaveProperty(name);
    }
  });

  it("to the same origin keeps them", async () => {
    const server = await redirecting("/end");
    const headers = { authorization: "Bearer t", "x-api-key": "k" };
    await attack({}, { allow: [place(server.port)] }, { url: `http://127.0.0.1:${server.port}/`, headers });
    expect(server.seen[1]?.headers).toMatchObject(headers);
  });
});
