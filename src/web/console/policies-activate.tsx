import { useEffect, useRef, useState } from "preact/hooks";
import type { z } from "zod";
import type { replies } from "../../contracts/control.js";
import { policyReplies } from "../../contracts/control-policies.js";
import { payloadTypes } from "../../contracts/dsse.js";
import { activationOrder, signOrder } from "../../contracts/order.js";
import { systemEntropy } from "../../crypto/random.js";
import type { Signer } from "../../ports.js";
import { may } from "./access.js";
import { type Backtested, backtestWords } from "./policies-backtest.js";
import { Failure, Given } from "./shown.js";
import type { ViewProps } from "./view.js";

type ActivateProps = ViewProps & {
  readonly proposal: z.infer<typeof policyReplies.proposal>;
  readonly inForce: z.infer<typeof replies.policy>;
  /** What the proposal would have decided; null before it was looked at, and then nothing is activated. */
  readonly backtest: Backtested | null;
};

/** Putting a proposed policy in force by an order signed here, or taking it back. */
export function Activate(props: ActivateProps) {
  const { api, me, identity, proposal, backtest } = props;
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const signer = may(me, "policy-author") ? (identity?.signer ?? null) : null;
  if (identity === null || signer === null)
    return <p class="quiet">To activate or withdraw it, log in with a policy author's key.</p>;
  const withdraw = (): void => {
    setBusy(true);
    setError(null);
    api.delete(policyReplies.withdrawn, `/v1/policies/${encodeURIComponent(proposal.digest)}`).then(
      () => {
        location.hash = "#/policies";
      },
      (thrown: unknown) => {
        setError(thrown);
        setBusy(false);
      },
    );
  };
  return (
    <>
      <h2>Activate</h2>
      {backtest === null && <p class="quiet">Run the backtest first: who signs has seen what it would have decided.</p>}
      <Failure error={error} />
      <div class="buttons">
        <button type="button" class="main" disabled={backtest === null || busy} onClick={() => setAsking(true)}>
          Activate
        </button>
        <button type="button" class="danger" disabled={busy} onClick={withdraw}>
          Withdraw the proposal
        </button>
      </div>
      {asking && backtest !== null && (
        <Confirmation {...props} by={{ id: identity.id, signer }} backtest={backtest} onEnd={() => setAsking(false)} />
      )}
    </>
  );
}

type ConfirmationProps = ActivateProps & {
  readonly by: { readonly id: string; readonly signer: Signer };
  readonly backtest: Backtested;
  readonly onEnd: () => void;
};

/** Repeats what changes, and has it signed by a second step. */
function Confirmation({ api, me, by, proposal, inForce, backtest, onEnd }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  // What was confirmed is what is signed: a policy that came into force meanwhile is not replaced unseen.
  const [replaces] = useState(inForce.digest);
  useEffect(() => dialog.current?.showModal(), []);
  const activate = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const ports = { clock: { now: () => Date.now() }, entropy: systemEntropy };
      const order = activationOrder(me.cellId, proposal.digest, replaces);
      const envelope = await signOrder(ports, by, payloadTypes.policyActivation, order);
      await api.post(policyReplies.activated, `/v1/policies/${encodeURIComponent(proposal.digest)}/activate`, envelope);
      location.hash = "#/policies";
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  const { change, widenings } = proposal;
  return (
    <dialog ref={dialog} aria-labelledby="activation" onClose={onEnd}>
      <h2 id="activation">
        Put version {proposal.version} of <Given text={proposal.policyId} short /> in force
      </h2>
      <dl class="facts">
        <dt>in place of</dt>
        <dd>
          <Given text={inForce.policyId} short /> version {inForce.version}
        </dd>
        <dt>change</dt>
        <dd>
          {change.result}
          {widenings.length > 0 && `: ${change.classes.join(", ").replaceAll("_", " ")}`}
        </dd>
        <dt>backtest</dt>
        <dd>{backtestWords(backtest)}</dd>
        <dt>document</dt>
        <dd class="digest">{proposal.digest}</dd>
        <dt>cell</dt>
        <dd>
          <Given text={me.cellId} />
        </dd>
        <dt>signed by</dt>
        <dd>
          <Given text={by.id} /> <span class="digest">{by.signer.keyId}</span>
        </dd>
      </dl>
      <Failure error={error} />
      <div class="buttons">
        <button type="button" class="danger" disabled={busy} onClick={() => void activate()}>
          Sign and activate
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}
