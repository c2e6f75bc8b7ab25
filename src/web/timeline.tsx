import { Fragment } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { divergingStep } from "../replay/story/diverging-step.js";
import { formatCount, formatPages } from "../replay/story/format.js";
import type { Step, Story } from "../replay/story/step.js";
import { Bytes } from "./bytes.js";
import { FirstDifference } from "./comparison.js";
import { formatMoment } from "./format.js";
import type { Findings } from "./outcome.js";

/** Steps listed before and after the present one; a long run is stepped through all the same. */
const listed = 100;

const moves: Readonly<Record<string, (at: number, last: number) => number>> = {
  ArrowDown: (at) => at + 1,
  ArrowRight: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  ArrowLeft: (at) => at - 1,
  Home: () => 0,
  End: (_, last) => last,
};

/** The story of the action, one step at a time, forwards and backwards. */
export function Timeline({ findings, story }: { readonly findings: Findings; readonly story: Story }) {
  const { steps } = story;
  const last = steps.length - 1;
  const differs = divergingStep(steps, findings.replayed?.divergence ?? null);
  const [chosen, choose] = useState<number | null>(null);
  const at = chosen ?? Math.max(0, differs);
  const step = steps[at];
  const list = useRef<HTMLOListElement>(null);
  const go = (to: number): void => choose(Math.max(0, Math.min(last, to)));
  useLayoutEffect(() => {
    if (chosen === null) return;
    const current = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (list.current?.contains(document.activeElement)) current?.focus({ preventScroll: true });
    const box = list.current;
    if (current && box) {
      const top = current.offsetTop - box.offsetTop;
      if (top < box.scrollTop) box.scrollTop = top - 8;
      else if (top + current.offsetHeight > box.scrollTop + box.clientHeight)
        box.scrollTop = top + current.offsetHeight - box.clientHeight + 8;
    }
  }, [chosen]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = moves[event.key];
    if (move === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(move(at, last));
  };
  const from = Math.max(0, at - listed);
  const to = Math.min(steps.length, at + listed + 1);
  return (
    <section aria-labelledby="story">
      <h2 id="story">
        Story{" "}
        <span class="quiet">
          {story.action}
          {story.target === null ? "" : ` on ${story.target}`} by {story.actor}
        </span>
      </h2>
      <div class="story">
        <div class="list">
          <ol ref={list} class="steps" start={from + 1} onKeyDown={onKeyDown}>
            {from > 0 && <li class="quiet more">{formatCount(from)} earlier</li>}
            {steps.slice(from, to).map((one, index) => (
              <StepButton
                key={from + index}
                step={one}
                current={from + index === at}
                differs={from + index === differs}
                onChoose={() => go(from + index)}
              />
            ))}
            {to < steps.length && <li class="quiet more">{formatCount(steps.length - to)} later</li>}
          </ol>
        </div>
        {step !== undefined && (
          <article class={at === differs ? "step fail" : "step"} aria-labelledby="step">
            <nav class="stepper" aria-label="Steps">
              <button type="button" disabled={at === 0} onClick={() => go(at - 1)}>
                Back
              </button>
              <span class="place">
                {formatCount(at + 1)} of {formatCount(steps.length)}
              </span>
              <button type="button" disabled={at === last} onClick={() => go(at + 1)}>
                Next
              </button>
            </nav>
            <Detail key={at} step={step} findings={findings} differs={at === differs} />
          </article>
        )}
      </div>
    </section>
  );
}

type StepButtonProps = {
  readonly step: Step;
  readonly current: boolean;
  readonly differs: boolean;
  readonly onChoose: () => void;
};

function StepButton({ step, current, differs, onChoose }: StepButtonProps) {
  return (
    <li class={`${step.kind}${differs ? " fail" : ""}`}>
      <button type="button" tabIndex={current ? 0 : -1} aria-current={current ? "step" : undefined} onClick={onChoose}>
        <span class="title">{step.title}</span>
        <span class="summary">{differs ? "differs" : step.summary}</span>
      </button>
    </li>
  );
}

type DetailProps = { readonly step: Step; readonly findings: Findings; readonly differs: boolean };

function Detail({ step, findings, differs }: DetailProps) {
  const divergence = findings.replayed?.divergence ?? null;
  const seen = step.seq === null ? undefined : findings.seen[step.seq];
  const checks = findings.verified?.checks.filter(
    ({ id, state }) => step.checks.includes(id) && state !== "not_applicable",
  );
  return (
    <>
      <h3 id="step">{step.title}</h3>
      {step.at !== null && <p class="quiet moment">{formatMoment(step.at)}</p>}
      {differs && divergence !== null && <FirstDifference divergence={divergence} />}
      <dl class="rows">
        {step.rows.map(([label, text]) => (
          <Fragment key={label}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </Fragment>
        ))}
        {seen !== undefined && (
          <>
            <dt>run again</dt>
            <dd>
              {formatCount(seen.fuel)} fuel and {formatPages(seen.memoryPages)} of memory so far
            </dd>
          </>
        )}
      </dl>
      <FuelSoFar step={step} findings={findings} />
      {step.blobs.map((blob) => (
        <Bytes
          key={blob.label}
          blob={blob}
          mark={differs && (blob.label === "request" || blob.label === "output") ? divergence?.offset : undefined}
        />
      ))}
      {checks !== undefined && checks.length > 0 && (
        <p class="about">
          {checks.map(({ id, title, state }) => (
            <span key={id} class={state}>
              <span class="state">{state}</span> {title}
            </span>
          ))}
        </p>
      )}
    </>
  );
}

/** How far into its recorded fuel the run was. */
function FuelSoFar({ step, findings }: { readonly step: Step; readonly findings: Findings }) {
  const total = findings.replayed?.executions[0]?.recorded.fuel;
  if (step.fuel === null || total === undefined || total === 0) return null;
  return (
    <p class="fuel">
      <label>
        <span class="quiet">
          {formatCount(step.fuel)} of the run's {formatCount(total)} fuel
        </span>
        <progress max={total} value={Math.min(step.fuel, total)} />
      </label>
    </p>
  );
}
