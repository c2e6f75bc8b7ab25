import type { TokenRecord } from "../contracts/access.js";
import type { Trust } from "../contracts/trust.js";
import type { Ledger } from "../log/ledger-types.js";
import type { ProxyPipeline } from "../pipeline/proxy-pipeline.js";
import type { Clock, Entropy, IdSource, Logger, StoreReader } from "../ports.js";
import { Authenticator } from "./authenticator.js";
import type { Rate } from "./buckets.js";
import type { ConsolePage } from "./console-page.js";
import { Cursors } from "./cursors.js";
import { DenialLog } from "./denials.js";
import { Feed } from "./feed.js";
import { IntentIndex } from "./intent-index.js";
import { type LiveLimits, LiveStreams } from "./live.js";
import { Metrics } from "./metrics.js";
import { countEvents, Gauges } from "./metrics-follow.js";
import { PolicyTrials } from "./policy-trials.js";

/** Bounds of the control plane (spec/control-plane.md, Limits). Times in milliseconds. */
export type ControlLimits = {
  readonly challengeMs: number;
  readonly sessionMs: number;
  readonly sessionsPerKey: number;
  /** Requests of one key or token. */
  readonly principal: Rate;
  /** Requests of one address on routes that are open, and apart from them those whose credential does not count. */
  readonly address: Rate;
  /** Requests of one key or token that are under way at once, long polls included. */
  readonly inFlight: number;
  /** Most documents that one page of a list looks at. */
  readonly scan: number;
  /** Positions of the log that one page of events looks at; an event that is read counts for ten. */
  readonly scanEvents: number;
  /** Intents that are searched in memory; older ones are looked for in the store. */
  readonly indexed: number;
  /** How long an answer is waited for when the request does not say. */
  readonly waitMs: number;
  readonly denialWindowMs: number;
  readonly live: LiveLimits;
};

/** The bounds that `serve` has. */
export const defaultLimits: ControlLimits = {
  challengeMs: 60_000,
  sessionMs: 900_000,
  sessionsPerKey: 8,
  principal: { burst: 200, perSecond: 50 },
  address: { burst: 30, perSecond: 1 },
  inFlight: 64,
  scan: 500,
  scanEvents: 20_000,
  indexed: 100_000,
  waitMs: 10_000,
  denialWindowMs: 60_000,
  live: { streams: 8, replay: 10_000, beatMs: 15_000, proveMs: 1000 },
};

/** What a control plane is made of. */
export type ControlPorts = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly pipeline: ProxyPipeline;
  readonly ledger: Ledger;
  readonly store: StoreReader;
  readonly trust: Trust;
  readonly cellId: string;
  /** Whose chain the system's events are in. */
  readonly defaultTenant: string;
  /** True while the home's KILL file exists. */
  readonly killed: () => boolean;
  readonly findToken: (tokenId: string) => Promise<TokenRecord | undefined>;
  readonly limits: ControlLimits;
  /** The console that is served at `/`; null serves none. */
  readonly page: ConsolePage | null;
};

/** What handlers work with. */
export type Desk = ControlPorts & {
  readonly auth: Authenticator;
  readonly cursors: Cursors;
  readonly denials: DenialLog;
  readonly feed: Feed;
  readonly live: LiveStreams;
  readonly metrics: Metrics;
  readonly gauges: Gauges;
  readonly intents: IntentIndex;
  /** When it was opened, in milliseconds. */
  readonly openedAt: number;
  readonly trials: PolicyTrials;
  /** Aborts when the control plane closes: long polls then answer what there is. */
  readonly closing: AbortSignal;
};

/** Puts the parts of a control plane together. */
export function openDesk(ports: ControlPorts, closing: AbortSignal): Desk {
  const { clock, entropy, ids, logger, trust, cellId, ledger, store, pipeline, findToken, limits } = ports;
  const feed = new Feed({ store, ledger, logger });
  const metrics = new Metrics();
  countEvents(feed, metrics);
  return {
    ...ports,
    auth: new Authenticator({
      clock,
      entropy,
      ids,
      logger,
      trust,
      cellId,
      findToken,
      limits,
      logSize: () => ledger.size,
    }),
    cursors: new Cursors(entropy),
    denials: new DenialLog({
      clock,
      logger,
      record: async (denied) => await pipeline.recordDeniedAccess(denied),
      windowMs: limits.denialWindowMs,
      metrics,
    }),
    feed,
    live: new LiveStreams({ feed, store, clock, logger, limits: limits.live, closing }),
    metrics,
    gauges: new Gauges(),
    intents: new IntentIndex({ store, feed, logger }, limits.indexed),
    openedAt: clock.now(),
    trials: new PolicyTrials(ports.store),
    closing,
  };
}
