import type { IncomingMessage, ServerResponse } from "node:http";
import { type Context, Hono } from "hono";
import { ExoArmurError, errorKind, isExoArmurError } from "../errors.js";
import { AccessDenied } from "./denied.js";
import type { Desk } from "./desk.js";
import { type Edge, requireOrigin } from "./edge.js";
import { Gate } from "./gate.js";
import { queryOf, readBody, readTexts } from "./parts.js";
import { problemOf } from "./problem.js";
import type { Call, Reply, Route } from "./route.js";
import { routes } from "./routes.js";
import { TooMany } from "./too-many.js";

type Bindings = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };

/** Hono as it is used here: over a Node server. */
export type ControlApp = Hono<{ Bindings: Bindings }>;

type Asked = Context<{ Bindings: Bindings }>;

/** Headers of every answer that does not bring its own: it is data for programs, kept by no cache and shown in no page. */
const usualHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** The control plane as a Hono application: the table of routes, the console where there is one, and nothing beside them. */
export function createApp(desk: Desk, edge: Edge): ControlApp {
  const app: ControlApp = new Hono();
  const gate = new Gate(desk, edge);
  for (const route of routes) {
    app.on(route.method.toUpperCase(), honoPath(route.path), (c) => answer(c, route, desk, edge, gate));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
    app.all(honoPath(path), (c) =>
      settle(c, null, desk, () => {
        requireOrigin(edge, c.env.incoming);
        throw new WrongMethod(allowed.join(", "));
      }),
    );
  }
  const { page } = desk;
  if (page !== null) {
    app.get("/", (c) =>
      settle(c, null, desk, () => {
        requireOrigin(edge, c.env.incoming, "navigation");
        return new Response(page.html, {
          headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": page.policy },
        });
      }),
    );
  }
  app.notFound((c) =>
    settle(c, null, desk, () => {
      requireOrigin(edge, c.env.incoming);
      throw new ExoArmurError("EXO_ROUTE", "no such path");
    }),
  );
  return app;
}

/** A path has no such method. */
class WrongMethod extends ExoArmurError {
  readonly allowed: string;

  constructor(allowed: string) {
    super("EXO_METHOD", `expected ${allowed}`);
    this.allowed = allowed;
  }
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** What is known of a request while it is answered. `credential` is set once it has been proven. */
type Progress = { readonly requestId: string; credential: string | null };

async function answer(c: Asked, route: Route, desk: Desk, edge: Edge, gate: Gate): Promise<Response> {
  return await settle(c, route, desk, async (progress) => {
    const origin = requireOrigin(edge, c.env.incoming);
    if (desk.closing.aborted && route.roles !== "open") {
      throw new ExoArmurError("EXO_CLOSED", "the control plane is closing");
    }
    const principal = await gate.admit(route, c.env.incoming);
    if (route.roles !== "open" && route.roles !== "signed") progress.credential = principal.credential;
    const as: Call<unknown, unknown, unknown>["as"] = async (proven, work) => {
      progress.credential = proven.credential;
      return await gate.as(proven, route.cost, work);
    };
    const leave = gate.enter(principal);
    let ended: Promise<void> | undefined;
    try {
      const params = readTexts(route.params, c.req.param() as Record<string, string>, "path");
      const query = readTexts(route.query, queryOf(c.req.url), "query");
      const body = await readBody(route, c.req.raw);
      const reply = await handle(c, route, { desk, route: route.id, principal, params, query, body, origin, as });
      ({ ended } = reply);
      return replyOf(route, reply);
    } finally {
      if (ended === undefined) leave();
      else void ended.finally(leave);
    }
  });
}

/** Calls a route's handler with what it is to know of the connection, for as long as its answer lasts. */
async function handle(
  { env: { incoming, outgoing } }: Asked,
  route: Route,
  call: Omit<Parameters<Route["handle"]>[0], "signal" | "headers" | "hangUp">,
): Promise<Reply> {
  const { signal, done } = untilGone(outgoing, call.desk.closing);
  const { authorization, "last-event-id": id } = incoming.headers;
  const headers = { authorization, lastEventId: typeof id === "string" ? id : undefined };
  let ended: Promise<void> | undefined;
  try {
    const reply = await route.handle({ ...call, signal, headers, hangUp: () => void outgoing.destroy() });
    ({ ended } = reply);
    return reply;
  } finally {
    if (ended === undefined) done();
    else void ended.finally(done);
  }
}

/** Answers with what `work` gives, or with the problem document of what it throws, under a fresh request id. */
async function settle(
  c: Asked,
  route: Route | null,
  desk: Desk,
  work: (progress: Progress) => Promise<Response> | Response,
): Promise<Response> {
  const began = desk.clock.now();
  const progress: Progress = { requestId: desk.ids.next(), credential: null };
  const { requestId } = progress;
  let response: Response;
  try {
    response = await work(progress);
  } catch (error) {
    if (error instanceof AccessDenied) {
      const { code, why: cause } = error;
      const credential = error.credential ?? progress.credential;
      desk.denials.count({ code, cause, route: route?.id ?? null, credential });
    }
    if (error instanceof TooMany) countTooMany(desk, route, error);
    response = problemReply(error, requestId, desk);
  }
  for (const [name, value] of Object.entries(usualHeaders)) {
    if (!response.headers.has(name)) response.headers.set(name, value);
  }
  response.headers.set("x-request-id", requestId);
  if (c.req.url.startsWith("https:")) response.headers.set("strict-transport-security", "max-age=31536000");
  // What is left of a body that was not read must not be taken for the next request.
  const mayBeLeft = response.status >= 400 && c.req.method === "POST";
  if (mayBeLeft || desk.closing.aborted) response.headers.set("connection", "close");
  desk.metrics.add("http_requests_total", [route?.id ?? "none", String(response.status)]);
  if (route !== null) desk.metrics.observe(route.id, Math.max(0, desk.clock.now() - began) / 1000);
  desk.logger.log("debug", "request", { requestId, route: route?.id ?? null, status: response.status });
  return response;
}

function replyOf({ reply }: Route, { status = 200, body }: Reply): Response {
  const media = "media" in reply;
  const type = media ? reply.media : "application/json";
  // A proxy that gathers what it passes on would hold events back.
  const headers = { "content-type": type, ...(type === "text/event-stream" ? { "x-accel-buffering": "no" } : {}) };
  const content = media ? (body as string | Uint8Array<ArrayBuffer> | ReadableStream) : JSON.stringify(body);
  return new Response(content, { status, headers });
}

/** What is refused for being too much is no less denied. */
function countTooMany({ metrics, denials }: Desk, route: Route | null, { why: cause, principal }: TooMany): void {
  metrics.add("rate_limited_total", [
    principal === null ? "address" : principal.sessionId === null ? "token" : "session",
  ]);
  denials.count({ code: "EXO_RATE", cause, route: route?.id ?? null, credential: principal?.credential ?? null });
}

function problemReply(error: unknown, requestId: string, { logger }: Desk): Response {
  const problem = problemOf(error, requestId);
  if (!isExoArmurError(error) || errorKind(error.code) === "internal") {
    logger.log("error", "a request failed", { requestId, error: String(error) });
  }
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (problem.status === 401) headers.set("www-authenticate", "Bearer");
  if (error instanceof TooMany) headers.set("retry-after", String(error.seconds));
  if (error instanceof WrongMethod) headers.set("allow", error.allowed);
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** A signal that aborts when the client is gone or the control plane closes. */
function untilGone(outgoing: ServerResponse, closing: AbortSignal): { signal: AbortSignal; done: () => void } {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  if (closing.aborted) abort();
  outgoing.once("close", abort);
  closing.addEventListener("abort", abort, { once: true });
  const done = (): void => {
    outgoing.off("close", abort);
    closing.removeEventListener("abort", abort);
  };
  return { signal: gone.signal, done };
}
