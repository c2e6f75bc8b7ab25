import { verifyEd25519 } from "../crypto/ed25519.js";
import { decodeBase64, equalBytes } from "../crypto/encoding.js";
import { keyIdOf } from "../crypto/key-id.js";
import { ExoArmurError } from "../errors.js";
import type { Signer } from "../ports.js";
import { SignerChild, type SignerLaunch } from "./signer-child.js";

/** How a signer program is started and what it must be. */
export type ProcessSignerOptions = SignerLaunch & {
  /** The raw public key it must have. Default: the one it announces. */
  readonly publicKey?: Uint8Array;
  /** Rest after the second failure in a row, in milliseconds; it doubles with each further one. Default 100. */
  readonly restMs?: number;
};

/** A Signer whose key another program holds. */
export type ProcessSigner = Omit<Signer, "sign"> & {
  /** The 64-byte signature, verified. EXO_SIGNER. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** Ends the program. Every later sign is refused. */
  close(): Promise<void>;
};

const longestRestMs = 10_000;

/**
 * Starts a signer program and gives a Signer over it (spec/keys.md, Signer programs). One run of the program is kept. A
 * signature is checked under the public key before it is given out. When the program ends, does not answer in time or
 * says anything else than the protocol allows, what it was asked for is refused with EXO_SIGNER, and the next call starts
 * it again: at once after one failure, after a rest that doubles up to 10 s after several in a row. It must then announce
 * the same key. Throws EXO_SIGNER when it does not start so.
 */
export async function openProcessSigner(options: ProcessSignerOptions): Promise<ProcessSigner> {
  const first = new SignerChild(options);
  let publicKey: Uint8Array;
  try {
    publicKey = requireKey(first, await first.greeting(), options.publicKey);
  } catch (error) {
    await first.end("is not used");
    throw error;
  }
  return new RestartingSigner(options, publicKey, first);
}

class RestartingSigner implements ProcessSigner {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly #options: ProcessSignerOptions;
  #child: SignerChild;
  #starting: Promise<SignerChild> | undefined;
  #failures = 0;
  /** The run whose failure was counted last. */
  #counted: SignerChild | undefined;
  #resting: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ProcessSignerOptions, publicKey: Uint8Array, child: SignerChild) {
    this.#options = options;
    this.publicKey = publicKey;
    this.keyId = keyIdOf(publicKey);
    this.#child = child;
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    // What is checked is what was sent, whatever becomes of the caller's buffer meanwhile.
    const asked = message.slice();
    const child = await this.#living();
    try {
      const answer = await child.ask(asked);
      if ("error" in answer) throw this.#refusal(`refused to sign: ${answer.error}`);
      const signature = decodeBase64(answer.signature) ?? new Uint8Array(0);
      if (!verifyEd25519(this.publicKey, asked, signature)) throw child.fail("gave a signature that does not verify");
      this.#failures = 0;
      return signature;
    } catch (error) {
      if (!child.isAlive) this.#rest(child);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#resting);
    const started = await this.#starting?.catch(() => undefined);
    await Promise.all([this.#child.end("is closed"), started?.end("is closed")]);
  }

  /** The program that runs, or a new run of it. */
  async #living(): Promise<SignerChild> {
    if (this.#closed) throw this.#refusal("is closed");
    if (this.#starting === undefined && this.#child.isAlive) return this.#child;
    if (this.#resting !== undefined) throw this.#refusal("failed and is started again after a rest");
    this.#starting ??= this.#restart().finally(() => {
      this.#starting = undefined;
    });
    return await this.#starting;
  }

  async #restart(): Promise<SignerChild> {
    await this.#child.end("ended");
    const child = new SignerChild(this.#options);
    this.#child = child;
    try {
      requireKey(child, await child.greeting(), this.publicKey);
      if (this.#closed) throw child.fail("is closed");
      return child;
    } catch (error) {
      this.#rest(child);
      throw error;
    }
  }

  /** Counts the failure of a run once. Runs that fail again and again are started less and less often. */
  #rest(child: SignerChild): void {
    if (child !== this.#child || this.#closed || this.#counted === child) return;
    this.#counted = child;
    this.#failures++;
    if (this.#failures < 2) return;
    const ms = Math.min(longestRestMs, (this.#options.restMs ?? 100) * 2 ** Math.min(this.#failures - 2, 20));
    this.#resting = setTimeout(() => {
      this.#resting = undefined;
    }, ms).unref();
  }

  #refusal(why: string): ExoArmurError {
    return new ExoArmurError("EXO_SIGNER", `the signer of the role ${this.#options.role} ${why}`);
  }
}

function requireKey(child: SignerChild, publicKey: Uint8Array, expected: Uint8Array | undefined): Uint8Array {
  if (expected === undefined || equalBytes(expected, publicKey)) return publicKey;
  throw child.fail(`has another key: expected ${keyIdOf(expected)}, got ${keyIdOf(publicKey)}`);
}
