import { requests } from "../contracts/control.js";
import { type ProposalHead, policyBounds, policyReplies, policyRequests } from "../contracts/control-policies.js";
import { envelopeSchema } from "../contracts/dsse.js";
import { ExoArmurError } from "../errors.js";
import { type ActivePolicy, type Proposal, readState } from "../pipeline/documents.js";
import { listProposals, requireProposal } from "../pipeline/proposals.js";
import { stateKeys } from "../pipeline/store-keys.js";
import type { StoreReader } from "../ports.js";
import { documentOf } from "./policy-trials.js";
import { type Route, route } from "./route.js";
import { requireNames } from "./signed.js";
import { shownTenants } from "./tenancy.js";

const none = requests.none;

/** Bytes of an envelope around the greatest document that may be proposed. */
const maxProposalEnvelope = 393_216;

/** The policy in force. EXO_STORE_DAMAGED. */
function activePolicy(store: StoreReader): ActivePolicy {
  const active = readState<ActivePolicy>(store, stateKeys.policy);
  if (active === undefined) throw new ExoArmurError("EXO_STORE_DAMAGED", "no policy is in force");
  return active;
}

function nameOf({ policyId, version, digest, envelopeDigest }: ActivePolicy | Proposal) {
  return { policyId, version, digest, envelopeDigest };
}

function headOf(proposal: Proposal): ProposalHead {
  return { ...nameOf(proposal), authors: [...proposal.authors], proposedAt: proposal.proposedAt };
}

/** Policies that wait for their author: proposed, looked at, tried and activated (spec/control-plane.md, Policies). */
export const policyRoutes: readonly Route[] = [
  route({
    id: "listPolicies",
    method: "get",
    path: "/v1/policies",
    about: "the policies that are proposed, and the name of the one in force",
    roles: ["viewer"],
    tenancy: "none",
    params: none,
    query: none,
    body: null,
    reply: { schema: policyReplies.proposals },
    cost: 2,
    handle: ({ desk: { store } }) => ({
      body: { active: nameOf(activePolicy(store)), items: listProposals(store).map(headOf) },
    }),
  }),
  route({
    id: "proposePolicy",
    method: "post",
    path: "/v1/policies",
    about: "hand a policy in that its author signed; it is kept, and not in force",
    roles: ["policy-author"],
    tenancy: "signed",
    params: none,
    query: none,
    body: { schema: envelopeSchema, maxBytes: maxProposalEnvelope },
    reply: { schema: policyReplies.proposed },
    cost: 5,
    handle: async ({ desk, body }) => {
      const { proposal, added } = await desk.pipeline.policies.propose(body);
      return { status: added ? 201 : 200, body: headOf(proposal) };
    },
  }),
  route({
    id: "getProposedPolicy",
    method: "get",
    path: "/v1/policies/{digest}",
    about: "a proposed policy, and how it differs from the one in force",
    roles: ["viewer"],
    tenancy: "none",
    params: policyRequests.proposal,
    query: none,
    body: null,
    reply: { schema: policyReplies.proposal },
    cost: 5,
    handle: ({ desk: { store, trials }, params }) => {
      const proposal = requireProposal(store, params.digest);
      const { digest: replaces } = activePolicy(store);
      const { change, widenings } = trials.compare(replaces, proposal);
      const shown = widenings.slice(0, policyBounds.widenings);
      const document = documentOf(proposal);
      return { body: { ...headOf(proposal), document, replaces, change, widenings: shown } };
    },
  }),
  route({
    id: "withdrawPolicy",
    method: "delete",
    path: "/v1/policies/{digest}",
    about: "take a proposed policy back",
    roles: ["policy-author"],
    tenancy: "cell",
    params: policyRequests.proposal,
    query: none,
    body: null,
    reply: { schema: policyReplies.withdrawn },
    cost: 1,
    handle: async ({ desk, principal, params }) => {
      await desk.pipeline.policies.withdraw(params.digest, principal.credential);
      return { body: { withdrawn: true } };
    },
  }),
  route({
    id: "backtestPolicy",
    method: "post",
    path: "/v1/policies/{digest}/backtest",
    about: "recorded decisions of the caller's tenants under a proposed policy, newest first; records nothing",
    roles: ["viewer"],
    tenancy: "filter",
    params: policyRequests.proposal,
    query: none,
    body: { schema: policyRequests.backtest, maxBytes: 4096 },
    reply: { schema: policyReplies.backtest },
    cost: 50,
    handle: async ({ desk, principal, params, body, signal }) => {
      const { since = null, until = null, tenantId } = body;
      const shows = shownTenants(principal, tenantId);
      const proposal = requireProposal(desk.store, params.digest);
      const filter = { since, until, tenant: tenantId ?? null };
      return { body: await desk.trials.backtest(proposal, filter, shows, signal) };
    },
  }),
  route({
    id: "testPolicy",
    method: "post",
    path: "/v1/policies/{digest}/test",
    about: "cases under a proposed policy, as `policy test` judges them; records nothing",
    roles: ["viewer"],
    tenancy: "none",
    params: policyRequests.proposal,
    query: none,
    body: { schema: policyRequests.cases, maxBytes: 1_048_576 },
    reply: { schema: policyReplies.tested },
    cost: 20,
    handle: async ({ desk, params, body, signal }) => {
      const cases = await desk.trials.test(requireProposal(desk.store, params.digest), body.cases, signal);
      const failed = cases.filter(({ problems }) => problems.length > 0).length;
      return { body: { passed: cases.length - failed, failed, cases } };
    },
  }),
  route({
    id: "activatePolicy",
    method: "post",
    path: "/v1/policies/{digest}/activate",
    about: "hand a signed order in that puts a proposed policy in force over the one it names",
    roles: ["policy-author"],
    tenancy: "signed",
    params: policyRequests.proposal,
    query: none,
    body: { schema: envelopeSchema, maxBytes: 65_536 },
    reply: { schema: policyReplies.activated },
    cost: 5,
    handle: async ({ desk, params, body }) => {
      requireNames(body, "/policyDigest", params.digest);
      const { active, replaced } = await desk.pipeline.policies.activateProposal(body);
      return { body: { ...nameOf(active), replaced } };
    },
  }),
];
