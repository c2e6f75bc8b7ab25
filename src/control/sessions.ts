import { formatTime } from "../canonical/time.js";
import { formatBearer, type SessionRole, secretDigestOf } from "../contracts/access.js";
import type { Clock, Entropy, IdSource } from "../ports.js";

/** An open session. Kept in memory alone: it ends with the process. Times in milliseconds. */
export type Session = {
  readonly sessionId: string;
  readonly keyId: string;
  readonly role: SessionRole;
  /** The operator's id. */
  readonly id: string;
  readonly secretDigest: string;
  readonly openedAt: number;
  readonly expiresAt: number;
};

/** What sessions are made with. */
export type SessionPorts = {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly ids: IdSource;
  /** How long one lasts, in milliseconds; it is not prolonged. */
  readonly lifeMs: number;
  /** Most sessions of one key; the oldest gives way. */
  readonly perKey: number;
};

/** The open sessions. */
export class Sessions {
  readonly #ports: SessionPorts;
  /** Oldest first. */
  readonly #open = new Map<string, Session>();

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** Opens a session; the text is what its holder sends, and is kept nowhere. */
  open(holder: Pick<Session, "keyId" | "role" | "id">): { readonly text: string; readonly session: Session } {
    const { clock, entropy, ids, lifeMs, perKey } = this.#ports;
    const now = clock.now();
    this.#sweep(now);
    const same = [...this.#open.values()].filter(({ keyId }) => keyId === holder.keyId);
    for (const old of same.slice(0, Math.max(0, same.length - perKey + 1))) this.#open.delete(old.sessionId);
    const secret = entropy.bytes(32);
    const sessionId = ids.next();
    const { keyId, role, id } = holder;
    const secretDigest = secretDigestOf(secret);
    const session = { sessionId, keyId, role, id, secretDigest, openedAt: now, expiresAt: now + lifeMs };
    this.#open.set(sessionId, session);
    return { text: formatBearer({ kind: "session", id: sessionId, secret }), session };
  }

  /** A session that has not been closed; it may have expired. */
  find(sessionId: string): Session | undefined {
    return this.#open.get(sessionId);
  }

  /** Closes a session; false when there is none. */
  close(sessionId: string): boolean {
    return this.#open.delete(sessionId);
  }

  /** Those that have not expired, oldest first. */
  list(): Session[] {
    this.#sweep(this.#ports.clock.now());
    return [...this.#open.values()];
  }

  /** All last equally long, so that the oldest expire first. */
  #sweep(now: number): void {
    for (const { sessionId, expiresAt } of this.#open.values()) {
      if (expiresAt > now) break;
      this.#open.delete(sessionId);
    }
  }
}

/** A session as it is shown: without what is kept of its secret. */
export function sessionView({ sessionId, keyId, role, id, openedAt, expiresAt }: Session) {
  return { sessionId, keyId, role, id, openedAt: formatTime(openedAt), expiresAt: formatTime(expiresAt) };
}
