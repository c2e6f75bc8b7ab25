import { parseTime } from "../../canonical/time.js";
import { type ApprovalHead, type IntentHead, replies } from "../../contracts/control.js";
import { may } from "./access.js";
import { collect } from "./collect.js";
import { useAnswer, useQuietly, useTick } from "./live.js";
import { barOf, isHeld, leftWords } from "./review.js";
import { Failure, Given, Moment } from "./shown.js";
import { useNow } from "./use-now.js";
import type { ViewProps } from "./view.js";

/** Most pages of a list that are walked. */
const pages = 5;

/** What waits for a person: requests, and who may decide them. */
export function Approvals({ api, me, identity }: ViewProps) {
  const viewer = may(me, "viewer");
  const { value, error } = useAnswer(async (signal) => {
    if (!viewer) return null;
    const [requests, approved, intents] = await Promise.all([
      collect(api, replies.approvals, { path: "/v1/approvals", pages, signal }),
      collect(api, replies.approvals, { path: "/v1/approvals?status=approved", pages: 1, signal }),
      collect(api, replies.intents, { path: "/v1/intents?state=pending", pages, signal }),
    ]);
    const items = [...requests.items, ...approved.items.filter(isHeld)];
    return {
      items,
      more: requests.next !== null,
      intents: new Map(intents.items.map((intent) => [intent.intentId, intent])),
    };
  }, useTick());
  const count = value?.items.length ?? 0;
  const said = useQuietly(value === null ? "" : `${count} ${count === 1 ? "request waits" : "requests wait"}`);
  return (
    <section aria-labelledby="approvals-title">
      <h1 id="approvals-title">Approvals</h1>
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      {!viewer && <p class="quiet">Approval requests are shown to viewers.</p>}
      <Failure error={error} />
      {value !== null && <Queue {...value} keyId={identity?.keyId ?? null} />}
      {value?.more === true && <p class="quiet">There are more. Decide these first.</p>}
    </section>
  );
}

type QueueProps = {
  readonly items: readonly ApprovalHead[];
  readonly intents: ReadonlyMap<string, IntentHead>;
  readonly keyId: string | null;
};

/** The requests, the one that expires first on top. */
function Queue({ items, intents, keyId }: QueueProps) {
  const now = useNow();
  if (items.length === 0) return <p class="quiet">Nothing waits for approval.</p>;
  const sorted = [...items].sort((a, b) => (a.request.expiresAt < b.request.expiresAt ? -1 : 1));
  return (
    <div class="wide">
      <table class="queue">
        <thead>
          <tr>
            <th scope="col">asked</th>
            <th scope="col">action</th>
            <th scope="col">target</th>
            <th scope="col">by</th>
            <th scope="col">approved</th>
            <th scope="col">left</th>
            <th scope="col">you</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((one) => {
            const { request, decisions } = one;
            const intent = intents.get(request.intentId);
            return (
              <tr key={request.requestId}>
                <td>
                  <Moment time={request.requestedAt} />
                </td>
                <td>
                  <a href={`#/approvals/${request.requestId}`}>
                    <Given text={intent?.action ?? request.requestId} short />
                  </a>
                </td>
                <td>
                  <Given text={intent?.target ?? "none"} short />
                </td>
                <td>{intent !== undefined && <Given text={intent.actor.id} short />}</td>
                <td>
                  {isHeld(one) ? `held until ${request.notBefore}` : `${decisions.length} of ${request.threshold}`}
                </td>
                <td>{leftWords(parseTime(request.expiresAt), now)}</td>
                <td>{barOf(one, "deny", keyId, now) === null ? "may decide" : <span class="quiet">may not</span>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
