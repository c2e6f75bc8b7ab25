import type { Divergence, ExecutionFigures } from "../contracts/replay-report.js";
import { formatCount, formatPages } from "../replay/story/format.js";
import { Hex } from "./hex.js";
import type { Findings } from "./outcome.js";

type Figure = readonly [label: string, read: (figures: ExecutionFigures) => string];

const figures: readonly Figure[] = [
  ["status", ({ status }) => status.replaceAll("_", " ")],
  ["output", ({ output }) => output ?? "none"],
  ["fuel", ({ fuel }) => formatCount(fuel)],
  ["peak of memory", ({ memoryPeakPages }) => formatPages(memoryPeakPages)],
  ["host calls", ({ hostCalls }) => formatCount(hostCalls)],
  ["error", ({ errorCode, errorMessage }) => `${errorCode ?? "none"} ${errorMessage ?? ""}`.trim()],
];

/** What was recorded beside what came of running it again, and the first difference. */
export function Comparison({ findings }: { readonly findings: Findings }) {
  const { replayed, call, broken, verified } = findings;
  if (call || verified === null) return null;
  return (
    <section aria-labelledby="again">
      <h2 id="again">Run again</h2>
      {replayed === null ? (
        <p class="quiet">
          {broken === null ? "The plugin is running in this browser." : `It was not run again: ${broken}.`}
        </p>
      ) : (
        <>
          <Table findings={findings} />
          {replayed.divergence !== null && <FirstDifference divergence={replayed.divergence} brief />}
        </>
      )}
    </section>
  );
}

function Table({ findings: { replayed } }: { readonly findings: Findings }) {
  const execution = replayed?.executions[0];
  if (execution === undefined) {
    const check = replayed?.checks.find(({ id }) => id === "re-execution");
    return <p class="quiet">{check?.message ?? "The file could not be opened, so nothing was run."}</p>;
  }
  const { recorded, replayed: again } = execution;
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <td />
            <th scope="col">recorded</th>
            <th scope="col">run again here</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {figures.map(([label, read]) => {
            const same = read(recorded) === read(again);
            return (
              <tr key={label} class={same ? "pass" : "fail"}>
                <th scope="row">{label}</th>
                <td class={label === "output" ? "digest" : ""}>{read(recorded)}</td>
                <td class={label === "output" ? "digest" : ""}>{read(again)}</td>
                <td class="state">{same ? "same" : "differs"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

type DifferenceProps = { readonly divergence: Divergence; readonly brief?: boolean };

/** A divergence: where, what was expected, what came, and unless it is to be brief the bytes on both sides. */
export function FirstDifference({ divergence, brief = false }: DifferenceProps) {
  const { step, kind, expected, actual, offset, bytes, fuelDelta } = divergence;
  return (
    <dl class="difference">
      <dt>first difference</dt>
      <dd>{step}</dd>
      <dt>kind</dt>
      <dd>{kind.replaceAll("_", " ")}</dd>
      <dt>expected</dt>
      <dd class="digest">{expected}</dd>
      <dt>came</dt>
      <dd class="digest">{actual}</dd>
      {offset !== undefined && (
        <>
          <dt>at byte</dt>
          <dd>{formatCount(offset)}</dd>
        </>
      )}
      {bytes !== undefined && !brief && (
        <>
          <dt>recorded</dt>
          <dd>
            <pre>
              <Hex bytes={decodeHex(bytes.expected)} mark={offset} from={bytes.from} />
            </pre>
          </dd>
          <dt>here</dt>
          <dd>
            <pre>
              <Hex bytes={decodeHex(bytes.actual)} mark={offset} from={bytes.from} />
            </pre>
          </dd>
        </>
      )}
      {fuelDelta !== undefined && fuelDelta !== 0 && (
        <>
          <dt>fuel</dt>
          <dd>
            {fuelDelta > 0
              ? `${formatCount(fuelDelta)} more than recorded`
              : `${formatCount(-fuelDelta)} less than recorded`}
          </dd>
        </>
      )}
    </dl>
  );
}

function decodeHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
