import type { z } from "zod";
import { replies } from "../../contracts/control.js";
import { type ProposalHead, policyReplies } from "../../contracts/control-policies.js";
import { formatCount } from "../../replay/story/format.js";
import { may } from "./access.js";
import { useAnswer, useTick } from "./live.js";
import { Propose } from "./policies-propose.js";
import { PolicyText } from "./policies-text.js";
import { Failure, Given, Moment, ShortDigest } from "./shown.js";
import type { ViewProps } from "./view.js";

/** The policy in force, and what is proposed. */
export function Policies({ api, me, identity }: ViewProps) {
  const tick = useTick();
  const viewer = may(me, "viewer");
  const { value, error, again } = useAnswer(async (signal) => {
    if (!viewer) return null;
    const [policy, proposals] = await Promise.all([
      api.get(replies.policy, "/v1/policy", signal),
      api.get(policyReplies.proposals, "/v1/policies", signal),
    ]);
    return { policy, proposals: proposals.items };
  }, tick);
  const signer = may(me, "policy-author") ? (identity?.signer ?? null) : null;
  return (
    <section aria-labelledby="policies-title">
      <h1 id="policies-title">Policies</h1>
      {!viewer && <p class="quiet">Policies are shown to viewers.</p>}
      <Failure error={error} />
      {value !== null && (
        <>
          <Proposals proposals={value.proposals} />
          {signer !== null && <Propose api={api} signer={signer} onDone={again} />}
          <InForce policy={value.policy} />
        </>
      )}
    </section>
  );
}

function Proposals({ proposals }: { readonly proposals: readonly ProposalHead[] }) {
  return (
    <>
      <h2>
        Proposed <span class="quiet">{formatCount(proposals.length)}</span>
      </h2>
      {proposals.length === 0 ? (
        <p class="quiet">
          Nothing waits. A policy author proposes a policy here, and it is tried before it takes effect.
        </p>
      ) : (
        <ul class="rows">
          {proposals.map(({ digest, policyId, version, authors, proposedAt }) => (
            <li key={digest}>
              <a href={`#/policies/${encodeURIComponent(digest)}`}>
                <Given text={policyId} short /> version {version}
              </a>{" "}
              <span class="quiet">
                by <Given text={authors.map(({ id }) => id).join(", ")} short />, <Moment time={proposedAt} />
              </span>{" "}
              <ShortDigest digest={digest} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function InForce({ policy }: { readonly policy: z.infer<typeof replies.policy> }) {
  const { policyId, version, digest, envelopeDigest, document } = policy;
  return (
    <>
      <h2>In force</h2>
      <dl class="facts">
        <dt>policy</dt>
        <dd>
          <Given text={policyId} /> version {version}
        </dd>
        <dt>document</dt>
        <dd class="digest">{digest}</dd>
        <dt>signed envelope</dt>
        <dd class="digest">{envelopeDigest}</dd>
      </dl>
      <PolicyText policy={document} />
    </>
  );
}
