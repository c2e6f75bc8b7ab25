import { controlRoles } from "../contracts/access.js";
import { replies, requests } from "../contracts/control.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { AccessDenied } from "./denied.js";
import { type Route, route } from "./route.js";
import { sessionView } from "./sessions.js";

const none = requests.none;
const operators = ["viewer", "approver", "policy-author", "admin"] as const;

/** Health, and who is let in. */
export const accessRoutes: readonly Route[] = [
  route({
    id: "health",
    method: "get",
    path: "/v1/health",
    about: "the process answers",
    roles: "open",
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.health },
    cost: 0,
    handle: () => ({ body: { status: "ok" } }),
  }),
  route({
    id: "readiness",
    method: "get",
    path: "/v1/ready",
    about: "the process takes requests: 503 while it closes",
    roles: "open",
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.readiness },
    cost: 0,
    handle: ({ desk }) =>
      desk.closing.aborted ? { status: 503, body: { status: "closing" } } : { body: { status: "ready" } },
  }),
  route({
    id: "createChallenge",
    method: "post",
    path: "/v1/auth/challenges",
    about: "a challenge for a key of the trust file to sign",
    roles: "open",
    tenancy: "none",
    params: none,
    query: none,
    body: { schema: requests.challenge, maxBytes: 4096 },
    reply: { schema: replies.challenge },
    cost: 1,
    handle: ({ desk, body, origin }) => ({ body: desk.auth.challenge(body.keyId, body.role, origin) }),
  }),
  route({
    id: "openSession",
    method: "post",
    path: "/v1/auth/sessions",
    about: "open a session with a signed challenge; the token is shown once",
    roles: "open",
    tenancy: "none",
    params: none,
    query: none,
    body: { schema: envelopeSchema, maxBytes: 16_384 },
    reply: { schema: replies.opened },
    cost: 1,
    handle: ({ desk, body, origin }) => {
      const opened = desk.auth.open(body, origin);
      if (opened.proven) return { status: 201, body: { token: opened.text, ...sessionView(opened.session) } };
      throw new AccessDenied("EXO_AUTHENTICATION", opened.cause, opened.error.message, opened.credential);
    },
  }),
  route({
    id: "closeSession",
    method: "delete",
    path: "/v1/auth/sessions/current",
    about: "end the session the request came with",
    roles: operators,
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.closed },
    cost: 1,
    handle: ({ desk, principal }) => {
      if (principal.sessionId === null) throw new AccessDenied("EXO_FORBIDDEN", "no_session", "a token is no session");
      desk.auth.sessions.close(principal.sessionId);
      return { body: { closed: true } };
    },
  }),
  route({
    id: "listSessions",
    method: "get",
    path: "/v1/auth/sessions",
    about: "open sessions, oldest first",
    roles: ["admin"],
    tenancy: "cell",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.sessions },
    cost: 1,
    handle: ({ desk }) => ({ body: { items: desk.auth.sessions.list().map(sessionView) } }),
  }),
  route({
    id: "revokeSession",
    method: "delete",
    path: "/v1/auth/sessions/{sessionId}",
    about: "end somebody's session; one that is over is over",
    roles: ["admin"],
    tenancy: "cell",
    params: requests.session,
    query: none,
    body: null,
    reply: { schema: replies.closed },
    cost: 1,
    handle: ({ desk, params }) => {
      desk.auth.sessions.close(params.sessionId);
      return { body: { closed: true } };
    },
  }),
  route({
    id: "whoAmI",
    method: "get",
    path: "/v1/whoami",
    about: "what the credential is and may do",
    roles: controlRoles,
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.principal },
    cost: 1,
    handle: ({ desk, principal: { name, credential, roles, tenants } }) => ({
      body: { name, credential, roles: [...roles], tenants, cellId: desk.cellId },
    }),
  }),
];
