import { formatTime } from "../../canonical/time.js";
import { formatCount } from "../../replay/story/format.js";
import { type Bucket, bucketsOf, type Span, scaleOf, type VerdictKind, verdictKinds } from "./chart-buckets.js";

/** Words for each kind, as the legend has them. */
const kindWords: Readonly<Record<VerdictKind, string>> = {
  allowed: "allowed",
  asked: "waited for a person",
  denied: "denied",
};

/** Share of its place that a bar takes. */
const barWidth = 0.72;

type ChartProps = {
  readonly intents: Parameters<typeof bucketsOf>[0];
  /** Ids of the intents for which people were asked. */
  readonly asked: ReadonlySet<string>;
  readonly span: Span;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** What the chart lacks, in words; null when nothing. */
  readonly lacks: string | null;
};

/** Verdicts over time: one bar per bucket, and the same as a table. */
export function Chart({ intents, asked, span, now, lacks }: ChartProps) {
  const buckets = bucketsOf(intents, asked, span, now);
  const total = (kind: VerdictKind): number => buckets.reduce((sum, { counts }) => sum + counts[kind], 0);
  const summary = verdictKinds.map((kind) => `${formatCount(total(kind))} ${kindWords[kind]}`).join(", ");
  return (
    <figure class="chart">
      <figcaption>
        <ul class="legend">
          {verdictKinds.map((kind) => (
            <li key={kind} class={kind}>
              {kindWords[kind]} <span class="count">{formatCount(total(kind))}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <Bars buckets={buckets} label={`Verdicts of ${span.words}: ${summary}`} />
      {lacks !== null && <p class="quiet">{lacks}</p>}
      <details>
        <summary>As a table</summary>
        <Table buckets={buckets} />
      </details>
    </figure>
  );
}

function Bars({ buckets, label }: { readonly buckets: readonly Bucket[]; readonly label: string }) {
  const scale = scaleOf(buckets);
  const first = buckets[0];
  const middle = buckets[Math.floor(buckets.length / 2)];
  return (
    <div class="plot">
      <span class="scale quiet" aria-hidden="true">
        {formatCount(scale)}
      </span>
      <svg role="img" aria-label={label} viewBox={`0 0 ${buckets.length} ${scale}`} preserveAspectRatio="none">
        {buckets.map((bucket, index) => (
          <Bar key={bucket.from} bucket={bucket} index={index} scale={scale} />
        ))}
      </svg>
      <p class="axis quiet" aria-hidden="true">
        <span>{first && shortTime(first.from)}</span>
        <span>{middle && shortTime(middle.from)}</span>
        <span>now</span>
      </p>
    </div>
  );
}

function Bar({ bucket, index, scale }: { readonly bucket: Bucket; readonly index: number; readonly scale: number }) {
  let top = scale;
  return (
    <g>
      <title>{`${shortTime(bucket.from)}: ${verdictKinds.map((kind) => `${bucket.counts[kind]} ${kindWords[kind]}`).join(", ")}`}</title>
      <rect class="place" x={index} y={0} width={1} height={scale} />
      {verdictKinds.map((kind) => {
        const count = bucket.counts[kind];
        top -= count;
        if (count === 0) return null;
        return <rect key={kind} class={kind} x={index + (1 - barWidth) / 2} y={top} width={barWidth} height={count} />;
      })}
    </g>
  );
}

function Table({ buckets }: { readonly buckets: readonly Bucket[] }) {
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">from</th>
            {verdictKinds.map((kind) => (
              <th key={kind} scope="col" class="number">
                {kindWords[kind]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {buckets.map(({ from, counts }) => (
            <tr key={from}>
              <th scope="row">{shortTime(from)}</th>
              {verdictKinds.map((kind) => (
                <td key={kind} class="number">
                  {formatCount(counts[kind])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** `01-31 09:05 UTC`. */
function shortTime(ms: number): string {
  return `${formatTime(ms).slice(5, 16).replace("T", " ")} UTC`;
}
