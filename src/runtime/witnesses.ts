import type { WitnessConfig } from "../contracts/config.js";
import { formatNote, type NoteSignature, parseNote } from "../crypto/note.js";
import { type NoteKey, parseVkey } from "../crypto/note-key.js";
import { ExoArmurError } from "../errors.js";
import { addCheckpoint, type WitnessAnswer } from "../home/witness-client.js";
import { readCheckpoint } from "../log/checkpoint.js";
import { keepCosigned } from "../log/cosigned.js";
import type { Ledger } from "../log/ledger-types.js";
import type { Logger } from "../ports.js";

/** Sends the log's newest checkpoint to its witnesses, beside the commits (spec/log.md, Asking witnesses). */
export type Witnesses = {
  /** Asks every witness once. EXO_STORE_ROLLED_BACK, EXO_LOG_FORK when one knows a tree that the store does not have. */
  start(): Promise<void>;
  /** There is a newer durable checkpoint. */
  offer(): void;
  /** Why nothing may be signed any more, once a witness contradicted the store. */
  contradiction(): ExoArmurError | undefined;
  /** Asks for what was not cosigned yet, once, and ends. */
  close(): Promise<void>;
};

/** What the asking of witnesses needs. */
export type WitnessesOptions = {
  /** The ledger itself, not a view that offers: what is kept here is no news for witnesses. */
  readonly ledger: Ledger;
  readonly witnesses: readonly WitnessConfig[];
  /** Cosignatures without which a checkpoint is not kept, from 1. */
  readonly quorum: number;
  readonly logger: Logger;
  /** Milliseconds between two rounds and, doubled with each failure up to five minutes, before a failed try again. */
  readonly intervalMs?: number;
};

type Member = {
  readonly name: string;
  readonly url: string;
  readonly key: NoteKey;
  readonly timeoutMs: number;
  /** Size of the tree it cosigned last, as far as is known. */
  known: number;
  failures: number;
  resting: boolean;
};

/** A checkpoint, and who cosigned it. */
type Round = { readonly checkpoint: string; readonly lines: Map<Member, NoteSignature> };

const maxRestMs = 300_000;
/** Requests of one try: one to learn what the witness knows, one from there, one if that moved meanwhile. */
const maxRequests = 3;

/** Nothing is sent before `start` or `offer`. One round at a time, so at most one request to each witness. */
export function createWitnesses(options: WitnessesOptions): Witnesses {
  const { ledger, quorum, logger, intervalMs = 1000 } = options;
  const members = options.witnesses.map(memberOf);
  let halted: ExoArmurError | undefined;
  let current: Round = { checkpoint: "", lines: new Map() };
  let timer: NodeJS.Timeout | undefined;
  let rounds: Promise<void> = Promise.resolve();
  let closed = false;

  const schedule = (ms: number): void => {
    if (closed || halted !== undefined || members.length === 0) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void run();
    }, ms).unref();
  };
  const rest = (member: Member, why: string): void => {
    logger.log("warn", `witness ${member.name} did not cosign: ${why}`);
    const ms = Math.min(intervalMs * 2 ** member.failures, maxRestMs);
    member.failures += 1;
    member.resting = true;
    setTimeout(() => {
      member.resting = false;
      schedule(0);
    }, ms).unref();
  };
  const halt = (error: ExoArmurError): void => {
    halted ??= error;
    logger.log("error", error.message, { code: error.code });
  };
  const ask = async (member: Member, { checkpoint, lines }: Round): Promise<void> => {
    const asking = await askMember(member, ledger, checkpoint);
    if (asking instanceof ExoArmurError) return halt(asking);
    if (asking.kind !== "cosigned") return rest(member, asking.kind === "failed" ? asking.why : asking.kind);
    member.failures = 0;
    lines.set(member, asking.line);
    if (lines.size < quorum) return;
    const { text, signatures } = parseNote(checkpoint);
    const note = formatNote(text, [...signatures, ...lines.values()]);
    try {
      await ledger.transact((tx) => keepCosigned(tx, note));
    } catch (error) {
      logger.log("error", "a cosigned checkpoint could not be kept", { error: String(error) });
    }
  };
  const step = async (): Promise<void> => {
    if (halted !== undefined) return;
    const checkpoint = ledger.checkpoint();
    if (checkpoint !== current.checkpoint) current = { checkpoint, lines: new Map() };
    const round = current;
    const due = members.filter((member) => !member.resting && !round.lines.has(member));
    await Promise.all(due.map((member) => ask(member, round)));
  };
  const run = (): Promise<void> => {
    rounds = rounds.then(step);
    return rounds;
  };

  return {
    start: async () => {
      await run();
      if (halted !== undefined) throw halted;
    },
    offer: () => schedule(intervalMs),
    contradiction: () => halted,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await run();
    },
  };
}

function memberOf({ name, vkey, url, timeoutMs = 5000 }: WitnessConfig): Member {
  const key = parseVkey(vkey);
  return { name: name ?? key.name, url, key, timeoutMs, known: 0, failures: 0, resting: false };
}

/** Leads one witness to a checkpoint, within its time; the error when it knows a tree that the log is not a growth of. */
async function askMember(member: Member, ledger: Ledger, checkpoint: string): Promise<WitnessAnswer | ExoArmurError> {
  const { size } = readCheckpoint(checkpoint);
  const signal = AbortSignal.timeout(member.timeoutMs);
  for (let request = 0; request < maxRequests; request += 1) {
    const old = member.known;
    const proof = old === 0 || old === size ? [] : ledger.consistency(old, size);
    const answer = await addCheckpoint({ url: member.url, key: member.key, old, proof, checkpoint, signal });
    if (answer.kind === "cosigned") member.known = size;
    if (answer.kind === "unproven" && old > 0 && old < size) return forked(member, old);
    if (answer.kind !== "conflict") return answer;
    if (answer.size > ledger.size) return rolledBack(member, ledger.size, answer.size);
    // Told what it knows, it still objects: it knows another root.
    if (answer.size === old && old === size) return forked(member, size);
    if (answer.size === old || answer.size > size)
      return { kind: "failed", why: `it answers that it knows ${answer.size}` };
    member.known = answer.size;
  }
  return { kind: "failed", why: "what it knows changes with every request" };
}

function rolledBack({ name, url }: Member, size: number, known: number): ExoArmurError {
  return new ExoArmurError(
    "EXO_STORE_ROLLED_BACK",
    `the store has ${size} log entries, the witness ${name} (${url}) knows ${known}: it was rolled back to an older copy`,
  );
}

function forked({ name, url }: Member, known: number): ExoArmurError {
  return new ExoArmurError(
    "EXO_LOG_FORK",
    `the witness ${name} (${url}) knows another tree of ${known} entries than the store's log`,
  );
}
