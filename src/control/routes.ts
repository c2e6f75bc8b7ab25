import { controlRoles } from "../contracts/access.js";
import { replies, requests } from "../contracts/control.js";
import { openApiDocument } from "./openapi.js";
import { type Route, route } from "./route.js";
import { accessRoutes } from "./routes-access.js";
import { intentRoutes } from "./routes-intents.js";
import { liveRoutes } from "./routes-live.js";
import { orderRoutes } from "./routes-orders.js";
import { policyRoutes } from "./routes-policies.js";
import { searchRoutes } from "./routes-search.js";
import { stateRoutes } from "./routes-state.js";

const described: readonly Route[] = [
  ...accessRoutes,
  ...intentRoutes,
  ...liveRoutes,
  ...orderRoutes,
  ...policyRoutes,
  ...searchRoutes,
  ...stateRoutes,
];

const openApiRoute = route({
  id: "getOpenApi",
  method: "get",
  path: "/v1/openapi.json",
  about: "this table as an OpenAPI document",
  roles: controlRoles,
  tenancy: "none",
  params: requests.none,
  query: requests.none,
  body: null,
  reply: { schema: replies.document },
  cost: 1,
  handle: () => ({ body: openApi() }),
});

/**
 * The table of routes (spec/control-plane.md): requests are routed, let in, checked and documented by it, and it is what
 * the tests of authorization go through.
 */
export const routes: readonly Route[] = [...described, openApiRoute];

let document: Readonly<Record<string, unknown>> | undefined;

/** The table as an OpenAPI document, made when it is first asked for. */
export function openApi(): Readonly<Record<string, unknown>> {
  document ??= openApiDocument(routes);
  return document;
}
