import { describe, expect, it } from "vitest";
import { dial } from "../../../../src/capabilities/performers/http/dial.js";
import { closedPort, serve, serveRaw } from "../../../support/http.js";

const trust = (): never => {
  throw new Error("nobody asked for TLS");
};
const end = async (port: number, addresses: readonly string[], signal = new AbortController().signal) => {
  const dialled = await dial({ scheme: "http", host: "a.test", port, addresses }, trust, signal, 5000);
  if (!dialled.ok) return dialled.error.code;
  dialled.value.socket.destroy();
  return `open ${dialled.value.spkiDigest}`;
};

describe("a connection", () => {
  it("is to the address that was asked for", async () => {
    const { port } = await serve((_seen, response) => response.end());
    expect(await end(port, ["127.0.0.1"])).toBe("open null");
  });

  it("to a peer of another address than the text that was checked is not used", async () => {
    const server = await serveRaw((socket) => socket.destroy());
    // A name is no address: whatever it was resolved to, nobody judged it.
    expect(await end(server.port, ["localhost"])).toMatch(/^EXO_CAPABILITY_DENIED$/);
    expect(server.count()).toBe(0);
  });

  it("is none without an address, without a listener, and when the time is up", async () => {
    const { port } = await serve((_seen, response) => response.end());
    expect(await end(port, [])).toBe("EXO_HTTP_UNREACHABLE");
    expect(await end(await closedPort(), ["127.0.0.1"])).toBe("EXO_HTTP_UNREACHABLE");
    expect(await end(port, ["127.0.0.1"], AbortSignal.abort())).toBe("EXO_HTTP_UNREACHABLE");
  });

  it("is tried at four addresses and no more", async () => {
    const { port } = await serve((_seen, response) => response.end());
    const wrong = ["::1", "::1", "::1"];
    expect(await end(port, [...wrong, "127.0.0.1"])).toBe("open null");
    expect(await end(port, [...wrong, "::1", "127.0.0.1"])).toBe("EXO_HTTP_UNREACHABLE");
  });
});
