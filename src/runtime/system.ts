import { ulidSource } from "../canonical/ids.js";
import { systemEntropy } from "../crypto/random.js";
import type { AddressResolver, Clock, Entropy, IdSource, Logger } from "../ports.js";
import type { FlagEnvironment } from "./features.js";

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
  /** Finds the addresses of hosts, instead of the DNS that `http` of the configuration names. */
  readonly resolver?: AddressResolver;
  /** Where feature flags are looked for; default the environment of the process. */
  readonly env?: FlagEnvironment;
};

/** The ports of the outside world, complete. */
export type World = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly resolver: AddressResolver | undefined;
};

/** Fills in the machine's own clock, entropy and ids, and a silent logger. */
export function worldOf(ports: WorldPorts): World {
  const clock = ports.clock ?? systemClock;
  const entropy = ports.entropy ?? systemEntropy;
  const { ids = ulidSource(clock, entropy), logger = silentLogger, resolver } = ports;
  return { clock, entropy, ids, logger, resolver };
}
