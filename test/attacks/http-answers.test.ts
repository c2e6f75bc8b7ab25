import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { attack, call, effectId, place, serve, serveRaw, shortOf } from "../support/http.js";

// Servers whose answers are too large, too slow, broken or more than they seem. By then the request has been sent, so
// a write without a whole answer is in doubt, and a read has none.

const doubt = "unknown EXO_EFFECT_UNKNOWN";

const unanswered = "error EXO_HTTP_NO_ANSWER";

/** The ends of a read and of a write to a server that says these bytes. */
async function answered(text: string, constraints: object = {}, stay = false): Promise<string[]> {
  const server = await serveRaw((socket) => (stay ? socket.write(text, "latin1") : socket.end(text, "latin1")));
  const url = `http://127.0.0.1:${server.port}/`;
  const ends = ["GET", "POST"].map((method) =>
    attack({}, { allow: [place(server.port)], ...constraints }, { method, url }),
  );
  return (await Promise.all(ends)).map(({ end }) => end);
}

describe("an answer that is too large", () => {
  it.each([
    ["in one header", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(40_000)}\r\n\r\n`],
    ["in many headers", `HTTP/1.1 200 OK\r\n${"x-a: aaaaaaaa\r\n".repeat(4000)}\r\n`],
    ["in a status line without an end", `HTTP/1.1 200 ${"O".repeat(40_000)}`],
    ["in its trailers", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-a: ${"a".repeat(40_000)}\r\n\r\n`],
  ])("%s", async (_, text) => {
    expect(await answered(text)).toEqual([unanswered, doubt]);
  });

  it.each([
    ["in a body of a stated length", "content-length: 11\r\n\r\n01234567890"],
    ["in a body without a stated length", "\r\n01234567890"],
    ["in chunks", "transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n"],
  ])("%s", async (_, rest) => {
    const text = rest.startsWith("\r\n") ? `HTTP/1.1 200 OK\r\n${rest}` : `HTTP/1.1 200 OK\r\n${rest}`;
    expect(await answered(text, { maxBytes: 10 })).toEqual([unanswered, doubt]);
    expect(await answered(text, { maxBytes: 11 })).toEqual(Array(2).fill("ok 200 01234567890"));
  });

  it("is not read to its end", async () => {
    let written = 0;
    const server = await serveRaw((socket) => {
      const chunk = Buffer.alloc(65_536, 97);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const more = (): void => {
        while (!socket.destroyed && written < 1 << 30) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    const allow = [place(server.port)];
    const { end } = await attack({}, { allow, maxBytes: 100_000 }, { url: `http://127.0.0.1:${server.port}/` });
    expect(end).toBe(unanswered);
    expect(written).toBeLessThan(1 << 27);
  });
});

describe("a body that was compressed", () => {
  const codings = {
    gzip: gzipSync,
    "x-gzip": gzipSync,
    br: (bytes: string | Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
    deflate: deflateSync,
    "DEFLATE, identity": deflateRawSync,
  };
  const compressed = async (coding: string, body: Uint8Array, constraints: object = {}) => {
    const server = await serve((_seen, response) => {
      response.writeHead(200, { "content-encoding": coding, "x-length": "1" });
      response.end(body);
    });
    const responseHeaders = ["content-encoding", "content-length", "x-length"];
    const url = `http://127.0.0.1:${server.port}/`;
    return await attack({}, { allow: [place(server.port)], responseHeaders, ...constraints }, { url });
  };

  it.each(Object.entries(codings))("with %s is given as it was before", async (coding, compress) => {
    const { end, headers } = await compressed(coding, compress("in clear"));
    expect([end, headers]).toEqual(["ok 200 in clear", { "x-length": "1" }]);
  });

  it.each(Object.entries(codings))("with %s into little is stopped before it is large", async (coding, compress) => {
    const bomb = compress(Buffer.alloc(24 << 20));
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().arrayBuffers;
    expect((await compressed(coding, bomb, { maxBytes: 100_000 })).end).toBe(unanswered);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  it("twice is opened twice, and four times is not", async () => {
    const twice = gzipSync(gzipSync("deep"));
    expect((await compressed("gzip, gzip", twice)).end).toBe("ok 200 deep");
    expect((await compressed("deflate, gzip", gzipSync(deflateSync("in order")))).end).toBe("ok 200 in order");
    expect((await compressed("gzip, deflate", gzipSync(deflateSync("out of order")))).end).toBe(unanswered);
    expect((await compressed("gzip, gzip, gzip, gzip", gzipSync(gzipSync(twice)))).end).toBe(unanswered);
    const bomb = gzipSync(gzipSync(Buffer.alloc(24 << 20)));
    expect((await compressed("gzip, gzip", bomb, { maxBytes: 20_000 })).end).toBe(unanswered);
  });

  it.each([
    ["of a coding nobody asked for", "zstd", gzipSync("x")],
    ["that is not what it says", "gzip", Buffer.from("plain")],
    ["that ends in the middle", "gzip", gzipSync("a longer text, cut").subarray(0, 20)],
    ["that ends in the middle, with br", "br", brotliCompressSync("a longer text, cut").subarray(0, 10)],
  ])("%s is no answer", async (_, coding, body) => {
    expect((await compressed(coding, body)).end).toBe(unanswered);
  });

  it("may be nothing at all", async () => {
    expect((await compressed("gzip", new Uint8Array(0))).end).toBe("ok 200");
  });
});

// Time enough for a slow machine to have sent the request, and waited for together.
const timeoutMs = 2000;

describe.concurrent("an answer that is too slow", () => {
  it.each([
    ["never begins", ""],
    ["never ends its headers", "HTTP/1.1 200 OK\r\nx-a: 1\r\n"],
    ["never ends its body", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"],
    ["never ends its chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"],
  ])("and %s is none", async (_, text) => {
    expect(await answered(text, { timeoutMs }, true)).toEqual([unanswered, doubt]);
  });

  it("one byte at a time is none, however steadily they come", async () => {
    const timers: NodeJS.Timeout[] = [];
    const server = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      timers.push(setInterval(() => socket.write("a"), 20));
    });
    const { end } = await attack(
      {},
      { allow: [place(server.port)], timeoutMs },
      { url: `http://127.0.0.1:${server.port}/` },
    );
    for (const timer of timers) clearInterval(timer);
    expect(end).toBe(unanswered);
  });

  it("over many redirects has one time for all of them", async () => {
    const server = await serve((_seen, response) => {
      setTimeout(() => response.writeHead(302, { location: "/" }).end(), 300);
    });
    const constraints = { allow: [place(server.port)], maxRedirects: 20, timeoutMs };
    const { end } = await attack({}, constraints, { url: `http://127.0.0.1:${server.port}/` });
    expect(end).toBe(unanswered);
    expect(server.seen.length).toBeLessThan(8);
  });

  it("by a name server was certainly not performed", async () => {
    const resolve = () => new Promise<never>(() => undefined);
    const allow = [place(80, { host: "a.example.test" })];
    const { end } = await attack({ resolve }, { allow, timeoutMs: 100 }, { url: "http://a.example.test/" });
    expect(end).toBe("error EXO_HTTP_UNREACHABLE");
  });

  it("for the run itself is given up as well", async () => {
    const run = new AbortController();
    const server = await serveRaw(() => run.abort());
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/` };
    expect(shortOf(await call({}, { allow: [place(server.port)] }, ask, run.signal))).toBe(doubt);
  });
});

describe("an answer that is broken or split", () => {
  it.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["leave to go on that nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["another version", "HTTP/9.9 200 OK\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a header folded over a line", "HTTP/1.1 200 OK\r\nlocation: /a\r\n b\r\n\r\n"],
    ["a bare line feed in a header", "HTTP/1.1 200 OK\nx: 1\n\nab"],
    ["a NUL in a header", "HTTP/1.1 200 OK\r\nx-a: a\0b\r\n\r\nab"],
    ["a blank before the colon", "HTTP/1.1 200 OK\r\nx-a : 1\r\n\r\nab"],
    ["a body that ends early", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"],
    ["chunks that end early", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"],
    ["an upgrade nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ["nothing", ""],
  ])("%s is no answer", async (_, text) => {
    expect(await answered(text)).toEqual([unanswered, doubt]);
  });

  it("a second answer behind the first is nobody's", async () => {
    const server = await serveRaw((socket, count) => {
      const one = `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nreal${count}`;
      socket.write(`${one}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`);
    });
    const allow = [place(server.port)];
    const url = `http://127.0.0.1:${server.port}/`;
    expect((await attack({}, { allow }, { url })).end).toBe("ok 200 real0");
    expect((await attack({}, { allow }, { url })).end).toBe("ok 200 real1");
  });

  it("shows a guest no header that its grant does not name, whatever its name", async () => {
    const server = await serve((_seen, response) => {
      response.writeHead(200, { "set-cookie": "a=1", __proto__x: "1", constructor: "1", "content-type": "a/b" });
      response.end();
    });
    const url = `http://127.0.0.1:${server.port}/`;
    const allow = [place(server.port)];
    expect((await attack({}, { allow }, { url })).headers).toEqual({ "content-type": "a/b" });
    const responseHeaders = ["constructor", "to-string", "set-cookie"];
    const { headers } = await attack({}, { allow, responseHeaders }, { url });
    expect(headers).toEqual({ constructor: "1", "set-cookie": "a=1" });
    expect((await attack({}, { allow, responseHeaders: [] }, { url })).headers).toEqual({});
  });
});

describe("what a guest cannot put into a request", () => {
  it.each([
    ["a line end in a value", { "x-a": "1\r\nhost: other" }],
    ["a line feed in a value", { "x-a": "1\nx-b: 2" }],
    ["a line end in a name", { "x-a\r\nx-b": "1" }],
    ["another host", { host: "other.example.com" }],
    ["a length", { "content-length": "0" }],
    ["chunks", { "transfer-encoding": "chunked" }],
    ["an upgrade", { upgrade: "h2c" }],
    ["an effect of its own naming", { "idempotency-key": effectId }],
  ])("%s", async (_, headers) => {
    const server = await serve((_seen, response) => response.end());
    const ask = { method: "POST", url: `http://127.0.0.1:${server.port}/`, headers: headers as Record<string, string> };
    expect((await attack({}, { allow: [place(server.port)] }, ask)).end).toBe("error EXO_CAPABILITY_REQUEST");
    expect(server.seen).toEqual([]);
  });
});
