import { requests } from "../contracts/control.js";
import { ExoArmurError } from "../errors.js";
import { AccessDenied } from "./denied.js";
import { requireFit } from "./gate.js";
import type { Principal } from "./principal.js";
import { type Call, type Route, route } from "./route.js";
import { shownTenants } from "./tenancy.js";

const roles = ["agent", "viewer"] as const;

type Asked = Pick<Call<unknown, { after?: number | undefined }, unknown>, "headers" | "query">;

/** Where a stream is taken up from. EXO_SCHEMA for a header that is no index. */
function placeOf({ headers: { lastEventId }, query }: Asked): number | undefined {
  if (lastEventId === undefined) return query.after;
  const parsed = requests.proof.shape.index.safeParse(lastEventId);
  if (parsed.success) return parsed.data;
  throw new ExoArmurError("EXO_SCHEMA", "Last-Event-ID: expected the id of a message of this stream");
}

/** The credential of a stream as it counts now. EXO_AUTHENTICATION, EXO_FORBIDDEN. */
async function proveAgain({ desk, headers, principal }: Call<unknown, unknown, unknown>): Promise<Principal> {
  const proof = await desk.auth.prove(headers.authorization);
  if (!proof.proven) {
    throw new AccessDenied("EXO_AUTHENTICATION", proof.cause, proof.error.message, principal.credential);
  }
  requireFit({ roles, tenancy: "filter" }, proof.principal);
  return proof.principal;
}

/** What changes, and what is counted. */
export const liveRoutes: readonly Route[] = [
  route({
    id: "followEvents",
    method: "get",
    path: "/v1/live",
    about: "every event the caller may see, as it is recorded (Server-Sent Events), from Last-Event-ID or `after` on",
    roles,
    tenancy: "filter",
    params: requests.none,
    query: requests.live,
    body: null,
    reply: { media: "text/event-stream" },
    cost: 10,
    handle: (call) =>
      call.desk.live.open({
        principal: call.principal,
        after: placeOf(call),
        prove: async () => await proveAgain(call),
        shown: (principal) => shownTenants(principal, call.query.tenantId),
        signal: call.signal,
        hangUp: call.hangUp,
      }),
  }),
  route({
    id: "getMetrics",
    method: "get",
    path: "/v1/metrics",
    about: "what is counted, as Prometheus reads it",
    roles: ["monitor", "viewer"],
    tenancy: "cell",
    params: requests.none,
    query: requests.none,
    body: null,
    reply: { media: "text/plain; version=0.0.4; charset=utf-8" },
    cost: 1,
    handle: ({ desk }) => ({ body: desk.metrics.text(desk.gauges.read(desk)) }),
  }),
];
