import type { JsonValue } from "../canonical/jcs.js";
import { type ApprovalHead, replies } from "../contracts/control.js";
import type { Envelope } from "../contracts/dsse.js";
import type { IntentDraft } from "../contracts/intent.js";
import { encodeBase64Url } from "../crypto/encoding.js";
import { systemEntropy } from "../crypto/random.js";
import { ExoArmurError } from "../errors.js";
import type { Entropy } from "../ports.js";
import { type AgentKey, type Credential, keyCredential, tokenCredential } from "./credential.js";
import { type FollowOptions, follow, type LiveMessage } from "./live.js";
import { type RemoteResult, remoteResult } from "./result.js";
import { type Patience, withRetries } from "./retry.js";
import { type Ask, readAnswer, requireSafeOrigin } from "./transport.js";

/** What a client is made with. */
export type ClientOptions = {
  /** Origin of the control plane: https, or http on this machine. */
  readonly origin: string;
  /** An agent's token, or the token of an operator's session. */
  readonly token?: string;
  /** Instead of a token the agent's own key: what is to be done is signed (spec/control-plane.md, Signed intents). */
  readonly agent?: AgentKey;
  /** Default the platform's. */
  readonly fetch?: typeof fetch;
  readonly entropy?: Entropy;
  /** How often a request that may be sent again is sent, and after how long. Default 8 times, from 100 ms to 5 s. */
  readonly patience?: Partial<Patience>;
  /** How long one poll of a wait lasts, at most 30,000 ms, the default. */
  readonly pollMs?: number;
};

/** An intent as an agent hands it in: the token says by whom and in which tenant. */
export type RemoteDraft = Omit<IntentDraft, "actor" | "$schema"> & { readonly actor?: IntentDraft["actor"] };

/** Options of a call. `signal` ends the waiting, never the intent. */
export type RemoteCallOptions = {
  readonly idempotencyKey?: string;
  readonly correlationId?: string;
  readonly signal?: AbortSignal;
};

/** A control plane as its clients see it (spec/library.md, Client). Everything throws the codes of the refusals. */
export type Client = {
  /**
   * Takes an intent through the pipeline over there, as `execute` of a runtime does here. Sent again after faults of the
   * connection under one idempotency key, the draft's or a fresh one, so that it is one intent.
   */
  execute(draft: RemoteDraft, options?: { readonly signal?: AbortSignal }): Promise<RemoteResult>;
  /** The same by action and parameters. A tool call's id belongs in `idempotencyKey`. */
  call(action: string, parameters: { [key: string]: JsonValue }, options?: RemoteCallOptions): Promise<RemoteResult>;
  /** Waits until an intent is neither pending nor running, through restarts and lost connections, until `signal` aborts. */
  wait(intentId: string, options?: { readonly signal?: AbortSignal }): Promise<RemoteResult>;
  /** The present state of an intent. EXO_INTENT_UNKNOWN. */
  status(intentId: string): Promise<RemoteResult>;
  /** Approval requests that wait, newest first. */
  approvals(): Promise<readonly ApprovalHead[]>;
  /** Hands a signed grant in for a request. EXO_APPROVAL_*. */
  decide(requestId: string, grant: Envelope, options?: { readonly signal?: AbortSignal }): Promise<RemoteResult>;
  /**
   * Follows every event the credential may see (spec/control-plane.md, Live), from `after` on or from now: over lost
   * connections and restarts, each event once, until `signal` aborts or the loop is left.
   */
  follow(options?: FollowOptions): AsyncGenerator<LiveMessage>;
};

const usualPatience: Patience = { attempts: 8, firstMs: 100, mostMs: 5000 };
const longestPollMs = 30_000;
/** Beyond a poll, for the way there and back. */
const slackMs = 15_000;

/**
 * A client of a control plane. EXO_USAGE for an origin to which the token would travel in the clear, and unless there is
 * either a token or an agent's key.
 */
export function createClient(options: ClientOptions): Client {
  requireSafeOrigin(options.origin);
  const { entropy = systemEntropy } = options;
  const credential = credentialOf(options);
  const patience = { ...usualPatience, ...options.patience };
  const pollMs = Math.max(1, Math.min(options.pollMs ?? longestPollMs, longestPollMs));

  const get = async (given: Ask, attempts = patience.attempts): Promise<Uint8Array> =>
    await withRetries(() => credential.ask(given), { ...patience, attempts }, entropy, given.signal);
  const resultOf = (bytes: Uint8Array): RemoteResult => {
    const view = readAnswer(replies.result, bytes);
    return remoteResult(view, () => get({ path: `/v1/intents/${view.intentId}/bundle` }));
  };
  const poll = async (intentId: string, signal: AbortSignal | undefined): Promise<RemoteResult> => {
    const path = `/v1/intents/${encodeURIComponent(intentId)}/wait?waitMs=${pollMs}`;
    // The intent is recorded: what comes of it can be asked for as long as somebody waits.
    return resultOf(await get({ path, signal, timeoutMs: pollMs + slackMs }, Number.POSITIVE_INFINITY));
  };
  /** Polls while a result is of one of these. */
  const settle = async (first: RemoteResult, open: readonly string[], signal?: AbortSignal): Promise<RemoteResult> => {
    let result = first;
    while (open.includes(result.status)) result = await poll(result.intentId, signal);
    return result;
  };

  const client: Client = {
    execute: async (draft, { signal } = {}) => {
      const intent = { ...draft, idempotencyKey: draft.idempotencyKey ?? encodeBase64Url(entropy.bytes(24)) };
      const given = { signal, timeoutMs: pollMs + slackMs };
      const send = async () => await credential.submit(intent, given, pollMs);
      const bytes = await withRetries(send, patience, entropy, signal);
      return await settle(resultOf(bytes), ["running"], signal);
    },
    call: async (action, parameters, { signal, ...given } = {}) =>
      await client.execute({ action, parameters, ...given }, signal === undefined ? {} : { signal }),
    wait: async (intentId, { signal } = {}) =>
      await settle(await poll(intentId, signal), ["running", "approval_pending"], signal),
    status: async (intentId) => {
      const { result } = readAnswer(replies.intent, await get({ path: `/v1/intents/${encodeURIComponent(intentId)}` }));
      return remoteResult(result, () => get({ path: `/v1/intents/${result.intentId}/bundle` }));
    },
    approvals: async () => {
      const found: ApprovalHead[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const path = `/v1/approvals${cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`}`;
        const page: { items: ApprovalHead[]; nextCursor: string | null } = readAnswer(
          replies.approvals,
          await get({ path }),
        );
        found.push(...page.items);
        cursor = page.nextCursor;
      }
      return found;
    },
    decide: async (requestId, grant, { signal } = {}) => {
      const path = `/v1/approvals/${encodeURIComponent(requestId)}/grants?waitMs=${pollMs}`;
      // Sent again where no answer came: the very same grant is counted once and answered with what has become of it.
      const bytes = await get({ path, body: grant, signal, timeoutMs: pollMs + slackMs });
      return await settle(resultOf(bytes), ["running"], signal);
    },
    follow: async function* (given = {}) {
      yield* follow(await credential.transport(), given, patience, entropy);
    },
  };
  return client;
}

function credentialOf(options: ClientOptions): Credential {
  const { origin, token, agent } = options;
  const transport = { origin, fetch: options.fetch ?? fetch };
  if (token !== undefined && agent === undefined) return tokenCredential({ ...transport, token });
  if (token === undefined && agent !== undefined) return keyCredential(transport, agent);
  throw new ExoArmurError("EXO_USAGE", "expected either a token or an agent's key");
}
