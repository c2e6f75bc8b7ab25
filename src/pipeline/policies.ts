import type { Digest } from "../canonical/digest.js";
import type { Envelope } from "../contracts/dsse.js";
import type { LedgerTx } from "../log/ledger-types.js";
import { type Activation, activatePolicy, activateProposal } from "./activation.js";
import { type ActivePolicy, type Proposal, readState } from "./documents.js";
import type { PolicyInForce } from "./judge.js";
import { propose, withdraw } from "./proposals.js";
import { readEnvelope } from "./snapshot.js";
import { stateKeys } from "./store-keys.js";
import type { PipelinePorts } from "./types.js";

/**
 * The policy in force and those that are proposed. What is in force is read inside the transaction that judges, so that an
 * intent is judged by the policy before a change or by the one after it, and never by one that the store does not name.
 */
export class Policies {
  readonly #ports: PipelinePorts;
  /** Compiled policies: the one in force, and while it is being committed the one that follows. */
  #compiled: readonly PolicyInForce[] = [];

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
  }

  /**
   * The policy in force as a transaction sees it, or null before the first. Where the store names one that this process
   * did not activate, it is the last that it did: the safety gate then denies (`policy-unverified`).
   */
  inForce(tx: LedgerTx): PolicyInForce | null {
    const active = readState<ActivePolicy>(tx, stateKeys.policy);
    const found = this.#compiled.find(({ envelope }) => envelope.digest === active?.envelopeDigest);
    return found ?? this.#compiled[0] ?? null;
  }

  /** Puts a signed policy in force; see activatePolicy. */
  async activate(envelope: Envelope, file?: Digest): Promise<void> {
    const signed = readEnvelope(envelope, "signed policy");
    await this.#change(async (tx) => {
      const inForce = await activatePolicy(tx, signed, this.#ports, file);
      return { value: undefined, inForce };
    });
  }

  /** Puts a proposed policy in force as a signed order says; see activateProposal. */
  async activateProposal(envelope: Envelope): Promise<Activation> {
    const signed = readEnvelope(envelope, "order to activate a policy");
    return await this.#change(async (tx) => {
      const value = await activateProposal(tx, signed, this.#ports);
      return { value, inForce: value.inForce };
    });
  }

  /** Keeps a signed policy as a proposal; see propose. */
  async propose(envelope: Envelope): Promise<{ readonly proposal: Proposal; readonly added: boolean }> {
    const signed = readEnvelope(envelope, "proposed policy");
    return await this.#ports.ledger.transact((tx) => propose(tx, signed, this.#ports));
  }

  /** Takes a proposal back; see withdraw. */
  async withdraw(digest: Digest, credential: string): Promise<void> {
    await this.#ports.ledger.transact((tx) => withdraw(tx, digest, credential, this.#ports));
  }

  /** Makes a change under which both policies are at hand until it is known which one the store names. */
  async #change<T>(work: (tx: LedgerTx) => Promise<{ value: T; inForce: PolicyInForce | null }>): Promise<T> {
    try {
      return await this.#ports.ledger.transact(async (tx) => {
        const { value, inForce } = await work(tx);
        if (inForce !== null) this.#compiled = [...this.#compiled, inForce];
        return value;
      });
    } finally {
      const active = readState<ActivePolicy>(this.#ports.store, stateKeys.policy);
      const named = this.#compiled.filter(({ envelope }) => envelope.digest === active?.envelopeDigest);
      if (named.length > 0) this.#compiled = named.slice(-1);
    }
  }
}
