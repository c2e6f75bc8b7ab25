/** What the queue needs to know of a job. */
export type QueueEntry = {
  /** Whose job it is. */
  readonly tenant: string;
  /** Digest of its module. */
  readonly plugin: string;
  /** Bytes that are held while it waits. */
  readonly bytes: number;
};

/** Bounds of a {@link FairQueue}: jobs that wait, and bytes they hold. */
export type QueueBounds = { readonly jobs: number; readonly bytes: number };

type PluginLane<T> = { running: number; readonly waiting: Set<T> };
type TenantLane<T> = {
  running: number;
  waiting: number;
  bytes: number;
  readonly plugins: Map<string, PluginLane<T>>;
};

/** One tenant may hold this many times the room that is left: there is room for others however much one sends. */
const shareOfRoom = 8;

/**
 * A bounded queue that is fair twice: next is a job of the tenant that has the fewest running, and among its jobs one
 * of the plugin that has the fewest running; the one served longest ago goes first where counts are equal. Jobs of one
 * tenant and plugin keep their order. (spec/sandbox.md, Isolation)
 */
export class FairQueue<T extends QueueEntry> {
  readonly #bounds: QueueBounds;
  /** In the order in which they were served last; a lane lives while it has jobs. */
  readonly #tenants = new Map<string, TenantLane<T>>();
  #jobs = 0;
  #bytes = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  /** Jobs that wait. */
  get jobs(): number {
    return this.#jobs;
  }

  /** Why there is no room for a job, in words; undefined when there is. */
  refusal({ tenant, bytes }: QueueEntry): string | undefined {
    const room = { jobs: this.#bounds.jobs - this.#jobs, bytes: this.#bounds.bytes - this.#bytes };
    const wait = `${this.#jobs} of ${this.#bounds.jobs} jobs wait with ${this.#bytes} of ${this.#bounds.bytes} bytes of input`;
    if (room.jobs < 1 || room.bytes < bytes) {
      return `the sandbox queue has no room for a job of ${bytes} bytes: ${wait}`;
    }
    const lane = this.#tenants.get(tenant);
    if (lane === undefined || (lane.waiting < shareOfRoom * room.jobs && lane.bytes < shareOfRoom * room.bytes)) {
      return undefined;
    }
    return `tenant ${tenant} has its share of the sandbox queue, ${lane.waiting} jobs with ${lane.bytes} bytes: ${wait}`;
  }

  /** Adds a job. The caller has asked {@link refusal}. */
  push(entry: T): void {
    const tenant = this.#tenant(entry);
    plugin(tenant, entry).waiting.add(entry);
    this.#count(tenant, entry, 1);
  }

  /** Takes the next job out and counts it as running; undefined when none waits. */
  next(): T | undefined {
    const tenant = fewestRunning(this.#tenants, (lane) => lane.waiting);
    const lane = tenant && fewestRunning(tenant.plugins, ({ waiting }) => waiting.size);
    const [entry] = lane?.waiting ?? [];
    if (tenant === undefined || lane === undefined || entry === undefined) {
      return undefined;
    }
    lane.waiting.delete(entry);
    this.#count(tenant, entry, -1);
    this.begin(entry);
    return entry;
  }

  /** Counts a job as running, and its lanes as served. {@link next} has done so for what it returns. */
  begin(entry: QueueEntry): void {
    const tenant = this.#tenant(entry);
    const lane = plugin(tenant, entry);
    tenant.running++;
    lane.running++;
    moveToEnd(this.#tenants, entry.tenant, tenant);
    moveToEnd(tenant.plugins, entry.plugin, lane);
  }

  /** Counts a running job as ended. */
  end(entry: QueueEntry): void {
    const tenant = this.#tenant(entry);
    const lane = plugin(tenant, entry);
    tenant.running--;
    lane.running--;
    if (lane.running === 0 && lane.waiting.size === 0) {
      tenant.plugins.delete(entry.plugin);
    }
    if (tenant.plugins.size === 0) {
      this.#tenants.delete(entry.tenant);
    }
  }

  #tenant({ tenant }: QueueEntry): TenantLane<T> {
    const found = this.#tenants.get(tenant) ?? { running: 0, waiting: 0, bytes: 0, plugins: new Map() };
    this.#tenants.set(tenant, found);
    return found;
  }

  #count(tenant: TenantLane<T>, { bytes }: QueueEntry, sign: 1 | -1): void {
    this.#jobs += sign;
    this.#bytes += sign * bytes;
    tenant.waiting += sign;
    tenant.bytes += sign * bytes;
  }
}

function plugin<T>({ plugins }: TenantLane<T>, { plugin: digest }: QueueEntry): PluginLane<T> {
  const found = plugins.get(digest) ?? { running: 0, waiting: new Set<T>() };
  plugins.set(digest, found);
  return found;
}

function fewestRunning<L extends { readonly running: number }>(
  lanes: ReadonlyMap<string, L>,
  waitingOf: (lane: L) => number,
): L | undefined {
  let best: L | undefined;
  for (const lane of lanes.values()) {
    if (waitingOf(lane) > 0 && (best === undefined || lane.running < best.running)) {
      best = lane;
    }
  }
  return best;
}

function moveToEnd<L>(lanes: Map<string, L>, key: string, lane: L): void {
  lanes.delete(key);
  lanes.set(key, lane);
}
