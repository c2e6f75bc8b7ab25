import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOfJson } from "../../canonical/digest.js";
import { canonicalize, type JsonValue } from "../../canonical/jcs.js";
import { formatTime } from "../../canonical/time.js";
import type { ApprovalGrant, ApprovalRequest } from "../../contracts/approval.js";
import { type Envelope, payloadTypes, signEnvelope } from "../../contracts/dsse.js";
import { encodeBase64Url } from "../../crypto/encoding.js";
import { ExoArmurError, isExoArmurError, type Refusal } from "../../errors.js";
import type { ExecutionResult } from "../../pipeline/types.js";
import type { Clock, Entropy } from "../../ports.js";
import type { auditStore } from "../../replay/audit-log.js";
import type { createRuntime, Runtime } from "../../runtime.js";
import type { verifyBundle } from "../../verify/verify-bundle.js";
import { broken, type Claim, type Found, held, notTried } from "./finding.js";

import type { Ask } from "./own-ask.js";
import type { Scratch, ScratchApprover } from "./scratch.js";

/** The parts of the product that are put to the proof. */
export type ProofParts = {
  readonly createRuntime: typeof createRuntime;
  readonly verifyBundle: typeof verifyBundle;
  readonly auditStore: typeof auditStore;
};

/** A clock that can be put forward. */
export type ScratchClock = Clock & { forward(ms: number): void };

/** A loopback listener that counts who came. */
export type Listener = { readonly port: number; seen(): number; close(): Promise<void> };

/** What every attempt has. */
export type Bench = {
  readonly scratch: Scratch;
  readonly parts: ProofParts;
  readonly clock: ScratchClock;
  readonly entropy: Entropy;
  readonly listener: Listener;
  /** Opens a runtime over a scratch home, or a copy of one. */
  readonly open: (home: string) => Promise<Runtime>;
};

/** What an attempt has while the scratch home's runtime is open. `ask` is what the policy in force asks a person for. */
export type Stage = Bench & { readonly runtime: Runtime; readonly ask: Ask };

/** A clock that runs as the given one, and further. */
export function scratchClock(clock: Clock): ScratchClock {
  let ahead = 0;
  return {
    now: () => clock.now() + ahead,
    forward: (ms) => {
      ahead += ms;
    },
  };
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(): Promise<Listener> {
  let seen = 0;
  const server = createServer((_request, response) => {
    seen += 1;
    response.setHeader("connection", "close");
    response.end("inside");
  });
  // A connection counts, whether or not a request comes over it.
  let connections = 0;
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => Math.max(seen, connections),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const agent = { id: "exoarmur-prove-agent", type: "agent" } as const;

/** Asks for an action, and has it approved where the policy or the safety gate wants a person. */
export async function through(
  stage: Stage,
  action: string,
  parameters: { readonly [key: string]: JsonValue } = {},
): Promise<ExecutionResult> {
  let result = await stage.runtime.execute({ actor: agent, action, parameters });
  for (const approver of stage.scratch.approvers) {
    if (result.status !== "approval_pending") break;
    result = await stage.runtime.decide(await grantBy(stage, result.approval, approver));
  }
  return result;
}

/** Asks for what the policy in force asks a person for. */
export async function askPerson(stage: Stage, actor: Ask["actor"] = stage.ask.actor): Promise<ExecutionResult> {
  const { action, executor, parameters } = stage.ask;
  return await stage.runtime.execute({ actor, action, executor, parameters });
}

/** A grant as an approver signs it, with `change` made before it is signed. No check stands in its way. */
export async function grantBy(
  { clock, entropy }: Bench,
  request: ApprovalRequest,
  { id, signer }: ScratchApprover,
  change: Partial<ApprovalGrant> = {},
): Promise<Envelope> {
  const grant: ApprovalGrant = {
    schema: "exoarmur.approval-grant/v1",
    requestDigest: digestOfJson(request),
    decision: "approve",
    approver: { id, keyId: signer.keyId },
    nonce: encodeBase64Url(entropy.bytes(32)),
    signedAt: formatTime(clock.now()),
    ...change,
  };
  return await signEnvelope(payloadTypes.approvalGrant, canonicalize(grant), signer);
}

/** The grants that complete a request, by approvers of its roster. */
export async function enoughGrants(stage: Stage, request: ApprovalRequest): Promise<Envelope[]> {
  const able = stage.scratch.approvers.filter(({ id }) => request.roster.some((entry) => entry.id === id));
  const chosen = able.slice(0, request.threshold);
  if (chosen.length < request.threshold) {
    throw new ExoArmurError(
      "EXO_APPROVAL_ROSTER",
      `${request.threshold} approvers are needed, ${able.length} can be had`,
    );
  }
  return await Promise.all(chosen.map((approver) => grantBy(stage, request, approver)));
}

/** The refusal that some work ends with, or null when it is not refused. */
export async function refusalOf(work: Promise<unknown>): Promise<Refusal | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (!isExoArmurError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** Judges a result that must be a refusal with one of the claim's codes. */
export function mustEnd(result: ExecutionResult, { codes }: Claim): Found {
  if (result.status === "executed") return broken(`${describe(result)}: it was carried out`);
  if (result.status === "approval_pending") {
    return notTried(`${describe(result)}: it waits for a person, so nothing was carried out and nothing was denied`);
  }
  if (result.status === "running") return notTried("it is still running");
  const { code, message } = result.reason;
  const said = `${result.status}: ${message}`;
  if (codes.includes(code)) return held(said, code);
  return notTried(`${said}; that is no proof, expected ${codes.join(" or ")}`, code);
}

/** A result in a few words, with the rule that decided. */
export function describe(result: ExecutionResult): string {
  const rules = result.decision?.ruleIds.join(", ");
  const why = "reason" in result ? ` ${result.reason.code}: ${result.reason.message}` : "";
  return `${result.status}${why}${rules === undefined ? "" : ` by rule ${rules}`}`;
}

/** Judges a refusal that must have one of the claim's codes. */
export function mustRefuse(refusal: Refusal | null, { codes }: Claim, what: string): Found {
  if (refusal === null) return broken(`${what} was accepted`);
  if (codes.includes(refusal.code)) return held(`${what}: ${refusal.message}`, refusal.code);
  return notTried(`${what}: ${refusal.message}; that is no proof, expected ${codes.join(" or ")}`, refusal.code);
}

/** The worst of several findings: a broken one, else one that shows nothing, else the last. */
export function worst(found: readonly Found[]): Found {
  return (
    found.find(({ state }) => state === "broken") ??
    found.find(({ state }) => state === "could_not_be_tried") ??
    found.at(-1) ??
    notTried("nothing was tried")
  );
}
