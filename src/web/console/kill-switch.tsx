import { useEffect, useRef, useState } from "preact/hooks";
import { replies } from "../../contracts/control.js";
import { payloadTypes } from "../../contracts/dsse.js";
import { killSwitchOrder, signOrder } from "../../contracts/order.js";
import { systemEntropy } from "../../crypto/random.js";
import type { Signer } from "../../ports.js";
import { visible } from "../visible.js";
import { may } from "./access.js";
import type { Api } from "./api.js";
import { type KillSwitchView, stopWords } from "./kill-switch-state.js";
import { useAnswer, useTick } from "./live.js";
import { Failure, Given } from "./shown.js";
import type { ViewProps } from "./view.js";

/** A change that is about to be ordered. A null tenant is every tenant. */
type Change = { readonly tenantId: string | null; readonly on: boolean };

/** The kill switches, and orders to switch them, signed in this browser. */
export function KillSwitch({ api, me, identity }: ViewProps) {
  const tick = useTick();
  const viewer = may(me, "viewer");
  const { value, error, again } = useAnswer(
    async (signal) => (viewer ? await api.get(replies.killSwitch, "/v1/killswitch", signal) : null),
    tick,
  );
  const [change, setChange] = useState<Change | null>(null);
  const [done, setDone] = useState("");
  const signer = may(me, "admin") ? (identity?.signer ?? null) : null;
  const operator = identity === null || signer === null ? null : { id: identity.id, signer };
  const stopped = value === null ? null : stopWords(value);
  return (
    <section aria-labelledby="kill-switch-title">
      <h1 id="kill-switch-title">Kill switch</h1>
      {!viewer && <p class="quiet">The kill switches are shown to viewers.</p>}
      <Failure error={error} />
      {value !== null && (
        <>
          <p class={stopped === null ? "standing open" : "standing stopped"}>
            <strong>{stopped === null ? "Off" : "On"}</strong>{" "}
            {stopped ?? "Actions start where policy and safety allow them."}
          </p>
          <p class="quiet">
            An action that runs already is not ended. One that waits for approval is judged again before it starts, and
            is denied while a switch is on.
          </p>
          <p role="status">{done}</p>
          <Switches state={value} tenants={me.tenants} operator={operator !== null} onChange={setChange} />
          {operator === null && (
            <p class="quiet">To switch one, log in with an operator's key: the order is signed in this browser.</p>
          )}
          {value.killFile && (
            <p class="quiet">
              The KILL file is neither made nor removed from here: <code>exoarmur killswitch off</code> removes it on
              the machine itself.
            </p>
          )}
        </>
      )}
      {change !== null && operator !== null && (
        <Confirmation
          {...{ api, change, cellId: me.cellId, operator }}
          onEnd={(words) => {
            setChange(null);
            if (words === null) return;
            setDone(words);
            again();
          }}
        />
      )}
    </section>
  );
}

type SwitchesProps = {
  readonly state: KillSwitchView;
  /** Tenants of the viewer; null is every one. */
  readonly tenants: readonly string[] | null;
  readonly operator: boolean;
  readonly onChange: (change: Change) => void;
};

function Switches({ state, tenants, operator, onChange }: SwitchesProps) {
  const [other, setOther] = useState("");
  const known = new Set([...Object.keys(state.tenants), ...(tenants ?? [])]);
  const rows: readonly (readonly [string | null, boolean])[] = [
    [null, state.global],
    ...[...known].sort().map((tenantId) => [tenantId, state.tenants[tenantId] ?? false] as const),
  ];
  return (
    <>
      <div class="wide">
        <table class="switches">
          <thead>
            <tr>
              <th scope="col">for</th>
              <th scope="col">is</th>
              {operator && <th scope="col">order</th>}
            </tr>
          </thead>
          <tbody>
            {rows.map(([tenantId, on]) => (
              <tr key={tenantId ?? ""}>
                <th scope="row">
                  {tenantId === null ? (
                    "every tenant"
                  ) : (
                    <>
                      tenant <Given text={tenantId} short />
                    </>
                  )}
                </th>
                <td>
                  <span class={on ? "status on" : "status off"}>{on ? "on" : "off"}</span>
                </td>
                {operator && (
                  <td>
                    {tenantId === null && tenants !== null ? (
                      <span class="quiet">your key has tenants of its own</span>
                    ) : (
                      <button
                        type="button"
                        aria-label={`Switch ${on ? "off" : "on"} for ${tenantId === null ? "every tenant" : `tenant ${visible(tenantId)}`}`}
                        onClick={() => onChange({ tenantId, on: !on })}
                      >
                        Switch {on ? "off" : "on"}
                      </button>
                    )}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {operator && tenants === null && (
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault();
            if (other.trim() !== "") onChange({ tenantId: other.trim(), on: state.tenants[other.trim()] !== true });
          }}
        >
          <div class="field">
            <label for="other-tenant">Another tenant</label>
            <input
              id="other-tenant"
              value={other}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setOther(event.currentTarget.value)}
            />
          </div>
          <div class="buttons">
            <button type="submit">Switch on</button>
          </div>
        </form>
      )}
    </>
  );
}

type ConfirmationProps = {
  readonly api: Api;
  readonly change: Change;
  readonly cellId: string;
  readonly operator: { readonly id: string; readonly signer: Signer };
  /** `words`: what was done, or null when it was given up. */
  readonly onEnd: (words: string | null) => void;
};

/** Repeats what the order says, and has its scope typed before anything is signed. */
function Confirmation({ api, change: { tenantId, on }, cellId, operator, onEnd }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const scope = visible(tenantId ?? "every tenant");
  useEffect(() => dialog.current?.showModal(), []);
  const order = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const ports = { clock: { now: () => Date.now() }, entropy: systemEntropy };
      const envelope = await signOrder(ports, operator, payloadTypes.killSwitch, killSwitchOrder(cellId, tenantId, on));
      await api.post(replies.killSwitch, "/v1/killswitch", envelope);
      onEnd(`The kill switch was switched ${on ? "on" : "off"} for ${scope}.`);
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirmation" onClose={() => onEnd(null)}>
      <h2 id="confirmation">
        Switch {on ? "on" : "off"} for <bdi>{scope}</bdi>
      </h2>
      <p>
        {on
          ? "Nothing starts there from then on, whatever policy allows and whoever approved it."
          : "Actions start again there where policy and safety allow them."}
      </p>
      <dl class="facts">
        <dt>cell</dt>
        <dd>
          <Given text={cellId} />
        </dd>
        <dt>signed by</dt>
        <dd>
          <Given text={operator.id} /> <span class="digest">{operator.signer.keyId}</span>
        </dd>
      </dl>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === scope && !busy) void order();
        }}
      >
        <div class="field">
          <label for="typed-scope">
            Type <strong>{scope}</strong> to sign the order
          </label>
          <input
            id="typed-scope"
            value={typed}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </div>
        <Failure error={error} />
        <div class="buttons">
          <button type="submit" class="danger" disabled={typed !== scope || busy}>
            Sign and switch {on ? "on" : "off"}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
