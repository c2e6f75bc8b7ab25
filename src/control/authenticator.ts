import { parseCanonical } from "../canonical/read.js";
import { parseTime } from "../canonical/time.js";
import {
  type Bearer,
  type Challenge,
  challengeSchema,
  parseBearer,
  type SessionRole,
  secretDigestOf,
  sessionRoleSchema,
  sessionRoles,
  type TokenRecord,
} from "../contracts/access.js";
import { parseContract } from "../contracts/common.js";
import { type Envelope, openEnvelope, payloadTypes } from "../contracts/dsse.js";
import type { EnvelopeKey } from "../contracts/passkey.js";
import { roleKeys, type Trust } from "../contracts/trust.js";
import { encodeUtf8, equalSecrets } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { isExoArmurError, ok, type Refusal, type Result } from "../errors.js";
import type { Clock, Entropy, IdSource, Logger } from "../ports.js";
import { ChallengeDesk } from "./challenges.js";
import { type Principal, principalOfAgentKey, principalOfToken } from "./principal.js";
import { type Session, Sessions } from "./sessions.js";

/** Why a credential does not count, as denials are counted by. */
export type DenialCause =
  | "no_credential"
  | "malformed"
  | "unknown"
  | "wrong_secret"
  | "expired"
  | "revoked"
  | "key_ended"
  | "signature"
  | "challenge"
  | "unreadable";

/** A credential that does not count. `credential` is its id where its secret was proven, else null. */
export type Unproven = {
  readonly proven: false;
  readonly error: Refusal;
  readonly cause: DenialCause;
  readonly credential: string | null;
};

/** What came of a credential. */
export type Proof = { readonly proven: true; readonly principal: Principal } | Unproven;

/** What authentication is made with. */
export type AuthenticatorPorts = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly trust: Trust;
  readonly cellId: string;
  /** Leaves in the log: what a key's validity is judged by. */
  readonly logSize: () => number;
  /** A token's record as it is kept now. */
  readonly findToken: (tokenId: string) => Promise<TokenRecord | undefined>;
  /** In milliseconds, and most sessions of one key. */
  readonly limits: { readonly challengeMs: number; readonly sessionMs: number; readonly sessionsPerKey: number };
};

/**
 * Who a request is by (spec/control-plane.md, Authentication). Operators sign a challenge with a key of the trust file
 * and get a session; agents and readers bring a token. Nothing is let in otherwise.
 */
export class Authenticator {
  readonly #ports: AuthenticatorPorts;
  readonly #challenges: ChallengeDesk;
  readonly sessions: Sessions;

  constructor(ports: AuthenticatorPorts) {
    this.#ports = ports;
    const { clock, entropy, ids, cellId, limits } = ports;
    this.#challenges = new ChallengeDesk({ clock, entropy, cellId, lifeMs: limits.challengeMs });
    this.sessions = new Sessions({ clock, entropy, ids, lifeMs: limits.sessionMs, perKey: limits.sessionsPerKey });
  }

  /** A challenge for a key, whether or not the key is known, bound to the origin that was asked. */
  challenge(keyId: string, role: SessionRole, audience: string): Challenge {
    return this.#challenges.issue(keyId, role, audience);
  }

  /** Opens a session for a signed challenge that comes to the origin it was issued at. EXO_AUTHENTICATION. */
  open(
    envelope: Envelope,
    audience: string,
  ): { readonly proven: true; readonly text: string; readonly session: Session } | Unproven {
    const { trust, logSize } = this.#ports;
    const candidates = sessionRoleSchema.options.flatMap((role) =>
      roleKeys(trust, role, logSize()).map(({ key, ...keys }) => ({ role, id: key.id, ...keys })),
    );
    const opened = openEnvelope(
      envelope,
      payloadTypes.challenge,
      candidates.map(({ envelopeKey }) => keyAt(envelopeKey, audience)),
    );
    if (!opened.ok) return unproven("signature", opened.error.message);
    const read = readChallenge(opened.value.payload);
    if (!read.ok) return unproven("challenge", read.error.message);
    const { keyId, role } = read.value;
    if (read.value.audience !== audience) return unproven("challenge", "the challenge was issued at another origin");
    const [signer, second] = opened.value.signers;
    const holder = candidates.find((key) => key.role === role && keyIdOf(key.publicKey) === keyId);
    if (signer?.keyId !== keyId || second !== undefined || holder === undefined) {
      return unproven("signature", "a challenge is signed once, by the key it names, in the role it names");
    }
    const taken = this.#challenges.take(read.value);
    if (!taken.ok) return unproven("challenge", taken.error.message, keyId);
    return { proven: true, ...this.sessions.open({ keyId, role, id: holder.id }) };
  }

  /** Proves the credential of an Authorization header. */
  async prove(header: string | undefined): Promise<Proof> {
    if (header === undefined) return unproven("no_credential", "expected Authorization: Bearer and a credential");
    const bearer = header.startsWith("Bearer ") ? parseBearer(header.slice("Bearer ".length)) : undefined;
    if (bearer === undefined) return unproven("malformed", "expected Authorization: Bearer and a credential");
    return bearer.kind === "session" ? this.#proveSession(bearer) : await this.#proveToken(bearer);
  }

  #proveSession({ id, secret }: Bearer): Proof {
    const session = this.sessions.find(id);
    if (session === undefined) return unproven("unknown", notCounted);
    if (!isSecretOf(secret, session.secretDigest)) return unproven("wrong_secret", notCounted);
    const { keyId, role } = session;
    if (session.expiresAt <= this.#ports.clock.now()) {
      this.sessions.close(id);
      return unproven("expired", "the session has expired; sign a new challenge", keyId);
    }
    const { trust, logSize } = this.#ports;
    const held = roleKeys(trust, role, logSize()).find(({ publicKey }) => keyIdOf(publicKey) === keyId);
    if (held === undefined) {
      this.sessions.close(id);
      return unproven("key_ended", "the key that opened the session counts no more", keyId);
    }
    if (role === "agent") return { proven: true, principal: principalOfAgentKey(held.key, keyId, id) };
    const { id: name, tenants = null } = held.key;
    const roles = new Set(sessionRoles[role]);
    return { proven: true, principal: { name, credential: keyId, roles, tenants, sessionId: id, agent: null } };
  }

  async #proveToken({ id, secret }: Bearer): Promise<Proof> {
    let record: TokenRecord | undefined;
    try {
      record = await this.#ports.findToken(id);
    } catch (error) {
      if (!isExoArmurError(error)) throw error;
      this.#ports.logger.log("error", `token ${id} could not be read`, { code: error.code, message: error.message });
      return unproven("unreadable", notCounted);
    }
    if (record === undefined) return unproven("unknown", notCounted);
    if (!isSecretOf(secret, record.secretDigest)) return unproven("wrong_secret", notCounted);
    if (record.revokedAt !== null) return unproven("revoked", "the token was revoked", id);
    if (parseTime(record.expiresAt) <= this.#ports.clock.now()) return unproven("expired", "the token has expired", id);
    return { proven: true, principal: principalOfToken(record) };
  }
}

/** A key as it counts at one origin: a page of another one, though the key is pinned to both, may not open a session here. */
function keyAt(key: EnvelopeKey, audience: string): EnvelopeKey {
  return key instanceof Uint8Array ? key : { ...key, origins: key.origins.filter((origin) => origin === audience) };
}

/** The same words for a credential that is not there and one whose secret is wrong. */
const notCounted = "the credential is none of this control plane's";

function isSecretOf(secret: Uint8Array, digest: string): boolean {
  return equalSecrets(encodeUtf8(secretDigestOf(secret)), encodeUtf8(digest));
}

/** A credential that does not count. */
export function unproven(cause: DenialCause, message: string, credential: string | null = null): Unproven {
  return { proven: false, error: { code: "EXO_AUTHENTICATION", message }, cause, credential };
}

function readChallenge(payload: Uint8Array): Result<Challenge> {
  try {
    return ok(parseContract(challengeSchema, parseCanonical(payload), "challenge"));
  } catch (error) {
    if (isExoArmurError(error)) return { ok: false, error };
    throw error;
  }
}
