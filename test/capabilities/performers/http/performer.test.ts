import { describe, expect, it } from "vitest";
import { call, closedPort, effectId, place, serve, serveDns, shortOf, tlsFile } from "../../../support/http.js";

describe("an answer", () => {
  it("is status, granted headers and body", async () => {
    const server = await serve((_seen, response) => {
      response.writeHead(201, { "content-type": "text/plain", "x-a": "1", "set-cookie": ["a=1", "b=2"] });
      response.end("made");
    });
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/v1?q=1`, headers: { "x-b": "2" }, body: "{}" };
    const outcome = await call({}, { allow: [place(server.port)] }, ask);
    expect(outcome).toEqual({
      outcome: "ok",
      value: { status: 201, headers: { "content-type": "text/plain" }, body: new TextEncoder().encode("made") },
      assurance: "unauthenticated",
    });
    expect(server.seen[0]).toMatchObject({ method: "POST", url: "/v1?q=1", body: "{}" });
    expect(server.seen[0]?.headers).toEqual({
      host: `127.0.0.1:${server.port}`,
      connection: "close",
      "x-b": "2",
      "idempotency-key": effectId,
      "accept-encoding": "gzip, deflate, br",
      "content-length": "2",
    });
  });

  it("of a peer with a certificate says whose key it was", async () => {
    const server = await serve((_seen, response) => response.end("safe"), "server");
    const dns = await serveDns(() => ["127.0.0.1"]);
    const options = { dnsServers: [dns.server], ca: tlsFile("ca.pem") };
    const allow = [place(server.port, { scheme: "https", host: "api.example.test" })];
    const outcome = await call(options, { allow }, { url: `https://api.example.test:${server.port}/` });
    expect(shortOf(outcome)).toBe("ok 200 safe");
    expect(outcome).toMatchObject({
      assurance: { tls: { spkiDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) } },
    });
  });

  it("does not come from where nobody listens", async () => {
    const port = await closedPort();
    expect(shortOf(await call({}, { allow: [place(port)] }, { url: `http://127.0.0.1:${port}/` }))).toBe(
      "error EXO_HTTP_UNREACHABLE",
    );
  });
});
