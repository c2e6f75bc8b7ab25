import { useEffect, useRef, useState } from "preact/hooks";
import type { Preview } from "../../contracts/approval.js";
import type { ApprovalView } from "../../contracts/control.js";
import type { Envelope } from "../../contracts/dsse.js";
import { visible } from "../visible.js";
import type { Choice, Identity } from "./identity.js";
import { barOf } from "./review.js";
import { Failure, Given } from "./shown.js";
import { useNow } from "./use-now.js";

type DecisionProps = {
  readonly view: ApprovalView;
  readonly preview: Preview | null;
  readonly identity: Identity | null;
  readonly onSigned: (envelope: Envelope, choice: Choice) => Promise<string>;
};

/** The decision on a request that holds together: a reason, and a confirmation that repeats what is signed for. */
export function Decision({ view, preview, identity, onSigned }: DecisionProps) {
  const now = useNow();
  const [reason, setReason] = useState("");
  // With what was shown when it was asked for: the list is read again meanwhile.
  const [asked, setAsked] = useState<Asked | null>(null);
  const [done, setDone] = useState("");
  const keyId = identity?.role === "approver" ? identity.keyId : null;
  const bar = barOf(view, "deny", keyId, now);
  const noMore = barOf(view, "approve", keyId, now);
  const given = reason.trim();
  const ask = (decision: Choice["decision"]): void => {
    if (preview !== null)
      setAsked({ view, preview, choice: given === "" ? { decision } : { decision, reason: given } });
  };
  return (
    <div class="decide">
      <h2>Decision</h2>
      <p role="status" id="decided">
        {done}
      </p>
      {bar !== null ? (
        <p class="quiet">Not to be decided here: {visible(bar)}.</p>
      ) : (
        <form onSubmit={(event) => event.preventDefault()}>
          <div class="field">
            <label for="reason">Reason; a denial needs one, and it is recorded</label>
            <textarea
              id="reason"
              rows={2}
              maxLength={2000}
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </div>
          {noMore !== null && <p class="quiet">A denial still stops it: {visible(noMore)}.</p>}
          <div class="buttons">
            <button
              type="button"
              class="main"
              disabled={preview === null || noMore !== null}
              onClick={() => ask("approve")}
            >
              Approve
            </button>
            <button
              type="button"
              class="danger"
              disabled={given === "" || preview === null}
              onClick={() => ask("deny")}
            >
              Deny
            </button>
          </div>
        </form>
      )}
      {asked !== null && identity !== null && (
        <Confirmation
          {...asked}
          {...{ identity, onSigned }}
          onEnd={(words) => {
            setAsked(null);
            if (words !== null) setDone(words);
          }}
        />
      )}
    </div>
  );
}

/** What somebody is about to sign. */
type Asked = { readonly view: ApprovalView; readonly preview: Preview; readonly choice: Choice };

type ConfirmationProps = Asked & {
  readonly identity: Identity;
  readonly onSigned: DecisionProps["onSigned"];
  /** `words`: what became of the decision, or null when it was given up. */
  readonly onEnd: (words: string | null) => void;
};

function Confirmation({ view, preview, identity, choice, onSigned, onEnd }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  // Kept until it is answered: a second try sends the very same decision.
  const signed = useRef<Envelope | null>(null);
  const approve = choice.decision === "approve";
  useEffect(() => dialog.current?.showModal(), []);
  const decide = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      signed.current ??= await identity.decide(view.request, choice);
      onEnd(await onSigned(signed.current, choice));
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-decision" onClose={() => onEnd(null)}>
      <h2 id="confirm-decision">
        {approve ? "Approve" : "Deny"} <Given text={preview.action} />
      </h2>
      <dl class="facts">
        <dt>target</dt>
        <dd>{preview.target === null ? "none" : <Given text={preview.target} />}</dd>
        <dt>by</dt>
        <dd>
          <Given text={preview.actor.id} />
        </dd>
        {choice.reason !== undefined && (
          <>
            <dt>reason</dt>
            <dd>
              <Given text={choice.reason} />
            </dd>
          </>
        )}
        <dt>signed by</dt>
        <dd>
          <Given text={identity.id} /> <span class="digest">{identity.keyId}</span>
        </dd>
        <dt>request</dt>
        <dd class="digest">{view.requestDigest}</dd>
      </dl>
      <p class="quiet">
        {approve
          ? "With your signature it may run once, as it is shown here and in no other way."
          : "A denial closes the request. It cannot be taken back."}
      </p>
      <Failure error={error} />
      <div class="buttons">
        <button type="button" class={approve ? "main" : "danger"} disabled={busy} onClick={() => void decide()}>
          {signed.current === null ? (approve ? "Sign and approve" : "Sign and deny") : "Send again"}
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}
