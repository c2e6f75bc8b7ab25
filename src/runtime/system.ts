import { ulidSource } from "../canonical/ids.js";
import { systemEntropy } from "../crypto/random.js";
import type { Clock, Entropy, IdSource, Logger } from "../ports.js";

/** The machine's wall clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** A logger that says nothing: the default of the library. */
const silentLogger: Logger = { log: () => undefined };

/** Ports a caller may replace; whatever is left out is the machine's. */
export type WorldPorts = {
  readonly clock?: Clock;
  readonly ids?: IdSource;
  readonly entropy?: Entropy;
  readonly logger?: Logger;
};

/** The ports of the outside world, complete. */
export type World = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
};

/** Fills in the machine's own clock, entropy and ids, and a silent logger. */
export function worldOf(ports: WorldPorts): World {
  const clock = ports.clock ?? systemClock;
  const entropy = ports.entropy ?? systemEntropy;
  return { clock, entropy, ids: ports.ids ?? ulidSource(clock, entropy), logger: ports.logger ?? silentLogger };
}
