import { maxPage, replies, requests } from "../contracts/control.js";
import type { CanonicalEvent } from "../contracts/event.js";
import { readEvent } from "../pipeline/recorder.js";
import { eventKeys } from "../pipeline/store-keys.js";
import { scanPage } from "./pages.js";
import { type Route, route } from "./route.js";
import { isAsked, pageEvents, pageIntents } from "./search.js";
import { shownTenants } from "./tenancy.js";

const none = requests.none;

/** Lists of what happened. */
export const searchRoutes: readonly Route[] = [
  route({
    id: "listIntents",
    method: "get",
    path: "/v1/intents",
    about: "intents, newest first; `q` searches them for words",
    roles: ["agent", "viewer"],
    tenancy: "filter",
    params: none,
    query: requests.intents,
    body: null,
    reply: { schema: replies.intents },
    cost: 5,
    handle: async ({ desk, principal, query }) => {
      const asking = { principal, shown: shownTenants(principal, query.tenantId), limit: query.limit ?? maxPage };
      return { body: await pageIntents(desk, query, asking) };
    },
  }),
  route({
    id: "listEvents",
    method: "get",
    path: "/v1/events",
    about: "events; with tenantId and correlationId one chain in order, else newest first",
    roles: ["viewer"],
    tenancy: "filter",
    params: none,
    query: requests.events,
    body: null,
    reply: { schema: replies.events },
    cost: 5,
    handle: ({ desk, principal, query }) => {
      const { store, cursors, limits } = desk;
      const { tenantId, correlationId } = query;
      const asking = { principal, shown: shownTenants(principal, tenantId), limit: query.limit ?? maxPage };
      if (tenantId === undefined || correlationId === undefined) return { body: pageEvents(desk, query, asking) };
      const page = scanPage(store, cursors, {
        list: `chain of ${tenantId} ${correlationId}`,
        range: eventKeys.range(tenantId, correlationId),
        reverse: false,
        cursor: query.cursor,
        limit: asking.limit,
        scan: limits.scan,
        read: (_key, value): CanonicalEvent | undefined => {
          const event = readEvent(value);
          return isAsked({ head: event }, query, asking) ? event : undefined;
        },
      });
      return { body: page };
    },
  }),
];
