import { canonicalize } from "../canonical/jcs.js";
import { formatTime } from "../canonical/time.js";
import { payloadTypes, signEnvelope } from "../contracts/dsse.js";
import type { IntentSubmission, SignedIntent } from "../contracts/signed-intent.js";
import { isExoArmurError } from "../errors.js";
import type { Clock, Signer } from "../ports.js";
import { login, type OpenedSession } from "./login.js";
import { type Ask, ask, type Transport } from "./transport.js";

/**
 * An agent's own key, in the role `agent` of the trust file, instead of a token. `cellId`: the cell that its intents are
 * for; `clock`: when they are signed.
 */
export type AgentKey = { readonly signer: Signer; readonly cellId: string; readonly clock: Clock };

/** How a client shows who it is. Both ask once. */
export type Credential = {
  ask(given: Ask): Promise<Uint8Array>;
  /** What a stream is opened with. */
  transport(): Promise<Transport>;
  /** Hands an intent in. */
  submit(intent: IntentSubmission, given: Omit<Ask, "path" | "body">, waitMs: number): Promise<Uint8Array>;
};

/** How long a signed intent counts, in milliseconds: beyond one way there, and short of the most that is taken. */
const signedMs = 120_000;

/** A token, of an agent or of an operator's session. */
export function tokenCredential(transport: Transport): Credential {
  return {
    ask: async (given) => await ask(transport, given),
    transport: () => Promise.resolve(transport),
    submit: async (body, given, waitMs) =>
      await ask(transport, { ...given, path: `/v1/intents?waitMs=${waitMs}`, body }),
  };
}

/**
 * An agent's key: every intent is signed for this origin and cell, afresh each time it is sent. What it reads it reads in
 * a session that it opens when it needs one, and again when that has ended, such as with a restart over there.
 */
export function keyCredential(transport: Omit<Transport, "token">, { signer, cellId, clock }: AgentKey): Credential {
  const { origin } = transport;
  let opened: Promise<OpenedSession> | null = null;
  const open = (): Promise<OpenedSession> => {
    const opening = login({ origin, signer, role: "agent", cellId, fetch: transport.fetch });
    // One that could not be opened is not kept.
    opening.catch(() => end(opening));
    opened = opening;
    return opening;
  };
  const end = (session: Promise<OpenedSession>): void => {
    if (opened === session) opened = null;
  };
  return {
    ask: async (given) => {
      const session = opened ?? open();
      try {
        return await ask({ ...transport, token: (await session).token }, given);
      } catch (error) {
        if (!isExoArmurError(error, "EXO_AUTHENTICATION")) throw error;
        end(session);
        return await ask({ ...transport, token: (await (opened ?? open())).token }, given);
      }
    },
    transport: async () => ({ ...transport, token: (await (opened ?? open())).token }),
    submit: async (intent, given, waitMs) => {
      const now = clock.now();
      const document: SignedIntent = {
        schema: "exoarmur.signed-intent/v1",
        audience: origin,
        cellId,
        keyId: signer.keyId,
        intent,
        signedAt: formatTime(now),
        expiresAt: formatTime(now + signedMs),
      };
      const body = await signEnvelope(payloadTypes.signedIntent, canonicalize(document), signer);
      return await ask({ ...transport, token: null }, { ...given, path: `/v1/signed-intents?waitMs=${waitMs}`, body });
    },
  };
}
