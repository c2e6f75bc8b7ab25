import { maxPage, replies, requests } from "../contracts/control.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { readRequest } from "../pipeline/decide.js";
import { type ApprovalRecord, type KillSwitchState, readState } from "../pipeline/documents.js";
import { approvalKeys, stateKeys } from "../pipeline/store-keys.js";
import type { Desk } from "./desk.js";
import { scanPage } from "./pages.js";
import { pagePending } from "./pending.js";
import { type Principal, reachesTenant } from "./principal.js";
import { type Route, route } from "./route.js";
import { resultReply } from "./routes-intents.js";
import { requireNames } from "./signed.js";
import { findApproval, shownTenants } from "./tenancy.js";
import { approvalHead, approvalView } from "./views.js";
import { within } from "./waiting.js";

const none = requests.none;
const envelope = { schema: envelopeSchema, maxBytes: 65_536 };

function killSwitchView({ store, killed }: Desk, principal: Principal): object {
  // A store without switches denies; so it is shown as on.
  const state = readState<KillSwitchState>(store, stateKeys.killSwitch) ?? { global: true, tenants: {}, epoch: 0 };
  const tenants = Object.entries(state.tenants).filter(([tenantId]) => reachesTenant(principal, tenantId));
  return { global: state.global, tenants: Object.fromEntries(tenants), epoch: state.epoch, killFile: killed() };
}

/** What people decide, always by a signed document: the control plane carries it and signs nothing. */
export const orderRoutes: readonly Route[] = [
  route({
    id: "listApprovals",
    method: "get",
    path: "/v1/approvals",
    about: "approval requests, newest first; those that wait unless another status is asked for",
    roles: ["viewer"],
    tenancy: "filter",
    params: none,
    query: requests.approvals,
    body: null,
    reply: { schema: replies.approvals },
    cost: 5,
    handle: ({ desk, principal, query }) => {
      const { store, cursors, limits } = desk;
      const shown = shownTenants(principal, query.tenantId);
      const status = query.status ?? "pending";
      const limit = query.limit ?? maxPage;
      if (status === "pending") return { body: pagePending(desk, { shown, limit, cursor: query.cursor }) };
      const page = scanPage(store, cursors, {
        list: "approvals",
        range: approvalKeys.all,
        reverse: true,
        cursor: query.cursor,
        limit,
        scan: limits.scan,
        read: (key) => {
          const record = readState<ApprovalRecord>(store, key);
          if (record === undefined || (status !== "any" && record.state.status !== status)) return undefined;
          const request = readRequest(store, record.digest);
          return shown(request.tenantId) ? approvalHead(record, request) : undefined;
        },
      });
      return { body: page };
    },
  }),
  route({
    id: "getApproval",
    method: "get",
    path: "/v1/approvals/{requestId}",
    about: "one request with what its approvers are shown",
    roles: ["viewer"],
    tenancy: "object",
    params: requests.approval,
    query: none,
    body: null,
    reply: { schema: replies.approval },
    cost: 1,
    handle: (call) => {
      const { record, request } = findApproval(call, call.params.requestId);
      return { body: approvalView(call.desk.store, record, request) };
    },
  }),
  route({
    id: "decideApproval",
    method: "post",
    path: "/v1/approvals/{requestId}/grants",
    about: "hand a signed grant in; the one that completes the request starts the run",
    roles: ["approver"],
    tenancy: "object",
    params: requests.approval,
    query: requests.wait,
    body: envelope,
    reply: { schema: replies.result },
    cost: 1,
    handle: async (call) => {
      const { pipeline, limits } = call.desk;
      const { record, request } = findApproval(call, call.params.requestId);
      requireNames(call.body, "/requestDigest", record.digest);
      const decided = pipeline.decide(call.body);
      const ended = await within(decided, call.query.waitMs ?? limits.waitMs, call.signal);
      return resultReply(ended ?? pipeline.status(request.intentId));
    },
  }),
  route({
    id: "getKillSwitch",
    method: "get",
    path: "/v1/killswitch",
    about: "the kill switches, those of the caller's tenants",
    roles: ["viewer"],
    tenancy: "filter",
    params: none,
    query: none,
    body: null,
    reply: { schema: replies.killSwitch },
    cost: 1,
    handle: ({ desk, principal }) => ({ body: killSwitchView(desk, principal) }),
  }),
  route({
    id: "orderKillSwitch",
    method: "post",
    path: "/v1/killswitch",
    about: "hand a signed order in that switches one on or off; the KILL file stays as it is",
    roles: ["admin"],
    tenancy: "signed",
    params: none,
    query: none,
    body: envelope,
    reply: { schema: replies.killSwitch },
    cost: 1,
    handle: async ({ desk, principal, body }) => {
      await desk.pipeline.switchKill(body);
      return { body: killSwitchView(desk, principal) };
    },
  }),
];
