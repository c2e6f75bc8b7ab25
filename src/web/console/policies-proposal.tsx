import { useState } from "preact/hooks";
import type { z } from "zod";
import { digestOfJson } from "../../canonical/digest.js";
import { replies } from "../../contracts/control.js";
import { policyReplies } from "../../contracts/control-policies.js";
import { may } from "./access.js";
import { useAnswer, useTick } from "./live.js";
import { Activate } from "./policies-activate.js";
import { type Backtested, BacktestOf, Side } from "./policies-backtest.js";
import { type DiffLine, type PolicyChanges, policyChanges } from "./policies-diff.js";
import { PolicyText } from "./policies-text.js";
import { Failure, Given, Moment } from "./shown.js";
import type { ViewProps } from "./view.js";

type Proposal = z.infer<typeof policyReplies.proposal>;
type InForce = z.infer<typeof replies.policy>;

/** How the change is told, for each of its results. */
const changeWords: Readonly<Record<Proposal["change"]["result"], string>> = {
  equal: "It decides everything as the policy in force does.",
  narrows: "It allows nothing that the policy in force does not allow.",
  widens: "It allows more than the policy in force does.",
  undecided: "Whether it allows more than the policy in force was not decided.",
};

/** One proposed policy: how it differs from the one in force, what it would have decided, and its activation. */
export function ProposalView(props: ViewProps) {
  const { api, me, path } = props;
  const [digest = ""] = path;
  const tick = useTick();
  const viewer = may(me, "viewer");
  const [backtest, setBacktest] = useState<Backtested | null>(null);
  const { value, error } = useAnswer(async (signal) => {
    if (!viewer) return null;
    const [proposal, inForce] = await Promise.all([
      api.get(policyReplies.proposal, `/v1/policies/${encodeURIComponent(digest)}`, signal),
      api.get(replies.policy, "/v1/policy", signal),
    ]);
    return { proposal, inForce, altered: alteredWords(digest, proposal, inForce) };
  }, tick);
  return (
    <section aria-labelledby="proposal-title">
      <p class="back">
        <a href="#/policies">Policies</a>
      </p>
      <h1 id="proposal-title">
        {value === null ? (
          "Proposed policy"
        ) : (
          <>
            <Given text={value.proposal.policyId} short /> version {value.proposal.version}
          </>
        )}
      </h1>
      <Failure error={error} />
      {value !== null && value.altered !== null && (
        <p class="problem" role="alert">
          {value.altered} Nothing that is shown here should be signed.
        </p>
      )}
      {value !== null && value.altered === null && (
        <>
          <Head proposal={value.proposal} inForce={value.inForce} />
          <h2>Changes</h2>
          <Changes changes={policyChanges(value.inForce.document, value.proposal.document)} />
          <details>
            <summary>The whole policy</summary>
            <PolicyText policy={value.proposal.document} />
          </details>
          <BacktestOf api={api} digest={digest} result={backtest} onResult={setBacktest} />
          <Activate {...props} proposal={value.proposal} inForce={value.inForce} backtest={backtest} />
        </>
      )}
    </section>
  );
}

/** What does not hold together of what came: documents are what their digests say, or nothing here can be believed. */
function alteredWords(digest: string, proposal: Proposal, inForce: InForce): string | null {
  if (proposal.digest !== digest || digestOfJson(proposal.document) !== digest)
    return "The document that came is not the one of this digest.";
  if (digestOfJson(inForce.document) !== inForce.digest)
    return "The policy in force that came is not the one of its digest.";
  // Between two requests another policy may have come into force; the next look has both of one time.
  if (proposal.replaces !== inForce.digest) return "The policy in force changed while this was read.";
  return null;
}

function Head({ proposal, inForce }: { readonly proposal: Proposal; readonly inForce: InForce }) {
  const { digest, authors, proposedAt, change, widenings } = proposal;
  return (
    <>
      <p class={change.result === "widens" || change.result === "undecided" ? "standing widens" : "standing"}>
        {changeWords[change.result]}
        {change.undecided !== undefined && (
          <>
            {" "}
            <Given text={change.undecided} />
          </>
        )}
      </p>
      <dl class="facts">
        <dt>document</dt>
        <dd class="digest">{digest}</dd>
        <dt>by</dt>
        <dd>
          <Given text={authors.map(({ id }) => id).join(", ")} />, <Moment time={proposedAt} />
        </dd>
        <dt>in force</dt>
        <dd>
          <Given text={inForce.policyId} /> version {inForce.version}
        </dd>
      </dl>
      {widenings.length > 0 && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">allows further</th>
                <th scope="col">for example</th>
                <th scope="col">in force</th>
                <th scope="col">proposed</th>
              </tr>
            </thead>
            <tbody>
              {widenings.map((one) => (
                <tr key={`${one.class} ${one.about}`}>
                  <td>
                    <Given text={`${one.class.replaceAll("_", " ")}: ${one.about}`} short />
                  </td>
                  <td>
                    <Given text={[one.witness.action, one.witness.target ?? ""].join(" ").trim()} short />
                  </td>
                  <td>
                    <Side {...one.before} />
                  </td>
                  <td>
                    <Side {...one.after} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Changes({ changes }: { readonly changes: PolicyChanges }) {
  if (changes.kind === "text") return changes.lines.length === 0 ? <p>None.</p> : <Lines lines={changes.lines} />;
  if (changes.changes.length === 0) return <p class="quiet">Every rule is the same, in the same order.</p>;
  return (
    <ul class="changes">
      {changes.changes.map(({ kind, id, lines }) => (
        <li key={`${kind} ${id}`}>
          <h3>
            <bdi>{id}</bdi> <span class="quiet">{kind}</span>
          </h3>
          <Lines lines={lines} />
        </li>
      ))}
      {changes.same > 0 && <li class="quiet">{changes.same} more are the same.</li>}
    </ul>
  );
}

/** What a sign says to who cannot see its colour. */
const signWords = { "-": "removed", "+": "added", " ": "unchanged" } as const;

function Lines({ lines }: { readonly lines: readonly DiffLine[] }) {
  return (
    <ul class="diff">
      {lines.map(({ sign, text }, index) => (
        <li key={index} class={signWords[sign]}>
          <span aria-hidden="true">{sign}</span> <span class="unseen">{signWords[sign]}</span> <bdi>{text}</bdi>
        </li>
      ))}
    </ul>
  );
}
