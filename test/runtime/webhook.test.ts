import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { canonicalize } from "../../src/canonical/jcs.js";
import { configSchema } from "../../src/contracts/config.js";
import { openEnvelope, payloadTypes, signEnvelope } from "../../src/contracts/dsse.js";
import { encodeBase64 } from "../../src/crypto/encoding.js";
import type { Notice } from "../../src/ports.js";
import { createWebhook } from "../../src/runtime/webhook.js";
import { repositoryFile } from "../support/rig.js";
import { keys } from "../support/world.js";
import { notificationVectors, vectorsFile } from "./notification-vectors.js";

type Posted = { readonly method: string; readonly headers: IncomingMessage["headers"]; readonly body: string };

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(null));
  server = undefined;
});

/** A receiver on a real socket. Returns its URL and what was posted. */
async function receiver(answer: (response: ServerResponse) => void): Promise<{ url: string; posted: Posted[] }> {
  const posted: Posted[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      posted.push({ method: request.method ?? "", headers: request.headers, body });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, posted };
}

const notice: Notice = {
  schema: "exoarmur.notification/v1",
  id: "kill_switch_changed/4",
  event: "kill_switch_changed",
  at: "2026-01-31T09:00:00.000Z",
  cellId: "local",
  tenantId: null,
  on: true,
};
const never = new AbortController().signal;

type ReadNotice = (body: string, publicKey: string) => unknown;

/** The receiver that spec/notifications.md shows, as it stands there. */
async function receiverOfTheSpec(): Promise<ReadNotice> {
  const page = new TextDecoder().decode(repositoryFile("spec/notifications.md"));
  const [, code = ""] = /```js\n(.*?)```/s.exec(page) ?? [];
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { readNotice: ReadNotice };
  return module.readNotice;
}

describe("a delivery", () => {
  test("is one signed post, which the receiver of the spec reads", async () => {
    const { url, posted } = await receiver((response) => response.writeHead(204).end());
    await createWebhook({ url }, keys.runtime).deliver(notice, never);
    expect(posted).toHaveLength(1);
    const [{ method, headers, body } = { method: "", headers: {}, body: "" }] = posted;
    expect([method, headers["content-type"], headers["idempotency-key"]]).toEqual([
      "POST",
      "application/json",
      "kill_switch_changed/4",
    ]);
    const opened = openEnvelope(JSON.parse(body) as never, payloadTypes.notification, [keys.runtime.publicKey]);
    expect(opened.ok && new TextDecoder().decode(opened.value.payload)).toBe(
      new TextDecoder().decode(canonicalize(notice)),
    );
    const readNotice = await receiverOfTheSpec();
    expect(readNotice(body, encodeBase64(keys.runtime.publicKey))).toEqual(notice);
    expect(readNotice(body, encodeBase64(keys.mallory.publicKey))).toBeNull();
  });

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["a refusal", (response) => response.writeHead(500).end("no"), /^the receiver answered 500$/],
    ["a client's fault", (response) => response.writeHead(404).end(), /^the receiver answered 404$/],
    [
      "a redirect, which is not followed",
      (response) => response.writeHead(307, { location: "/elsewhere" }).end(),
      /^the receiver answered 307$/,
    ],
    ["a cut connection", (response) => response.destroy(), /fetch failed/],
    ["no answer", () => undefined, /timeout/i],
  ])("%s is none", async (_what, answer, message) => {
    const { url, posted } = await receiver(answer);
    await expect(createWebhook({ url, timeoutMs: 300 }, keys.runtime).deliver(notice, never)).rejects.toThrow(message);
    expect(posted).toHaveLength(1);
  });

  test("an endless answer is not read", async () => {
    const { url } = await receiver((response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    await createWebhook({ url, timeoutMs: 20_000 }, keys.runtime).deliver(notice, never);
  });

  test("ends when the runtime closes", async () => {
    const { url } = await receiver(() => undefined);
    const stop = new AbortController();
    const delivery = createWebhook({ url, timeoutMs: 60_000 }, keys.runtime).deliver(notice, stop.signal);
    setTimeout(() => stop.abort(new Error("closing")), 50);
    await expect(delivery).rejects.toThrow("closing");
  });
});

describe("the vectors", () => {
  test("are what is generated, and the receiver of the spec reads each as they say", async () => {
    const vectors = await notificationVectors();
    expect(JSON.parse(readFileSync(vectorsFile, "utf8"))).toEqual(vectors);
    const readNotice = await receiverOfTheSpec();
    for (const { about, envelope, notice: expected } of vectors.vectors) {
      expect([about, readNotice(JSON.stringify(envelope), vectors.publicKey)]).toEqual([about, expected]);
    }
    expect(vectors.vectors.filter(({ notice: expected }) => expected === null).length).toBeGreaterThan(2);
  });

  test("a signature over the same bytes as another type is none", async () => {
    const readNotice = await receiverOfTheSpec();
    const policy = await signEnvelope(payloadTypes.policy, canonicalize(notice), keys.runtime);
    const publicKey = encodeBase64(keys.runtime.publicKey);
    for (const payloadType of [payloadTypes.policy, payloadTypes.notification]) {
      expect(readNotice(JSON.stringify({ ...policy, payloadType }), publicKey)).toBeNull();
    }
  });
});

describe("notify of config.json", () => {
  const config = (notify: unknown): boolean =>
    configSchema.safeParse({
      schema: "exoarmur.config/v1",
      tenantId: "default",
      cellId: "local",
      roots: {},
      grants: {},
      features: {},
      notify,
    }).success;

  test.each([
    ["https://hooks.example/exoarmur"],
    ["http://127.0.0.1:8080/x"],
    ["http://[::1]/x"],
    ["http://localhost:1/"],
  ])("%s is a receiver", (url) => {
    expect(config({ url })).toBe(true);
  });

  test.each([
    ["http://hooks.example/x"],
    ["http://127.0.0.1.evil.example/"],
    ["ftp://hooks.example/x"],
    ["https://user:secret@hooks.example/"],
    ["https://hooks.example/?token=secret"],
    ["https://hooks.example/#x"],
    ["hooks.example"],
    [""],
  ])("%s is none", (url) => {
    expect(config({ url })).toBe(false);
  });

  test.each([[{ url: "https://a.example/", more: 1 }], [{ url: "https://a.example/", timeoutMs: 99 }], [{}], ["x"]])(
    "%j is none",
    (notify) => {
      expect(config(notify)).toBe(false);
    },
  );
});
