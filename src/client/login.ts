import { canonicalize } from "../canonical/jcs.js";
import type { Challenge, SessionRole } from "../contracts/access.js";
import { replies } from "../contracts/control.js";
import { type Envelope, payloadTypes, signEnvelope } from "../contracts/dsse.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import { pause } from "./retry.js";
import { ask, readAnswer, requireSafeOrigin, type Transport, TryAgain } from "./transport.js";

/** Who logs in where. */
export type LoginOptions = {
  readonly origin: string;
  /** The key of an operator, or an agent's own; it may be in another process or device. */
  readonly signer: Signer;
  /** The key's role in the trust file. */
  readonly role: SessionRole;
  /** The cell that it must be. Default: any. */
  readonly cellId?: string;
  readonly fetch?: typeof fetch;
};

/** How often a challenge is answered while the rate of the address is used up: within its minute. */
const sessionAttempts = 40;

/**
 * Opens a session by signing a challenge (spec/control-plane.md, Authentication). The challenge must be for this origin,
 * key and role: a control plane that passes on another one's challenge is refused. EXO_CONTROL_PLANE; EXO_AUTHENTICATION.
 */
export async function login({ signer, ...where }: LoginOptions): Promise<OpenedSession> {
  return await openSession({
    ...where,
    keyId: signer.keyId,
    answer: async (challenge) => await signEnvelope(payloadTypes.challenge, canonicalize(challenge), signer),
  });
}

/** A session's bearer token, and until when it counts. */
export type OpenedSession = { readonly token: string; readonly expiresAt: string };

/** The same for a key that signs challenges in a way of its own, as a passkey does. */
export type SessionOptions = Omit<LoginOptions, "signer"> & {
  readonly keyId: string;
  readonly answer: (challenge: Challenge) => Promise<Envelope>;
};

/** Opens a session with what `answer` makes of the challenge. As login; rejects as `answer` does. */
export async function openSession(options: SessionOptions): Promise<OpenedSession> {
  const { origin, keyId, role, answer } = options;
  requireSafeOrigin(origin);
  const transport: Transport = { origin, token: null, fetch: options.fetch ?? fetch };
  const asked = await ask(transport, { path: "/v1/auth/challenges", body: { keyId, role } });
  const challenge = readAnswer(replies.challenge, asked);
  if (challenge.audience !== origin || challenge.keyId !== keyId || challenge.role !== role) {
    throw new ExoArmurError("EXO_CONTROL_PLANE", `the challenge is for ${challenge.audience}, not for ${origin}`);
  }
  if (options.cellId !== undefined && challenge.cellId !== options.cellId) {
    throw new ExoArmurError(
      "EXO_CONTROL_PLANE",
      `the challenge is of the cell ${challenge.cellId}, not ${options.cellId}`,
    );
  }
  const envelope = await answer(challenge);
  const opened = readAnswer(replies.opened, await handIn(transport, envelope));
  return { token: opened.token, expiresAt: opened.expiresAt };
}

/**
 * Where many log in from one address, a challenge that was had is not thrown away for the rate of the answers: whoever
 * begins again takes from the same rate, and in the end nobody would get through.
 */
async function handIn(transport: Transport, envelope: Envelope): Promise<Uint8Array> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask(transport, { path: "/v1/auth/sessions", body: envelope });
    } catch (error) {
      if (!(error instanceof TryAgain) || error.code !== "EXO_RATE" || attempt === sessionAttempts) throw error;
      await pause(error.afterMs, undefined);
    }
  }
}
