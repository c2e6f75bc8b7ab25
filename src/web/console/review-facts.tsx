import { parseTime } from "../../canonical/time.js";
import type { Preview } from "../../contracts/approval.js";
import type { ApprovalView, IntentHead } from "../../contracts/control.js";
import { formatMoment } from "../format.js";
import { leftWords } from "./review.js";
import { riskFacts } from "./risk.js";
import { Document, Given, Moment, ShortDigest, State } from "./shown.js";
import { useNow } from "./use-now.js";

type FactsProps = {
  readonly view: ApprovalView;
  readonly preview: Preview | null;
  readonly asked: { readonly ruleIds: readonly string[]; readonly rationale: string } | null;
  readonly before: readonly IntentHead[] | null;
  readonly more: boolean;
};

/** What would run, what there is to weigh about it, why a person is asked, and who may decide. */
export function ReviewFacts({ view, preview, asked, before, more }: FactsProps) {
  const target = preview?.target ?? null;
  return (
    <>
      <h1 id="approval-title">{preview === null ? "Approval request" : <Given text={preview.action} />}</h1>
      <p class="standing">
        <State state={view.status} /> {target !== null && <Given text={target} />}
      </p>
      {preview !== null && (
        <>
          <h2>What would run</h2>
          <WhatRuns preview={preview} tenantId={view.request.tenantId} />
          <h2>To weigh</h2>
          <ul class="weigh">
            {riskFacts(preview, before, more).map(({ grave, words }) => (
              <li key={words} class={grave ? "grave" : ""}>
                {words}
              </li>
            ))}
          </ul>
        </>
      )}
      <h2>Why it is asked, and who decides</h2>
      <Asking view={view} asked={asked} />
    </>
  );
}

function WhatRuns({ preview, tenantId }: { readonly preview: Preview; readonly tenantId: string }) {
  const { action, target, effects, executor, actor, parameters, grants, attestations = [] } = preview;
  return (
    <>
      <dl class="facts">
        <dt>action</dt>
        <dd>
          <Given text={action} />
        </dd>
        <dt>target</dt>
        <dd>{target === null ? "none" : <Given text={target} />}</dd>
        <dt>effects</dt>
        <dd>
          <span class={`effect ${effects}`}>{effects}</span>
        </dd>
        <dt>executor</dt>
        <dd>
          <Given text={`${executor.name} ${executor.version}, function ${executor.function}`} />
        </dd>
        <dt>by</dt>
        <dd>
          <Given text={actor.id} /> (<Given text={actor.type} />) for tenant <Given text={tenantId} />
        </dd>
        <dt>parameters</dt>
        <dd>
          <Document value={parameters} />
        </dd>
        <dt>capabilities</dt>
        <dd>
          {grants.capabilities.length === 0 && "none"}
          <ul class="grants">
            {grants.capabilities.map(({ name, constraints }) => (
              <li key={name}>
                <code>{name}</code> <Given text={JSON.stringify(constraints ?? {})} />
              </li>
            ))}
          </ul>
        </dd>
      </dl>
      {attestations.length > 0 && (
        <details>
          <summary>What others attested</summary>
          <Document value={attestations} />
        </details>
      )}
      <details>
        <summary>All of what is signed for</summary>
        <Document value={preview} />
      </details>
    </>
  );
}

const decidedWords = { approve: "approved", deny: "denied" } as const;

function Asking({ view, asked }: Pick<FactsProps, "view" | "asked">) {
  const { request, requestDigest, decisions } = view;
  const now = useNow();
  const people = request.roster.map(({ id, roles }) => {
    const decided = decisions.find(({ approver }) => approver === id);
    return {
      id,
      roles,
      words:
        decided === undefined
          ? "has not decided"
          : `${decidedWords[decided.decision]} on ${formatMoment(decided.signedAt)}`,
    };
  });
  return (
    <dl class="facts">
      {asked !== null && (
        <>
          <dt>rule</dt>
          <dd>
            <Given text={asked.ruleIds.join(", ")} />
            {asked.rationale !== "" && (
              <>
                {": "}
                <Given text={asked.rationale} />
              </>
            )}
          </dd>
        </>
      )}
      <dt>asked</dt>
      <dd>
        <Moment time={request.requestedAt} /> (<State state={request.verdict} />)
      </dd>
      <dt>until</dt>
      <dd>
        <Moment time={request.expiresAt} />
        {view.status === "pending" && `, ${leftWords(parseTime(request.expiresAt), now)} left`}
      </dd>
      <dt>needed</dt>
      <dd>
        {request.threshold} of {people.length}; {decisions.length} decided
      </dd>
      <dt>who may</dt>
      <dd>
        <ul>
          {people.map(({ id, roles, words }) => (
            <li key={id}>
              <Given text={id} /> <span class="quiet">({roles.join(", ")})</span> {words}
            </li>
          ))}
        </ul>
      </dd>
      <dt>request</dt>
      <dd>
        <ShortDigest digest={requestDigest} />
      </dd>
    </dl>
  );
}
