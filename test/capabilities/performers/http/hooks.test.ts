import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { OutgoingRequest, SecretDesk, Voucher } from "../../../../src/capabilities/performers/http/hooks.js";
import { decodeUtf8, encodeUtf8 } from "../../../../src/crypto/encoding.js";
import { ok, refuse } from "../../../../src/errors.js";
import type { Assurance } from "../../../../src/ports.js";
import { call, place, serve, shortOf } from "../../../support/http.js";

/** A desk with one secret for one port, that looks for it verbatim alone; and what it was asked. */
function deskFor(port: number, secret = "s3cret") {
  const asked: OutgoingRequest[] = [];
  const clean = (text: string, values: readonly Uint8Array[]) => {
    const value = values.reduce((left, secretBytes) => left.replaceAll(textOf(secretBytes), "***"), text);
    return { value, found: value !== text };
  };
  const desk: SecretDesk = {
    fill: (request, granted) => {
      asked.push(request);
      const all = [...Object.values(request.headers), textOf(request.body)];
      if (!all.some((text) => text.includes("{{secret:k}}"))) return Promise.resolve(ok({ request, values: [] }));
      if (!granted.includes("k") || request.port !== port) {
        return Promise.resolve(refuse("EXO_CAPABILITY_DENIED", "not bound here"));
      }
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, value.replaceAll("{{secret:k}}", secret)]),
      );
      const body = encodeUtf8(textOf(request.body).replaceAll("{{secret:k}}", secret));
      // What a desk says of the place is not asked for.
      return Promise.resolve(
        ok({ request: { ...request, host: "10.0.0.1", headers, body }, values: [encodeUtf8(secret)] }),
      );
    },
    scrubText: clean,
    scrubBytes: (bytes, values) => {
      const { value, found } = clean(textOf(bytes), values);
      return { value: encodeUtf8(value), found };
    },
  };
  return { desk, asked };
}

const textOf = (bytes: Uint8Array): string => decodeUtf8(bytes) ?? "";
const headers = { authorization: "Bearer {{secret:k}}" };

describe("a secret", () => {
  it("is filled in on its way out, and taken out of the answer after it was decompressed", async () => {
    const server = await serve((seen, response) => {
      const told = `you said ${String(seen.headers["authorization"])} ${seen.body}`;
      response.writeHead(200, { "content-encoding": "gzip", "content-type": "text/s3cret" }).end(gzipSync(told));
    });
    const { desk, asked } = deskFor(server.port);
    const constraints = { allow: [place(server.port)], secrets: ["k"] };
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/`, headers, body: "{{secret:k}}" };
    const outcome = await call({ desk }, constraints, ask);
    const host = `127.0.0.1:${server.port}`;
    expect(server.seen[0]).toMatchObject({ headers: { authorization: "Bearer s3cret", host }, body: "s3cret" });
    expect(shortOf(outcome)).toBe("ok 200 you said Bearer *** ***");
    expect(outcome).toMatchObject({ value: { headers: { "content-type": "text/***" } }, assurance: "unauthenticated" });
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["that is not granted", [], 0],
    ["that is bound elsewhere", ["k"], 1],
  ])("%s keeps the request from being sent", async (_, secrets, off) => {
    const server = await serve((_seen, response) => response.end());
    const { desk } = deskFor(server.port + off);
    const constraints = { allow: [place(server.port)], secrets: [...secrets] };
    const outcome = await call({ desk }, constraints, { url: `http://127.0.0.1:${server.port}/`, headers });
    expect(outcome).toEqual({ outcome: "error", code: "EXO_CAPABILITY_DENIED", message: "not bound here" });
    expect(server.seen).toEqual([]);
  });

  it("with a line end in it makes no second header, and a desk that fails sends nothing", async () => {
    const server = await serve((_seen, response) => response.end());
    const constraints = { allow: [place(server.port)], secrets: ["k"] };
    const ask = { url: `http://127.0.0.1:${server.port}/`, headers };
    const { desk } = deskFor(server.port, "a\r\nx-b: c");
    expect(shortOf(await call({ desk }, constraints, ask))).toBe("error EXO_CAPABILITY_REQUEST");
    const broken = { ...desk, fill: () => Promise.reject(new Error("s3cret")) };
    const failed = await call({ desk: broken }, constraints, ask);
    expect(shortOf(failed)).toBe("error EXO_HOST_FAULT");
    expect(JSON.stringify(failed)).not.toContain("s3cret");
    expect(server.seen).toEqual([]);
  });

  it("goes along to the same origin, and is asked for anew at every hop", async () => {
    const server = await serve((seen, response) => {
      if (seen.url === "/end") return response.end("end");
      return response.writeHead(307, { location: "/end" }).end();
    });
    const { desk, asked } = deskFor(server.port);
    const constraints = { allow: [place(server.port)], secrets: ["k"] };
    const outcome = await call({ desk }, constraints, { url: `http://127.0.0.1:${server.port}/`, headers });
    expect(shortOf(outcome)).toBe("ok 200 end");
    expect(asked.map((request) => request.headers["authorization"])).toEqual(Array(2).fill("Bearer {{secret:k}}"));
    expect(server.seen.map((seen) => seen.headers["authorization"])).toEqual(Array(2).fill("Bearer s3cret"));
  });

  it("in a body is not sent to another origin: the redirect is the answer", async () => {
    const away = await serve((_seen, response) => response.end("away"));
    const server = await serve((_seen, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${away.port}/` }).end("moved"),
    );
    const { desk } = deskFor(server.port);
    const constraints = { allow: [place(server.port), place(away.port)], secrets: ["k"] };
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/`, headers, body: "{{secret:k}}" };
    expect(shortOf(await call({ desk }, constraints, ask))).toBe("ok 307 moved");
    expect(away.seen).toEqual([]);
  });

  it("in a header stays behind, and its echo by another origin is taken out all the same", async () => {
    const away = await serve((_seen, response) => response.end("they told me s3cret"));
    const server = await serve((_seen, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${away.port}/` }).end(),
    );
    const { desk } = deskFor(server.port);
    const constraints = { allow: [place(server.port), place(away.port)], secrets: ["k"] };
    const outcome = await call({ desk }, constraints, { url: `http://127.0.0.1:${server.port}/`, headers });
    expect(away.seen[0]?.headers).not.toHaveProperty("authorization");
    expect(shortOf(outcome)).toBe("ok 200 they told me ***");
  });

  it("that a redirect carries in its URL is followed nowhere", async () => {
    const away = await serve((_seen, response) => response.end("away"));
    const server = await serve((seen, response) => {
      const said = String(seen.headers["authorization"]).slice(7);
      return response.writeHead(302, { location: `http://127.0.0.1:${away.port}/?k=${said}` }).end();
    });
    const { desk } = deskFor(server.port);
    const constraints = { allow: [place(server.port), place(away.port)], secrets: ["k"] };
    const outcome = await call({ desk }, constraints, { url: `http://127.0.0.1:${server.port}/`, headers });
    expect(shortOf(outcome)).toBe("ok 302");
    expect(outcome).toMatchObject({ value: { headers: { location: `http://127.0.0.1:${away.port}/?k=***` } } });
    expect(away.seen).toEqual([]);
  });
});

describe("a counterparty's signature", () => {
  const signed: Assurance = { signed: { scheme: "dsse", keyId: "k", payloadType: "t" } };
  const asked: unknown[] = [];
  const voucherOf = (result: ReturnType<Voucher["vouch"]>, expects = true): Voucher => ({
    expects: () => expects,
    vouch: (request, answer) => {
      asked.push([request, answer]);
      return result;
    },
  });
  const answer = async (voucher: Voucher, withDesk = false) => {
    const server = await serve((_seen, response) => response.writeHead(200, { "x-sig": "1" }).end("hello s3cret"));
    const { desk } = deskFor(server.port);
    const constraints = { allow: [place(server.port)], secrets: ["k"] };
    const ask = { url: `http://127.0.0.1:${server.port}/a?b`, headers };
    const outcome = await call(withDesk ? { desk, voucher } : { voucher }, constraints, ask);
    return { outcome, server };
  };

  it("vouches for an answer as it came, and sees no secret", async () => {
    const { outcome, server } = await answer(voucherOf(ok(signed)));
    expect(outcome).toMatchObject({ outcome: "ok", assurance: signed });
    expect(server.seen[0]?.headers["accept-encoding"]).toBe("identity");
    expect(asked.at(-1)).toMatchObject([
      { method: "GET", path: "/a?b", headers: { authorization: "Bearer {{secret:k}}", "accept-encoding": "identity" } },
      { status: 200, headers: { "x-sig": "1" }, body: encodeUtf8("hello s3cret") },
    ]);
  });

  it("that is missing or wrong leaves an answer nobody vouches for", async () => {
    const { outcome } = await answer(voucherOf(refuse("EXO_SIGNATURE", "wrong")));
    expect(outcome).toMatchObject({ outcome: "ok", assurance: "unauthenticated" });
  });

  it("that is not expected changes nothing", async () => {
    const { outcome, server } = await answer(voucherOf(ok(null), false));
    expect(outcome).toMatchObject({ outcome: "ok", assurance: "unauthenticated" });
    expect(server.seen[0]?.headers["accept-encoding"]).toBe("gzip, deflate, br");
  });

  it("does not stand over an answer that had to be scrubbed", async () => {
    const { outcome } = await answer(voucherOf(ok(signed)), true);
    expect(shortOf(outcome)).toBe("ok 200 hello ***");
    expect(outcome).toMatchObject({ assurance: "unauthenticated" });
  });
});
