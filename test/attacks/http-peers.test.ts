import { afterEach, describe, expect, it } from "vitest";
import { attack, call, place, serve, serveDns, serveRaw, shortOf, tlsFile } from "../support/http.js";

// Peers that are not who they say, and an environment that would send requests another way.

const dns = await serveDns(() => ["127.0.0.1"]);
const trusting = { dnsServers: [dns.server], ca: tlsFile("ca.pem") };
const named = (port: number, host = "api.example.test") => place(port, { scheme: "https", host });

describe("a certificate", () => {
  it.each([
    ["for another name", "other", "api.example.test"],
    ["for two labels where its wildcard has one", "server", "a.b.svc.example.test"],
    ["for the name above its wildcard", "server", "svc.example.test"],
    ["that has expired", "expired", "api.example.test"],
    ["by an authority nobody trusts", "unknown", "api.example.test"],
    ["for a name, at an address", "other", "127.0.0.1"],
  ])("%s: nothing is sent", async (_, certificate, host) => {
    const server = await serve((_seen, response) => response.end("secret"), certificate);
    const ask = { method: "POST", url: `https://${host}:${server.port}/`, headers: { authorization: "t" } };
    const { end } = await attack(trusting, { allow: [named(server.port, host)] }, ask);
    expect(end).toBe("error EXO_HTTP_TLS");
    expect(server.seen).toEqual([]);
  });

  it("by a private authority is trusted by those alone who were told of it", async () => {
    const server = await serve((_seen, response) => response.end("safe"), "server");
    for (const [host, options, end] of [
      ["api.example.test", trusting, "ok 200 safe"],
      ["x.svc.example.test", trusting, "ok 200 safe"],
      ["127.0.0.1", trusting, "ok 200 safe"],
      ["api.example.test", { dnsServers: [dns.server] }, "error EXO_HTTP_TLS"],
    ] as const) {
      const ask = { url: `https://${host}:${server.port}/` };
      expect([host, (await attack(options, { allow: [named(server.port, host)] }, ask)).end]).toEqual([host, end]);
    }
  });

  it("is asked for: a peer without TLS behind https is no peer", async () => {
    const plain = await serve((_seen, response) => response.end("plain"));
    const ask = { url: `https://api.example.test:${plain.port}/` };
    expect((await attack(trusting, { allow: [named(plain.port)] }, ask)).end).toBe("error EXO_HTTP_TLS");
    expect(plain.seen).toEqual([]);
  });

  it("that no handshake ever shows ends in the call's time", async () => {
    const silent = await serveRaw(() => undefined);
    const constraints = { allow: [named(silent.port)], timeoutMs: 2000 };
    const { end } = await attack(trusting, constraints, { url: `https://api.example.test:${silent.port}/` });
    expect(end).toBe("error EXO_HTTP_TLS");
  });
});

describe("an environment", () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!Object.hasOwn(before, name)) delete process.env[name];
    Object.assign(process.env, before);
  });

  it("that names proxies is not asked", async () => {
    const proxy = await serve((_seen, response) => response.end("proxy"));
    const server = await serve((_seen, response) => response.end("direct"));
    const address = `http://127.0.0.1:${proxy.port}`;
    for (const name of ["http_proxy", "https_proxy", "all_proxy"]) {
      process.env[name] = address;
      process.env[name.toUpperCase()] = address;
    }
    process.env["NODE_USE_ENV_PROXY"] = "1";
    const ask = { url: `http://127.0.0.1:${server.port}/` };
    expect((await attack({}, { allow: [place(server.port)] }, ask)).end).toBe("ok 200 direct");
    expect(proxy.seen).toEqual([]);
  });

  it("that turns certificates off does not turn them off here", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    const server = await serve((_seen, response) => response.end("secret"), "unknown");
    const ask = { url: `https://api.example.test:${server.port}/` };
    expect((await attack(trusting, { allow: [named(server.port)] }, ask)).end).toBe("error EXO_HTTP_TLS");
    expect(server.seen).toEqual([]);
  });
});

describe("one call after another", () => {
  it("keeps no cookie, no credential and no connection", async () => {
    const ports = new Set<number | undefined>();
    const server = await serve((_seen, response) => {
      ports.add(response.socket?.remotePort);
      response.writeHead(200, {
        "set-cookie": "session=1; Path=/",
        connection: "keep-alive",
        "keep-alive": "timeout=60",
      });
      response.end("ok");
    });
    const ask = { url: `http://127.0.0.1:${server.port}/`, headers: { authorization: "Bearer t" } };
    await attack({}, { allow: [place(server.port)] }, ask);
    await attack({}, { allow: [place(server.port)] }, { url: ask.url });
    expect(Object.keys(server.seen[1]?.headers ?? {}).sort()).toEqual(["accept-encoding", "connection", "host"]);
    expect(ports.size).toBe(2);
  });
});

describe("a peer that hangs up", () => {
  it("before it took the connection was certainly not asked", async () => {
    const addresses = ["127.0.0.1"];
    const { end } = await attack(
      { resolve: async () => addresses },
      { allow: [place(1, { host: "a.test" })] },
      {
        url: "http://a.test:1/",
      },
    );
    expect(end).toBe("error EXO_HTTP_UNREACHABLE");
  });

  it.each([
    ["at once", (socket: { destroy(): void; resetAndDestroy(): void }) => socket.destroy()],
    ["with a reset", (socket: { destroy(): void; resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ])("%s, after the request, leaves a write in doubt, and is asked once", async (_, hang) => {
    const server = await serveRaw((socket) => hang(socket));
    const allow = [place(server.port)];
    for (const [index, [method, expected]] of [
      ["GET", "error EXO_HTTP_NO_ANSWER"],
      ["POST", "unknown EXO_EFFECT_UNKNOWN"],
    ].entries()) {
      const { end, message } = await attack(
        {},
        { allow },
        { method: method ?? "", url: `http://127.0.0.1:${server.port}/` },
      );
      expect(end).toBe(expected);
      expect(message).toBe(
        "the request may have been performed: no whole answer came within the time and size it is granted",
      );
      expect(server.count()).toBe(index + 1);
    }
  });

  it("at one address is tried at the next that was checked, in their order", async () => {
    const server = await serve((_seen, response) => response.end("second"));
    const resolve = async () => ["::1", "127.0.0.1"];
    const allow = [place(server.port, { host: "a.test" })];
    const outcome = await call({ resolve }, { allow }, { url: `http://a.test:${server.port}/` });
    expect(shortOf(outcome)).toBe("ok 200 second");
  });
});
