/** A number that only rises, or one that moves. `labels` are names; every value of theirs comes from a fixed set. */
type Family = {
  readonly kind: "counter" | "gauge";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Values of its one label that are there from the start, so that the first of a kind can be seen to come. */
  readonly known?: readonly string[];
};

/** Everything that is told of a control plane, by name without `exoarmur_` (spec/control-plane.md, Metrics). */
export const families = {
  intents_received_total: { kind: "counter", help: "Intents recorded." },
  intents_ended_total: {
    kind: "counter",
    help: "Intents that came to an end or into doubt, by state.",
    labels: ["state"],
    known: ["completed", "failed", "denied", "in_doubt", "resolved"],
  },
  verdicts_total: {
    kind: "counter",
    help: "Resolved verdicts.",
    labels: ["verdict"],
    known: ["allow", "require_approval", "require_human", "require_quorum", "deny"],
  },
  approvals_total: {
    kind: "counter",
    help: "Approval requests made, grants and denials counted, requests expired.",
    labels: ["event"],
    known: ["requested", "granted", "denied", "expired"],
  },
  executions_total: {
    kind: "counter",
    help: "Runs that ended, by status of the execution record.",
    labels: ["status"],
    known: ["completed"],
  },
  fuel_used_total: { kind: "counter", help: "Fuel that ended runs used." },
  host_calls_total: { kind: "counter", help: "Host calls that ended runs made." },
  events_total: { kind: "counter", help: "Events recorded since the control plane was opened.", labels: ["type"] },
  http_requests_total: { kind: "counter", help: "Requests answered.", labels: ["route", "status"] },
  rate_limited_total: {
    kind: "counter",
    help: "Requests refused with 429, by what the limit went by.",
    labels: ["by"],
    known: ["session", "token", "address"],
  },
  access_denied_total: { kind: "counter", help: "Requests denied, by code and cause.", labels: ["code", "cause"] },
  intents_open: {
    kind: "gauge",
    help: "Intents that have not ended: pending wait for approval, started run, in_doubt wait for an operator.",
    labels: ["state"],
    known: ["pending", "started", "in_doubt"],
  },
  kill_switch_global: { kind: "gauge", help: "1 while the global kill switch is on, or there is none." },
  kill_switch_tenants: { kind: "gauge", help: "Tenants whose kill switch is on." },
  kill_file: { kind: "gauge", help: "1 while the KILL file of the home stands." },
  log_size: { kind: "gauge", help: "Leaves of the log." },
  checkpoint_age_seconds: { kind: "gauge", help: "Age of the newest checkpoint, by the time of its last event." },
  live_streams: { kind: "gauge", help: "Live streams open." },
  sessions_open: { kind: "gauge", help: "Sessions of operators open." },
  process_resident_memory_bytes: { kind: "gauge", help: "Resident memory of the process." },
  process_heap_bytes: { kind: "gauge", help: "Heap in use." },
  process_cpu_seconds_total: { kind: "counter", help: "Processor time of the process." },
  process_start_time_seconds: { kind: "gauge", help: "When the control plane was opened, since the Unix epoch." },
  event_loop_delay_seconds: {
    kind: "gauge",
    help: "Delay of the event loop since these metrics were last asked for.",
    labels: ["at"],
  },
} as const satisfies Readonly<Record<string, Family>>;

/** Name of a family. */
export type FamilyName = keyof typeof families;

/** Values of one family: those of its labels, in their order, and the number. */
export type Sample = readonly [labels: readonly string[], value: number];

/** Samples by family. */
export type Samples = Readonly<Partial<Record<FamilyName, readonly Sample[]>>>;

const durationName = "exoarmur_http_request_duration_seconds";
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

type Histogram = { readonly counts: number[]; sum: number; count: number };

/** Counts what happens, and writes it with what is looked up as Prometheus's text format 0.0.4. */
export class Metrics {
  readonly #counts = new Map<FamilyName, Map<string, { readonly labels: readonly string[]; value: number }>>();
  readonly #durations = new Map<string, Histogram>();

  constructor() {
    for (const [name, { kind, labels, known }] of Object.entries(families) as [FamilyName, Family][]) {
      if (kind !== "counter") continue;
      if (labels === undefined && !name.startsWith("process_")) this.add(name, [], 0);
      for (const value of known ?? []) this.add(name, [value], 0);
    }
  }

  /** Adds to a counter, under the values of its labels in their order. */
  add(name: FamilyName, labels: readonly string[] = [], by = 1): void {
    const samples = this.#counts.get(name) ?? new Map<string, { labels: readonly string[]; value: number }>();
    this.#counts.set(name, samples);
    const key = labels.join("\n");
    const sample = samples.get(key) ?? { labels, value: 0 };
    sample.value += by;
    samples.set(key, sample);
  }

  /** Counts how long a request took, in seconds. */
  observe(route: string, seconds: number): void {
    const histogram = this.#durations.get(route) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 };
    this.#durations.set(route, histogram);
    histogram.sum += seconds;
    histogram.count += 1;
    const at = bounds.findIndex((bound) => seconds <= bound);
    if (at >= 0) histogram.counts[at] = (histogram.counts[at] ?? 0) + 1;
  }

  /** All families: those that are counted here, and `looked` up by the caller. */
  text(looked: Samples): string {
    const lines: string[] = [];
    for (const [name, { kind, help, labels = [] }] of Object.entries(families) as [FamilyName, Family][]) {
      const counted = [...(this.#counts.get(name)?.values() ?? [])].map((sample) => [sample.labels, sample.value]);
      const samples = [...counted, ...(looked[name] ?? [])] as Sample[];
      if (samples.length === 0) continue;
      lines.push(`# HELP exoarmur_${name} ${help}`, `# TYPE exoarmur_${name} ${kind}`);
      for (const [values, value] of samples) lines.push(`exoarmur_${name}${labelsOf(labels, values)} ${value}`);
    }
    return `${[...lines, ...this.#durationLines()].join("\n")}\n`;
  }

  #durationLines(): string[] {
    if (this.#durations.size === 0) return [];
    const lines = [`# HELP ${durationName} Time to the answer's head.`, `# TYPE ${durationName} histogram`];
    for (const [route, { counts, sum, count }] of this.#durations) {
      let below = 0;
      for (const [at, bound] of bounds.entries()) {
        below += counts[at] ?? 0;
        lines.push(`${durationName}_bucket${labelsOf(["route", "le"], [route, String(bound)])} ${below}`);
      }
      lines.push(`${durationName}_bucket${labelsOf(["route", "le"], [route, "+Inf"])} ${count}`);
      lines.push(`${durationName}_sum${labelsOf(["route"], [route])} ${sum}`);
      lines.push(`${durationName}_count${labelsOf(["route"], [route])} ${count}`);
    }
    return lines;
  }
}

function labelsOf(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  const quoted = (value: string): string =>
    value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${names.map((name, at) => `${name}="${quoted(values[at] ?? "")}"`).join(",")}}`;
}
