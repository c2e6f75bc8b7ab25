import { useState } from "preact/hooks";
import { parseTime } from "../../canonical/time.js";
import { type IntentHead, replies } from "../../contracts/control.js";
import { readCheckpoint } from "../../log/checkpoint.js";
import { formatCount } from "../../replay/story/format.js";
import { may } from "./access.js";
import type { Api } from "./api.js";
import { Chart } from "./chart.js";
import { type Span, spanStart, spans } from "./chart-buckets.js";
import { type Collected, collect } from "./collect.js";
import { IntentTable } from "./intents-table.js";
import { stopWords } from "./kill-switch-state.js";
import { useAnswer, useQuietly, useTick } from "./live.js";
import { filterPart } from "./search-filters.js";
import { Failure, Given, ShortDigest } from "./shown.js";
import type { ViewProps } from "./view.js";

/** Pages of a hundred intents that the chart looks at, and pages that are looked through for what waits. */
const pages = { chart: 5, waiting: 4 };

/** Newest intents that are listed. */
const latest = 8;

type State = {
  readonly ready: string;
  readonly checkpoint: { readonly size: number; readonly origin: string };
  readonly inDoubt: Collected<IntentHead>;
  readonly running: Collected<IntentHead>;
};

/** What every credential may ask. */
async function readState(api: Api, signal: AbortSignal): Promise<State> {
  const listed = (state: string): Promise<Collected<IntentHead>> =>
    collect(api, replies.intents, { path: `/v1/intents?state=${state}`, pages: pages.waiting, signal });
  const [ready, note, inDoubt, running] = await Promise.all([
    api.get(replies.readiness, "/v1/ready", signal),
    api.bytes("/v1/log/checkpoint", signal),
    listed("in_doubt"),
    listed("started"),
  ]);
  const { size, origin } = readCheckpoint(note);
  return { ready: ready.status, checkpoint: { size, origin }, inDoubt, running };
}

/** What viewers may ask beside that. */
async function readGovernance(api: Api, signal: AbortSignal) {
  const [killSwitch, policy, approvals] = await Promise.all([
    api.get(replies.killSwitch, "/v1/killswitch", signal),
    api.get(replies.policy, "/v1/policy", signal),
    collect(api, replies.approvals, { path: "/v1/approvals", pages: pages.waiting, signal }),
  ]);
  return { killSwitch, policy, approvals };
}

/** What runs, what waits, and whether anything may. */
export function Overview({ api, me }: ViewProps) {
  const tick = useTick();
  const viewer = may(me, "viewer");
  const state = useAnswer((signal) => readState(api, signal), tick);
  const governance = useAnswer(async (signal) => (viewer ? await readGovernance(api, signal) : null), tick);
  const stopped = governance.value === null ? null : stopWords(governance.value.killSwitch);
  const waits = governance.value?.approvals;
  const said = useQuietly(waits === undefined ? "" : `${countWords(waits)} waiting for approval`);
  return (
    <section aria-labelledby="overview-title">
      <h1 id="overview-title">
        Cell <Given text={me.cellId} />
      </h1>
      {governance.value !== null && (
        <p class={stopped === null ? "standing open" : "standing stopped"}>
          <strong>{stopped === null ? "Open" : "Stopped"}</strong>{" "}
          {stopped ?? "Actions start where policy and safety allow them."}
        </p>
      )}
      <Failure error={state.error ?? governance.error} />
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      <dl class="tiles">
        {waits !== undefined && (
          <Tile
            label="Waiting for approval"
            count={countWords(waits)}
            href="#/approvals"
            call={waits.items.length > 0}
          />
        )}
        {state.value !== null && (
          <>
            <Tile
              label="In doubt"
              count={countWords(state.value.inDoubt)}
              href={`#/intents/${filterPart({ state: "in_doubt" })}`}
              call={state.value.inDoubt.items.length > 0}
            />
            <Tile
              label="Running"
              count={countWords(state.value.running)}
              href={`#/intents/${filterPart({ state: "started" })}`}
            />
            <Tile label="Log entries" count={formatCount(state.value.checkpoint.size)} />
          </>
        )}
      </dl>
      {state.value !== null && (
        <dl class="facts">
          {governance.value !== null && (
            <>
              <dt>policy in force</dt>
              <dd>
                <a href="#/policies">
                  <Given text={governance.value.policy.policyId} short /> version {governance.value.policy.version}
                </a>{" "}
                <ShortDigest digest={governance.value.policy.digest} />
              </dd>
            </>
          )}
          <dt>control plane</dt>
          <dd>{state.value.ready === "ready" ? "ready" : "closing: it takes nothing more"}</dd>
          <dt>last checkpoint</dt>
          <dd>
            <Given text={state.value.checkpoint.origin} short /> at {formatCount(state.value.checkpoint.size)}
          </dd>
        </dl>
      )}
      <Recent api={api} viewer={viewer} me={me} tick={tick} />
    </section>
  );
}

type TileProps = {
  readonly label: string;
  readonly count: string;
  readonly href?: string;
  /** Somebody is needed. */
  readonly call?: boolean;
};

function Tile({ label, count, href, call = false }: TileProps) {
  return (
    <div class={call ? "tile call" : "tile"}>
      <dt>{label}</dt>
      <dd>{href === undefined ? count : <a href={href}>{count}</a>}</dd>
    </div>
  );
}

/** How many were found, and a plus where the list was not walked to its end. */
function countWords({ items, next }: Collected<unknown>): string {
  return `${formatCount(items.length)}${next === null ? "" : "+"}`;
}

type RecentProps = Pick<ViewProps, "api" | "me"> & { readonly viewer: boolean; readonly tick: number };

/** The chart and the newest intents, which are of one walk through the list. */
function Recent({ api, me, viewer, tick }: RecentProps) {
  const [span, setSpan] = useState<Span>(spans[1]);
  return (
    <>
      <h2 id="verdicts">Verdicts</h2>
      <fieldset class="choices">
        <legend class="unseen">Span of the chart</legend>
        {spans.map((one) => (
          <button type="button" key={one.name} aria-pressed={one === span} onClick={() => setSpan(one)}>
            {one.name}
          </button>
        ))}
      </fieldset>
      <RecentOf key={span.name} api={api} me={me} viewer={viewer} tick={tick} span={span} />
    </>
  );
}

async function readRecent(api: Api, span: Span, viewer: boolean, signal: AbortSignal) {
  const now = Date.now();
  const start = spanStart(span, now);
  const isOver = (items: readonly { readonly receivedAt: string }[]): boolean => {
    const oldest = items.at(-1);
    return oldest !== undefined && parseTime(oldest.receivedAt) < start;
  };
  const [intents, requests] = await Promise.all([
    collect(api, replies.intents, { path: "/v1/intents", pages: pages.chart, enough: isOver, signal }),
    viewer ? collect(api, replies.approvals, { path: "/v1/approvals?status=any", pages: pages.chart, signal }) : null,
  ]);
  const asked = new Set(requests?.items.map(({ request }) => request.intentId));
  const isCut = intents.next !== null && !isOver(intents.items);
  const lacks = isCut
    ? `The newest ${formatCount(intents.items.length)} intents are counted. There are older ones of this time, which are not.`
    : null;
  return { now, intents: intents.items, asked, lacks };
}

function RecentOf({ api, me, viewer, tick, span }: RecentProps & { readonly span: Span }) {
  const { value, error } = useAnswer((signal) => readRecent(api, span, viewer, signal), tick);
  if (value === null)
    return error === null ? <p class="quiet">Reading the list of intents.</p> : <Failure error={error} />;
  const { intents, asked, now, lacks } = value;
  return (
    <>
      <Failure error={error} />
      <Chart intents={intents} asked={asked} span={span} now={now} lacks={lacks} />
      <h2>Newest intents</h2>
      <IntentTable intents={intents.slice(0, latest)} me={me} />
      <p>
        <a href="#/intents">All intents</a>
      </p>
    </>
  );
}
