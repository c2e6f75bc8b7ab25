import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveWitness, type WitnessServer } from "../../src/home/witness-server.js";
import type { WitnessReply, WitnessService } from "../../src/home/witness-service.js";
import { faultOf } from "./support.js";

let server: WitnessServer;
let asked: string[];
let logged: string[];
/** What the witness behind the server does. */
let answer: () => Promise<WitnessReply>;

const cosigned: WitnessReply = { status: 200, contentType: "text/plain; charset=utf-8", body: "— w.example AAAA\n" };
const witness: WitnessService = {
  vkey: "",
  logs: () => [],
  addCheckpoint: (body) => {
    asked.push(new TextDecoder().decode(body));
    return answer();
  },
  close: async () => undefined,
};
const logger = { log: (level: string, message: string) => void logged.push(`${level}: ${message}`) };

beforeEach(async () => {
  asked = [];
  logged = [];
  answer = async () => cosigned;
  server = await serveWitness(witness, { host: "127.0.0.1", port: 0, logger });
});
afterEach(() => server.close());

const post = (body: string, path = "/add-checkpoint", method = "POST"): Promise<Response> =>
  fetch(`${server.url}${path}`, { method, body, redirect: "manual" });

/** A connection on which bytes are sent by hand, and all that came back once it has ended. */
function raw(bytes: string): { socket: Socket; ended: Promise<string> } {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (part) => (text += String(part)));
  socket.write(bytes);
  return {
    socket,
    ended: new Promise((resolve) => socket.on("close", () => resolve(text)).on("error", () => undefined)),
  };
}

describe("a witness by HTTP", () => {
  it("gives the body on and the answer back, byte for byte", async () => {
    const body = "old 0\n\nx\n";
    const response = await post(body);
    expect([response.status, await response.text()]).toEqual([200, cosigned.body]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
    });
    answer = async () => ({ status: 409, contentType: "text/x.tlog.size", body: "12\n" });
    const conflict = await post(body);
    expect([conflict.status, conflict.headers.get("content-type"), await conflict.text()]).toEqual([
      409,
      "text/x.tlog.size",
      "12\n",
    ]);
    expect(asked).toEqual([body, body]);
  });

  it("is at one path and takes one method", async () => {
    for (const path of ["/", "/add-checkpoint/", "/add-checkpoint?x=1", "/w/add-checkpoint", "//add-checkpoint"])
      expect((await post("x", path)).status).toBe(404);
    for (const method of ["PUT", "DELETE"]) {
      const response = await post("x", "/add-checkpoint", method);
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    }
    expect((await fetch(`${server.url}/add-checkpoint`)).status).toBe(405);
    expect(asked).toEqual([]);
  });

  it("reads 64 KiB, and no more, whether the length is told or not", async () => {
    expect((await post("x".repeat(65_536))).status).toBe(200);
    expect((await post("x".repeat(65_537))).status).toBe(413);
    const head = "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    const { ended } = raw(`${head}10001\r\n${"x".repeat(65_537)}`);
    expect(await ended).toMatch(/^HTTP\/1\.1 413 /);
    expect(asked).toEqual(["x".repeat(65_536)]);
  });

  it("answers 500 without a word of why when nothing was cosigned, and tells its owner", async () => {
    answer = () => Promise.reject(new Error("no space left on /secret/place"));
    const response = await post("x");
    expect([response.status, await response.text()]).toEqual([500, "the checkpoint could not be cosigned\n"]);
    expect(logged).toEqual(["error: a checkpoint could not be cosigned"]);
  });

  it("is not stopped by what is no HTTP, or by those who go away", async () => {
    await raw("\0\0\0\r\n\r\n").ended;
    const { socket, ended } = raw("POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nold");
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
    await ended;
    expect((await post("x")).status).toBe(200);
    expect(asked).toEqual(["x"]);
  });

  it("answers at its end what it was asked before, and nothing after", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    answer = async () => {
      await held;
      return cosigned;
    };
    const pending = post("x");
    await expect.poll(() => asked).toEqual(["x"]);
    const closed = server.close();
    await expect(post("late")).rejects.toThrow("fetch failed");
    release();
    expect((await pending).status).toBe(200);
    await closed;
    expect(asked).toEqual(["x"]);
  });

  it("is refused a port that is taken and an address that is not this machine's", async () => {
    const port = Number(new URL(server.url).port);
    for (const where of [
      { host: "127.0.0.1", port },
      { host: "192.0.2.1", port: 0 },
    ])
      expect(await faultOf(() => serveWitness(witness, { ...where, logger }))).toMatchObject({ code: "EXO_LISTEN" });
  });
});
