import type { z } from "zod";
import type { Advice } from "../../contracts/advice.js";
import { replies } from "../../contracts/control.js";
import type { CanonicalEvent, Reason } from "../../contracts/event.js";
import { endStates } from "../../contracts/lifecycle.js";
import { formatCount } from "../../replay/story/format.js";
import { may } from "./access.js";
import { EventList } from "./activity-list.js";
import { Proof } from "./intent-proof.js";
import { useAnswer, useQuietly, useTick } from "./live.js";
import { Document, Failure, Given, Moment, ShortDigest, State } from "./shown.js";
import type { ViewProps } from "./view.js";

type IntentView = z.infer<typeof replies.intent>;

/** One intent: what was asked for, what became of it, every event of it, and its proof. */
export function Intent({ api, me, path }: ViewProps) {
  const [intentId = ""] = path;
  const tick = useTick();
  const { value, error } = useAnswer(async (signal) => {
    const at = `/v1/intents/${encodeURIComponent(intentId)}`;
    const [intent, trace] = await Promise.all([
      api.get(replies.intent, at, signal),
      api.get(replies.trace, `${at}/events`, signal),
    ]);
    return { intent, events: trace.items };
  }, tick);
  const said = useQuietly(value === null ? "" : `the intent is ${value.intent.state.replaceAll("_", " ")}`);
  return (
    <section class="intent" aria-labelledby="intent-title">
      <p class="back">
        <a href="#/intents">Intents</a>
      </p>
      <h1 id="intent-title">{value === null ? "Intent" : <Given text={value.intent.action ?? "Dropped intent"} />}</h1>
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      <Failure error={error} />
      {value !== null && (
        <>
          <Head intent={value.intent} />
          <Outcome intent={value.intent} approver={may(me, "viewer")} />
          <Events events={value.events} />
          {endStates.has(value.intent.state) && <Proof api={api} intentId={value.intent.intentId} />}
        </>
      )}
    </section>
  );
}

function Head({ intent }: { readonly intent: IntentView }) {
  const { intentId, correlationId, tenantId, actor, requester, target, state, receivedAt } = intent;
  return (
    <>
      <p class="standing">
        <State state={state} /> {target !== null && <Given text={target} />}
      </p>
      <dl class="facts">
        <dt>intent</dt>
        <dd class="digest">{intentId}</dd>
        <dt>by</dt>
        <dd>
          <Given text={actor.id} /> (<Given text={actor.type} />
          ), handed in by <Given text={requester.principal} /> ({requester.method})
        </dd>
        <dt>tenant</dt>
        <dd>
          <Given text={tenantId} />
        </dd>
        <dt>correlation</dt>
        <dd>
          <Given text={correlationId} />
        </dd>
        <dt>recorded</dt>
        <dd>
          <Moment time={receivedAt} />
        </dd>
      </dl>
    </>
  );
}

/** What became of it: the output or the reason, what it took, and what can be done next. */
function Outcome({ intent: { result, state }, approver }: { readonly intent: IntentView; readonly approver: boolean }) {
  const { decision, safety, advice, reason, fuel, hostCalls, output, outputDropped, approval } = result;
  const requestId = approval?.requestId;
  return (
    <>
      <h2>Outcome</h2>
      {state === "pending" && requestId !== undefined && (
        <p>It waits for people. {approver && <a href={`#/approvals/${requestId}`}>Review the approval request</a>}</p>
      )}
      {state === "in_doubt" && <p>Nobody knows whether it took effect. An operator resolves it, with evidence.</p>}
      {reason !== undefined && <ReasonOf reason={reason} advice={advice} />}
      <dl class="facts">
        {decision !== null && (
          <>
            <dt>policy</dt>
            <dd>
              <State state={decision.verdict} /> by <Given text={decision.ruleIds.join(", ")} />
              {decision.rationale !== "" && decision.rationale !== reason?.message && (
                <>
                  {": "}
                  <Given text={decision.rationale} />
                </>
              )}
            </dd>
          </>
        )}
        {safety !== null && (
          <>
            <dt>safety</dt>
            <dd>
              <State state={safety.verdict} /> by <Given text={safety.ruleIds.join(", ")} />
            </dd>
          </>
        )}
        {fuel !== undefined && (
          <>
            <dt>fuel</dt>
            <dd>
              {formatCount(fuel.used)} of {formatCount(fuel.limit)}
            </dd>
          </>
        )}
        {hostCalls !== undefined && (
          <>
            <dt>host calls</dt>
            <dd>{formatCount(hostCalls)}</dd>
          </>
        )}
        {result.bundle !== undefined && (
          <>
            <dt>bundle</dt>
            <dd>
              <ShortDigest digest={result.bundle} />
            </dd>
          </>
        )}
      </dl>
      {outputDropped === true && <p class="quiet">The output was dropped from the store.</p>}
      {output !== undefined && outputDropped !== true && (
        <details>
          <summary>Output</summary>
          <Document value={output.kind === "json" ? output.value : output} />
        </details>
      )}
    </>
  );
}

/** Why it was not done, which grant it lacked, and who can do what about it. */
function ReasonOf({ reason, advice }: { readonly reason: Reason; readonly advice: Advice | undefined }) {
  const { code, message, ruleIds, retrySafe } = reason;
  const helps = advice?.approvalCouldHelp ?? reason.approvalCouldHelp;
  const next = [
    helps ? "An approval could help." : "No approval would help.",
    retrySafe ? "A retry is safe." : "A retry is not safe.",
  ];
  return (
    <div class="reason">
      <p>
        <code>{code}</code> <Given text={message} />
      </p>
      {ruleIds.length > 0 && (
        <p class="quiet">
          By <Given text={ruleIds.join(", ")} />.
        </p>
      )}
      {advice?.missing !== undefined && (
        <p>
          <code>{advice.missing.capability}</code> <Given text={advice.missing.message} />
        </p>
      )}
      <p class="quiet">{next.join(" ")}</p>
      {advice !== undefined && advice.nextSteps.length > 0 && (
        <ul class="steps-next">
          {advice.nextSteps.map(({ step, by, text }) => (
            <li key={step}>
              <span class="quiet">{by.replace("-", " ")}:</span> {text}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Events({ events }: { readonly events: readonly CanonicalEvent[] }) {
  return (
    <>
      <h2>
        Events <span class="quiet">{formatCount(events.length)}</span>
      </h2>
      <EventList events={events} label="Events" />
    </>
  );
}
