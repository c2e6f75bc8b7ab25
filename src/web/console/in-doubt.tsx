import { useEffect, useRef, useState } from "preact/hooks";
import { type Digest, digestOf } from "../../canonical/digest.js";
import { type IntentHead, replies } from "../../contracts/control.js";
import { payloadTypes } from "../../contracts/dsse.js";
import type { ResolutionOrder } from "../../contracts/order.js";
import { signOrder } from "../../contracts/order.js";
import { systemEntropy } from "../../crypto/random.js";
import type { Signer } from "../../ports.js";
import { readFile } from "../files.js";
import { may } from "./access.js";
import type { Api } from "./api.js";
import { collect } from "./collect.js";
import { useAnswer, useTick } from "./live.js";
import { Failure, Given, Moment } from "./shown.js";
import type { ViewProps } from "./view.js";

const outcomes = {
  committed: "It took effect. The effect stays taken.",
  not_executed: "It did not take effect. It may be asked for again.",
  unknown: "Nobody can tell. The effect is held as taken.",
} as const satisfies Record<ResolutionOrder["outcome"], string>;

type Operator = { readonly id: string; readonly signer: Signer };

/** Actions of which nobody knows whether they took effect, and their resolution, signed in this browser. */
export function InDoubt({ api, me, identity }: ViewProps) {
  const { value, error, again } = useAnswer(
    (signal) => collect(api, replies.intents, { path: "/v1/intents?state=in_doubt", pages: 5, signal }),
    useTick(),
  );
  const [chosen, setChosen] = useState<IntentHead | null>(null);
  const [done, setDone] = useState("");
  const signer = may(me, "admin") ? (identity?.signer ?? null) : null;
  const operator = signer === null || identity === null ? null : { id: identity.id, signer };
  return (
    <section aria-labelledby="doubt-title">
      <h1 id="doubt-title">In doubt</h1>
      <p class="quiet">
        These were started, and their end was not recorded. None is run again by itself: an operator finds out what
        happened and signs it, with the digest of what shows it.
      </p>
      <Failure error={error} />
      <p role="status">{done}</p>
      {value !== null && <Doubts items={value.items} onResolve={operator === null ? null : setChosen} />}
      {operator === null && <p class="quiet">To resolve one, log in with an operator's key.</p>}
      {chosen !== null && operator !== null && (
        <Resolution
          {...{ api, operator, cellId: me.cellId, intent: chosen }}
          onEnd={(words) => {
            setChosen(null);
            if (words === null) return;
            setDone(words);
            again();
          }}
        />
      )}
    </section>
  );
}

type DoubtsProps = { readonly items: readonly IntentHead[]; readonly onResolve: ((intent: IntentHead) => void) | null };

function Doubts({ items, onResolve }: DoubtsProps) {
  if (items.length === 0) return <p>Nothing is in doubt.</p>;
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">recorded</th>
            <th scope="col">action</th>
            <th scope="col">target</th>
            <th scope="col">by</th>
            {onResolve !== null && <th scope="col">order</th>}
          </tr>
        </thead>
        <tbody>
          {items.map((intent) => (
            <tr key={intent.intentId}>
              <td>
                <Moment time={intent.receivedAt} />
              </td>
              <td>
                <a href={`#/intents/${intent.intentId}`}>
                  <Given text={intent.action ?? "dropped"} short />
                </a>
              </td>
              <td>{intent.target === null ? "none" : <Given text={intent.target} short />}</td>
              <td>
                <Given text={intent.actor.id} short />
              </td>
              {onResolve !== null && (
                <td>
                  <button type="button" aria-label={`Resolve ${intent.intentId}`} onClick={() => onResolve(intent)}>
                    Resolve
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

type ResolutionProps = {
  readonly api: Api;
  readonly operator: Operator;
  readonly cellId: string;
  readonly intent: IntentHead;
  readonly onEnd: (words: string | null) => void;
};

function Resolution({ api, operator, cellId, intent, onEnd }: ResolutionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [outcome, setOutcome] = useState<ResolutionOrder["outcome"] | null>(null);
  const [evidence, setEvidence] = useState<readonly Digest[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const take = async (files: readonly File[]): Promise<void> => {
    setError(null);
    const read = await Promise.all(files.map(readFile));
    const bad = read.find((one) => typeof one === "string");
    if (bad !== undefined) return setError(new Error(bad));
    setEvidence(read.flatMap((one) => (typeof one === "string" ? [] : [digestOf(one.bytes)])));
  };
  const order = async (): Promise<void> => {
    if (outcome === null) return;
    setBusy(true);
    setError(null);
    try {
      const ports = { clock: { now: () => Date.now() }, entropy: systemEntropy };
      const said = { schema: "exoarmur.resolution/v1", cellId, intentId: intent.intentId, outcome, evidence };
      const envelope = await signOrder(ports, operator, payloadTypes.resolution, said);
      await api.post(replies.result, `/v1/intents/${intent.intentId}/resolution`, envelope);
      onEnd(`${intent.intentId} was resolved as ${outcome.replace("_", " ")}.`);
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="resolve-title" onClose={() => onEnd(null)}>
      <h2 id="resolve-title">
        Resolve <Given text={intent.action ?? intent.intentId} />
      </h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void order();
        }}
      >
        <fieldset class="outcomes">
          <legend>What happened</legend>
          {(Object.keys(outcomes) as (keyof typeof outcomes)[]).map((name) => (
            <label key={name}>
              <input
                type="radio"
                name="outcome"
                value={name}
                checked={name === outcome}
                onChange={() => setOutcome(name)}
              />
              <span>
                <strong>{name.replace("_", " ")}</strong> {outcomes[name]}
              </span>
            </label>
          ))}
        </fieldset>
        <div class="field">
          <label for="evidence">What shows it; only the files' digests are sent</label>
          <input
            id="evidence"
            type="file"
            multiple
            onChange={(event) => void take([...(event.currentTarget.files ?? [])].slice(0, 100))}
          />
        </div>
        <ul>
          {evidence.map((digest) => (
            <li key={digest} class="digest">
              {digest}
            </li>
          ))}
        </ul>
        <Failure error={error} />
        <div class="buttons">
          <button type="submit" class="danger" disabled={busy || outcome === null || evidence.length === 0}>
            Sign and resolve
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
