import { ExoArmurError } from "../../src/errors.js";
import type { Signer } from "../../src/ports.js";

/** A signer as one in another process is: it answers in a later turn, and fails when it is told to. */
export class RemoteSigner implements Signer {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly #inner: Signer;
  /** How many of the next signatures fail. */
  failing = 0;
  /** How many succeed before those. */
  sparing = 0;
  /** Signatures that were given out. */
  given = 0;
  /** Turns of the event loop until an answer. */
  turns = 1;

  constructor(inner: Signer) {
    this.#inner = inner;
    this.keyId = inner.keyId;
    this.publicKey = inner.publicKey;
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    const asked = message.slice();
    for (let turn = 0; turn < this.turns; turn++) await new Promise(setImmediate);
    if (this.sparing > 0) this.sparing--;
    else if (this.failing > 0) {
      this.failing--;
      throw new ExoArmurError("EXO_SIGNER", "the signer of the role test ended (SIGKILL)");
    }
    this.given++;
    return await this.#inner.sign(asked);
  }
}
