import { spaceOf } from "../capabilities/kv/places.js";
import type { Admission } from "./submit.js";

/** The right to write the keys and values of one space. Whoever holds it gives it back, however things end. */
export type Turn = { readonly space: string; release(): void };

/** Thrown inside a transaction whose run needs a turn that is not free, so that nothing of the transaction is left. */
class TurnTaken extends Error {
  readonly space: string;

  constructor(space: string) {
    super("another run holds the turn");
    this.space = space;
  }
}

/**
 * Turns of the runs that may write keys (spec/pipeline.md, Turns): one run at a time for each (tenant, executor), first
 * come first served. A turn is taken by the transaction that records the start and given back when the outcome is
 * recorded. Where it is not free the transaction is given up and made again when the turn has come: nothing is recorded
 * of an intent that waits, and everything is judged when it starts.
 */
export class Turns {
  /** Held spaces, and who waits for each. */
  readonly #waiting = new Map<string, ((turn: Turn) => void)[]>();

  /**
   * Makes a transaction until the run it starts, if it starts one, has its turn. Inside the transaction `keep` is handed
   * the admission. An aborted signal ends the wait, and the last attempt goes without a turn: it must not start.
   */
  async admitInTurn<T>(
    attempt: (keep: (admission: Admission) => void) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<{ readonly value: T; readonly turn: Turn | null }> {
    const held: { turn: Turn | null } = { turn: null };
    for (;;) {
      try {
        const value = await attempt((admission) => {
          held.turn = this.#turnFor(writeSpaceOf(admission), held.turn);
        });
        return { value, turn: held.turn };
      } catch (error) {
        held.turn?.release();
        held.turn = null;
        if (!(error instanceof TurnTaken)) throw error;
        held.turn = await this.#take(error.space, signal);
      }
    }
  }

  #turnFor(space: string | null, turn: Turn | null): Turn | null {
    if (turn?.space === space) return turn;
    turn?.release();
    if (space === null) return null;
    if (this.#waiting.has(space)) throw new TurnTaken(space);
    this.#waiting.set(space, []);
    return this.#turn(space);
  }

  /** Waits for a turn; null when the signal aborts before it came. */
  #take(space: string, signal: AbortSignal | undefined): Promise<Turn | null> {
    const queue = this.#waiting.get(space);
    if (queue === undefined) {
      this.#waiting.set(space, []);
      return Promise.resolve(this.#turn(space));
    }
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve(null);
      const abort = (): void => {
        queue.splice(queue.indexOf(wake), 1);
        resolve(null);
      };
      const wake = (turn: Turn): void => {
        signal?.removeEventListener("abort", abort);
        resolve(turn);
      };
      queue.push(wake);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #turn(space: string): Turn {
    let released = false;
    return {
      space,
      release: () => {
        if (released) return;
        released = true;
        const next = this.#waiting.get(space)?.shift();
        if (next === undefined) this.#waiting.delete(space);
        else next(this.#turn(space));
      },
    };
  }
}

/** The space whose turn an admission needs: that of a run which starts and may write keys. */
function writeSpaceOf(admission: Admission): string | null {
  if (admission.kind !== "started") return null;
  const { tenantId, executor, head } = admission.start.keys;
  return head === null ? null : spaceOf(tenantId, executor);
}
