/** One metric family of Prometheus's text format: its type, and its samples by name and labels as written. */
export type Exposed = { readonly type: string; readonly samples: Map<string, number> };

const namePart = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const labelPart = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const helpLine = new RegExp(`^# HELP (${namePart}) (.+)$`);
const typeLine = new RegExp(`^# TYPE (${namePart}) (counter|gauge|histogram)$`);
const sampleLine = new RegExp(`^(${namePart})(\\{${labelPart}(?:,${labelPart})*\\})? (-?[0-9.]+(?:e[+-][0-9]+)?)$`);

/**
 * Reads the text format 0.0.4 more strictly than Prometheus does: every family once, with its HELP and TYPE in front and
 * all its samples behind, none twice, counters that end in _total and are not negative, histograms whose buckets rise to
 * the count. Throws for anything else.
 */
export function readExposition(text: string): Map<string, Exposed> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, Exposed>();
  let described = "";
  let [name, family]: [string, Exposed | undefined] = ["", undefined];
  for (const line of text.slice(0, -1).split("\n")) {
    const [, helped] = helpLine.exec(line) ?? [];
    const [, typed, type] = typeLine.exec(line) ?? [];
    const [, sampled, labels = "", value] = sampleLine.exec(line) ?? [];
    if (helped !== undefined) described = helped;
    else if (typed !== undefined && type !== undefined) {
      if (typed !== described || families.has(typed)) throw new Error(`TYPE out of place: ${line}`);
      [name, family] = [typed, { type, samples: new Map() }];
      families.set(name, family);
    } else if (sampled !== undefined && family !== undefined) {
      const suffix = family.type === "histogram" ? "(_bucket|_sum|_count)" : "";
      if (!new RegExp(`^${name}${suffix}$`).test(sampled)) throw new Error(`a sample out of place: ${line}`);
      if (family.samples.has(sampled + labels)) throw new Error(`a sample comes twice: ${line}`);
      family.samples.set(sampled + labels, Number(value));
    } else throw new Error(`no line of the format: ${JSON.stringify(line)}`);
  }
  for (const [of, exposed] of families) checkFamily(of, exposed);
  return families;
}

function checkFamily(name: string, { type, samples }: Exposed): void {
  if (samples.size === 0) throw new Error(`${name} has no samples`);
  if ((type === "counter") !== name.endsWith("_total")) throw new Error(`${name} is a ${type}`);
  if (type !== "gauge" && [...samples.values()].some((value) => !(value >= 0))) throw new Error(`${name} is negative`);
  if (type === "histogram") checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: ReadonlyMap<string, number>): void {
  const last = new Map<string, number>();
  for (const [key, value] of samples) {
    const [, labels = "", le] = /_bucket\{(.*),le="([^"]*)"\}$/.exec(key) ?? [];
    if (le === undefined) continue;
    if (value < (last.get(labels) ?? 0)) throw new Error(`${key} falls`);
    last.set(labels, value);
    if (le === "+Inf" && value !== samples.get(`${name}_count{${labels}}`)) throw new Error(`${key} is not the count`);
  }
}
