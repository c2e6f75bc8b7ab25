import { useState } from "preact/hooks";
import { canonicalize } from "../../canonical/jcs.js";
import { policyReplies } from "../../contracts/control-policies.js";
import { payloadTypes, signEnvelope } from "../../contracts/dsse.js";
import type { AnyPolicy } from "../../contracts/policy-cedar.js";
import { readPolicy } from "../../policy/read.js";
import type { Signer } from "../../ports.js";
import { readFile } from "../files.js";
import type { Api } from "./api.js";
import { PolicyText } from "./policies-text.js";
import { Failure, Given } from "./shown.js";

type ProposeProps = { readonly api: Api; readonly signer: Signer; readonly onDone: () => void };

/** Takes a policy file, shows what was read, and has its author sign it in this browser. It takes no effect by that. */
export function Propose({ api, signer, onDone }: ProposeProps) {
  const [policy, setPolicy] = useState<AnyPolicy | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState("");
  const take = async (file: File): Promise<void> => {
    setPolicy(null);
    setError(null);
    const read = await readFile(file);
    if (typeof read === "string") throw new Error(read);
    setPolicy(readPolicy(read.bytes, read.name));
  };
  const propose = async (document: AnyPolicy): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      const envelope = await signEnvelope(payloadTypes.policy, canonicalize(document), signer);
      const { version } = await api.post(policyReplies.proposed, "/v1/policies", envelope);
      setPolicy(null);
      setDone(`Version ${version} is proposed. It takes no effect before it is activated.`);
      onDone();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="propose">
      <label class="file">
        <input
          id="policy-file"
          type="file"
          accept=".json,.yaml,.yml"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) take(file).catch(setError);
            event.currentTarget.value = "";
          }}
        />
        <span class="label">Propose a policy</span>
        <span class="quiet">*.json or *.yaml</span>
      </label>
      <p role="status">{done}</p>
      <Failure error={error} />
      {policy !== null && (
        <div class="reason">
          <h3>
            <Given text={policy.policyId} /> version {policy.version}
          </h3>
          <PolicyText policy={policy} />
          <div class="buttons">
            <button type="button" class="main" disabled={busy} onClick={() => void propose(policy)}>
              Sign and propose
            </button>
            <button type="button" onClick={() => setPolicy(null)}>
              Cancel
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
