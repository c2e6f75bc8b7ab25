import { useRef, useState } from "preact/hooks";
import { readJson } from "../../canonical/read.js";
import { parseContract } from "../../contracts/common.js";
import { type ApprovalView, type IntentHead, replies } from "../../contracts/control.js";
import type { Envelope } from "../../contracts/dsse.js";
import { envelopeSchema } from "../../contracts/dsse.js";
import { readFile } from "../files.js";
import { formatMoment } from "../format.js";
import { may } from "./access.js";
import type { Api } from "./api.js";
import { collect } from "./collect.js";
import { Decision } from "./decision.js";
import type { Choice, Identity } from "./identity.js";
import { IntentTable } from "./intents-table.js";
import { useAnswer, useTick } from "./live.js";
import { reviewOf } from "./review.js";
import { ReviewFacts } from "./review-facts.js";
import { saveDocument } from "./save-file.js";
import { Failure } from "./shown.js";
import type { ViewProps } from "./view.js";

/** Earlier intents that are looked at, in pages, and how many are shown. */
const historyPages = 2;
const shownBefore = 5;

type Loaded = {
  readonly view: ApprovalView;
  /** What the control plane says of the judgement that asked. */
  readonly asked: { readonly ruleIds: readonly string[]; readonly rationale: string } | null;
  readonly before: readonly IntentHead[];
  readonly more: boolean;
};

async function load(api: Api, requestId: string, signal: AbortSignal): Promise<Loaded> {
  const view = await api.get(replies.approval, `/v1/approvals/${encodeURIComponent(requestId)}`, signal);
  const { request } = view;
  const intent = await api.get(replies.intent, `/v1/intents/${request.intentId}`, signal);
  const { decision } = intent.result;
  const query = new URLSearchParams({ tenantId: intent.tenantId, actorId: intent.actor.id });
  if (intent.action !== null) query.set("action", intent.action);
  const found = await collect(api, replies.intents, { path: `/v1/intents?${query}`, pages: historyPages, signal });
  return {
    view,
    asked: decision === null ? null : { ruleIds: decision.ruleIds, rationale: decision.rationale },
    before: found.items.filter(({ intentId }) => intentId !== request.intentId),
    more: found.next !== null,
  };
}

/** One request: exactly what would run, what there is to weigh, and the decision, signed in this browser. */
export function Approval({ api, me, identity, path }: ViewProps) {
  const [requestId = ""] = path;
  const { value, error, again } = useAnswer((signal) => load(api, requestId, signal), useTick());
  const send = async (envelope: Envelope): Promise<string> => {
    const result = await api.post(replies.result, `/v1/approvals/${requestId}/grants?waitMs=10000`, envelope);
    again();
    if (result.heldUntil !== undefined)
      return `The action is approved, and held until ${formatMoment(result.heldUntil)}.`;
    return `The action is ${statusWords[result.status]}.${result.reason === undefined ? "" : ` ${result.reason.code}: ${result.reason.message}`}`;
  };
  return (
    <section class="review" aria-labelledby="approval-title">
      <p class="back">
        <a href="#/approvals">Approvals</a>
      </p>
      <Failure error={error} />
      {value === null ? (
        <h1 id="approval-title">Approval request</h1>
      ) : (
        <>
          <Reviewed {...value} identity={identity} cellId={me.cellId} onSigned={send} />
          {value.before.length > 0 && (
            <>
              <h2>
                The same before <span class="quiet">newest first</span>
              </h2>
              <IntentTable intents={value.before.slice(0, shownBefore)} me={me} />
            </>
          )}
          <p>
            <a href={`#/intents/${value.view.request.intentId}`}>The intent and its events</a>
          </p>
          <Elsewhere view={value.view} onHandIn={may(me, "approver") ? send : null} />
        </>
      )}
    </section>
  );
}

const statusWords = {
  executed: "executed",
  failed: "recorded as failed",
  denied: "denied",
  approval_pending: "waiting for more approvals",
  in_doubt: "in doubt",
  running: "running",
} as const;

type ReviewedProps = {
  readonly view: ApprovalView;
  readonly asked: Loaded["asked"];
  /** Null where nothing is known of what was before. */
  readonly before: readonly IntentHead[] | null;
  readonly more: boolean;
  readonly identity: Identity | null;
  /** The cell that is looked at; null where there is no control plane. */
  readonly cellId: string | null;
  /** Takes the signed decision away, and says what became of it. */
  readonly onSigned: (envelope: Envelope, choice: Choice) => Promise<string>;
};

/** A request as it is reviewed, with or without a control plane. */
export function Reviewed({ view, asked, before, more, identity, cellId, onSigned }: ReviewedProps) {
  const first = useRef(view.requestDigest);
  const { preview, altered } = reviewOf(view);
  const wrong = [...altered];
  if (cellId !== null && view.request.cellId !== cellId)
    wrong.push(`the request is of the cell ${view.request.cellId}`);
  if (view.requestDigest !== first.current) wrong.push(`it was the request ${first.current} when the review began`);
  return (
    <>
      {wrong.length > 0 && (
        <div class="difference" role="alert">
          <p>
            <strong>This must not be signed.</strong> What came is not what a signature would stand for. It was altered
            on its way, or the control plane is not what it says.
          </p>
          <ul>
            {wrong.map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        </div>
      )}
      <ReviewFacts {...{ view, preview, asked, before, more }} />
      {wrong.length === 0 && <Decision view={view} preview={preview} identity={identity} onSigned={onSigned} />}
    </>
  );
}

type ElsewhereProps = {
  readonly view: ApprovalView;
  /** Null for whoever may hand nothing in. */
  readonly onHandIn: ((envelope: Envelope) => Promise<string>) | null;
};

/** For keys that are not in this browser: the request as a file, and a decision that was signed elsewhere. */
function Elsewhere({ view, onHandIn }: ElsewhereProps) {
  const [error, setError] = useState<unknown>(null);
  const [done, setDone] = useState("");
  const handIn = async (file: File | undefined): Promise<void> => {
    setError(null);
    const read = file === undefined ? null : await readFile(file);
    if (read === null || onHandIn === null) return;
    try {
      if (typeof read === "string") throw new Error(read);
      const envelope = parseContract(envelopeSchema, readJson(read.bytes, { maxBytes: 65_536 }), read.name);
      setDone(await onHandIn(envelope));
    } catch (thrown) {
      setError(thrown);
    }
  };
  return (
    <details>
      <summary>Sign elsewhere</summary>
      <p class="quiet">
        A copy of this page that you got elsewhere, opened from a file, reviews and signs the saved request without any
        control plane.
      </p>
      <div class="proof">
        <button type="button" onClick={() => saveDocument(`${view.request.requestId}.request.json`, view)}>
          Save the request
        </button>
        {onHandIn !== null && (
          <label class="file">
            <input
              type="file"
              accept=".json"
              onChange={(event) => {
                void handIn(event.currentTarget.files?.[0]);
                event.currentTarget.value = "";
              }}
            />
            <span class="label">Hand in a signed decision</span>
          </label>
        )}
      </div>
      <p role="status">{done}</p>
      <Failure error={error} />
    </details>
  );
}
