import { ulidSource } from "../canonical/ids.js";
import type { AddressResolver } from "../capabilities/performers/http/resolver.js";
import { systemEntropy } from "../crypto/random.js";
import type { Clock, Entropy, IdSource, Logger } from "../ports.js";
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
  /** Finds the addresses of host names for `http_request`; they are checked like any others. Default: as `http` says. */
  readonly resolve?: AddressResolver;
  /** Where feature flags are looked for; default the environment of the process. */
  readonly env?: FlagEnvironment;
};

/** The ports of the outside world, complete. */
export type World = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly resolve?: AddressResolver;
};

/** Fills in the machine's own clock, entropy and ids, and a silent logger. */
export function worldOf(ports: WorldPorts): World {
  const clock = ports.clock ?? systemClock;
  const entropy = ports.entropy ?? systemEntropy;
  const { ids = ulidSource(clock, entropy), logger = silentLogger, resolve } = ports;
  return { clock, entropy, ids, logger, ...(resolve === undefined ? {} : { resolve }) };
}
