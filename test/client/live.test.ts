import { createServer, type Server } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/client/client.js";
import type { FollowOptions, LiveMessage } from "../../src/client/live.js";
import { isExoArmurError } from "../../src/errors.js";
import { createMemoryStore } from "../../src/stores/memory.js";
import { openPlane, type Plane } from "../control/support.js";
import { draft } from "../support/rig.js";
import { seededEntropy } from "../support/world.js";

const someEvent = {
  schema: "exoarmur.event/v1",
  eventId: "01KA4X6F7J2Z8Q0V5N3T9RBCDE",
  eventType: "policy_changed",
  actor: { id: "runtime", type: "runtime" },
  correlationId: "system",
  sequence: 0,
  previous: null,
  cellId: "local",
  tenantId: "default",
  intentId: null,
  payloadDigest: `sha256:${"0".repeat(64)}`,
  recordedAt: "2026-01-31T12:00:00.000Z",
  payload: {},
  salt: "A".repeat(43),
};

const patience = { attempts: 2, firstMs: 1, mostMs: 4 };
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function clientOf(origin: string, token: string) {
  return createClient({ origin, token, patience, entropy: seededEntropy("client") });
}

/** Takes messages until one fits, at most so many. */
async function take(
  messages: AsyncGenerator<LiveMessage>,
  until: (message: LiveMessage, all: readonly LiveMessage[]) => boolean,
): Promise<LiveMessage[]> {
  const all: LiveMessage[] = [];
  for await (const message of messages) {
    all.push(message);
    if (until(message, all)) break;
  }
  return all;
}

const isEnd = (message: LiveMessage): boolean =>
  message.kind === "event" && ["intent_denied", "execution_failed"].includes(message.event.eventType);

describe("following a control plane", () => {
  let plane: Plane;
  let proxy: TcpServer;
  let sockets: Set<Socket>;
  /** Bytes of answers after which the next connections are cut. */
  let cuts: number[];
  let origin: string;
  let token: string;

  beforeEach(async () => {
    plane = await openPlane();
    token = plane.token({ kind: "viewer" });
    [sockets, cuts] = [new Set(), []];
    proxy = createTcpServer((socket) => {
      const { port } = plane.server;
      const behind = connect(port, "127.0.0.1");
      let left = cuts.shift() ?? Number.POSITIVE_INFINITY;
      for (const one of [socket, behind]) {
        sockets.add(one);
        one.on("error", () => undefined).on("close", () => [socket, behind].map((other) => other.destroy()));
      }
      // The control plane answers to its own address alone.
      const own = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      socket.on("data", (part) => behind.write(part.toString("latin1").replace(own, `127.0.0.1:${port}`), "latin1"));
      behind.on("data", (part) => {
        socket.write(part.subarray(0, left));
        left -= part.length;
        if (left <= 0) socket.end(() => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    stops.push(async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await plane.close();
    });
  });

  const follow = (options: FollowOptions = {}): AsyncGenerator<LiveMessage> => clientOf(origin, token).follow(options);
  const act = async (path: string): Promise<string> => {
    const { intentId } = await plane.rig.pipeline.execute(draft("fs.read", path));
    return intentId;
  };

  it("tells of what is recorded, from now or from a place on", async () => {
    const messages = follow();
    expect((await messages.next()).value).toMatchObject({ kind: "ready", id: plane.rig.ledger.size - 1 });
    const intentId = await act("data/a");
    const told = await take(messages, isEnd);
    const events = told.flatMap((message) => (message.kind === "event" ? [message.event] : []));
    expect(events).toEqual(plane.rig.pipeline.trace(intentId));
    const again = await take(follow({ after: told[0]?.id ?? -1 }), isEnd);
    expect(again.slice(1)).toEqual(told.slice(1));
  });

  it("loses and doubles nothing, wherever connections are cut", async () => {
    const first = plane.rig.ledger.size - 1;
    const intentIds = new Set<string>();
    for (let round = 0; round < 8; round += 1) intentIds.add(await act(`data/${round}`));
    const whole = await take(follow({ after: first }), (_, all) => all.filter(isEnd).length === 8);
    // In the head, in messages, between them, inside a character of the last.
    cuts = [10, 200, 1500, 1501, 2000, 3333, 5000, 700, 900, 6000];
    const pieces = await take(follow({ after: first }), (_, all) => all.filter(isEnd).length === 8);
    const ids = (messages: readonly LiveMessage[]) =>
      messages.filter(({ kind }) => kind === "event").map(({ id }) => id);
    expect(ids(pieces)).toEqual(ids(whole));
    expect(cuts.length).toBeLessThan(5);
  });

  it("goes on through a restart", async () => {
    const store = createMemoryStore();
    await plane.close();
    plane = await openPlane({ rig: { store } });
    const grant = { kind: "viewer" } as const;
    token = plane.token(grant);
    const messages = follow();
    await messages.next();
    await act("data/a");
    const before = await take(follow({ after: plane.rig.ledger.size - 4 }), isEnd);
    const told = [(await messages.next()).value as LiveMessage];
    await plane.close();
    plane = await openPlane({ rig: { store, seed: "again", policyVersion: 2 } });
    // The same token, as a home keeps it.
    expect(plane.token(grant)).toBe(token);
    await act("data/b");
    told.push(...(await take(messages, (_, all) => all.filter(isEnd).length === 2)));
    const events = told.filter(({ kind }) => kind === "event");
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    expect(events.filter(isEnd).length).toBe(2);
    expect(before.length).toBeGreaterThan(0);
  });

  it("a place of another log is told as a reset", async () => {
    const [message] = await take(follow({ after: 1_000_000 }), () => true);
    expect(message).toEqual({ kind: "reset", id: plane.rig.ledger.size - 1 });
  });

  it("ends with its credential, and does not try again", async () => {
    await plane.close();
    plane = await openPlane({ limits: { live: { streams: 8, replay: 10, beatMs: 10, proveMs: 1000 } } });
    token = plane.token({ kind: "viewer" });
    const messages = follow();
    await messages.next();
    plane.tokens.clear();
    await expect(messages.next()).rejects.toMatchObject({ code: "EXO_AUTHENTICATION", name: "ExoArmurError" });
    expect((await messages.next()).done).toBe(true);
  });

  it.each([
    ["EXO_FORBIDDEN", "another tenant", { tenantId: "other" }],
    ["EXO_SCHEMA", "a place that is none", { after: -1 }],
    ["EXO_SCHEMA", "a tenant that is none", { tenantId: "" }],
  ])("%s for %s", async (code, _what, options) => {
    await expect(follow(options).next()).rejects.toMatchObject({ code });
  });

  it("ends when it is told to, waiting or not, and lets the connection go", async () => {
    const over = new AbortController();
    const messages = follow({ signal: over.signal });
    await messages.next();
    const next = messages.next();
    over.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    const left = follow();
    await left.next();
    await left.return(undefined);
    const token2 = plane.token({ kind: "monitor" });
    for (let text = ""; !text.includes("\nexoarmur_live_streams 0\n"); ) {
      ({ text } = await plane.ask("/v1/metrics", { token: token2 }));
    }
  });
});

describe("what is no control plane", () => {
  let origin: string;
  let answer: (connection: number) => {
    readonly type?: string;
    readonly status?: number;
    readonly text: string | Buffer;
  };
  let server: Server;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    server = createServer((incoming, outgoing) => {
      asked.push(incoming.url ?? "");
      const { type = "text/event-stream", status = 200, text } = answer(asked.length);
      outgoing.writeHead(status, { "content-type": type }).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    stops.push(() => void server.close());
  });

  const first = async (): Promise<unknown> => {
    try {
      return (await clientOf(origin, "t").follow().next()).value;
    } catch (error) {
      return isExoArmurError(error) ? error.code : error;
    }
  };

  it.each([
    ["a page", { type: "text/html", text: "<p>a portal</p>" }],
    ["bytes that are not UTF-8", { text: Buffer.from("id: 1\nevent: ready\ndata: \xff\n\n", "latin1") }],
    ["an id that is none", { text: "id: x\nevent: ready\ndata: {}\n\n" }],
    ["an id beyond what numbers hold", { text: "id: 99999999999999999\nevent: ready\ndata: {}\n\n" }],
    ["an event that is none", { text: 'id: 1\nevent: recorded\ndata: {"schema":"exoarmur.event/v1"}\n\n' }],
    ["data that is not JSON", { text: "id: 1\nevent: recorded\ndata: {\n\n" }],
    ["an end without a reason", { text: "event: end\ndata: {}\n\n" }],
    ["an end by a code there is not", { text: 'event: end\ndata: {"code":"toString","message":""}\n\n' }],
    ["a message without an end", { text: `id: 1\ndata: ${"x".repeat(16_777_300)}` }],
  ])("%s: EXO_CONTROL_PLANE", async (_what, given) => {
    answer = () => given;
    expect(await first()).toBe("EXO_CONTROL_PLANE");
    expect(asked.length).toBe(1);
  });

  it("what is not known is passed over, and its place taken; what comes twice is told once", async () => {
    const ready = (id: number): string => `id: ${id}\nevent: ready\ndata: {}\n\n`;
    const recorded = (id: number): string => `id: ${id}\nevent: recorded\ndata: ${JSON.stringify(someEvent)}\n\n`;
    const texts = [
      `: beat\n\n: beat\nid: 4\n\n${ready(4)}${recorded(6)}id: 7\nevent: later\ndata: []\n\n`,
      `${ready(7)}${recorded(6)}${recorded(7)}${recorded(8)}`,
    ];
    answer = (connection) => ({ text: texts[connection - 1] ?? "" });
    const told = await take(clientOf(origin, "t").follow({ after: 3 }), ({ id }) => id === 8);
    expect(told.map(({ kind, id }) => `${kind} ${id}`)).toEqual(["ready 4", "event 6", "ready 7", "event 8"]);
    expect(asked).toEqual(["/v1/live?after=3", "/v1/live?after=7"]);
  });

  it("a refusal that passes is waited out", async () => {
    answer = (connection) =>
      connection < 4
        ? { status: [429, 503, 502][connection - 1] ?? 0, type: "text/plain", text: "" }
        : { text: "id: 1\nevent: ready\ndata: {}\n\n" };
    expect(await first()).toEqual({ kind: "ready", id: 1 });
    expect(asked.length).toBe(4);
  });
});
