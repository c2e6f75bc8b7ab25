import { ulidSource } from "../canonical/ids.js";
import { systemEntropy } from "../crypto/random.js";
import type { AddressResolver, Clock, Entropy, IdSource, Logger, Notifier } from "../ports.js";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

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
  /** Takes notices to people (spec/notifications.md), instead of the one that `notify` of config.json names. Default: none. */
  readonly notifier?: Notifier;
  /**
   * Environment variables: feature flags, the secrets of a home that are kept there, and the passphrase of its vault.
   * Default the environment of the process.
   */
  readonly env?: Environment;
};

/** The ports of the outside world, complete. */
export type World = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly resolver: AddressResolver | undefined;
  readonly notifier: Notifier | undefined;
  readonly env: Environment;
};

/** Fills in the machine's own clock, entropy, ids and environment, and a silent logger. */
export function worldOf(ports: WorldPorts): World {
  const clock = ports.clock ?? systemClock;
  const entropy = ports.entropy ?? systemEntropy;
  const { ids = ulidSource(clock, entropy), logger = silentLogger, resolver, notifier, env = process.env } = ports;
  return { clock, entropy, ids, logger, resolver, notifier, env };
}
