import { useState } from "preact/hooks";
import { readJson } from "../../canonical/read.js";
import { parseContract } from "../../contracts/common.js";
import { type ApprovalView, replies } from "../../contracts/control.js";
import { readFile } from "../files.js";
import { Reviewed } from "./approval.js";
import { identityOf, ownerOf, type StoredKey } from "./key-store.js";
import { saveDocument } from "./save-file.js";
import { Failure, Given } from "./shown.js";

/** Reviews and signs a request that was saved to a file; the signed decision is a file too. Nothing is sent. */
export function OfflineDesk({ keys }: { readonly keys: readonly StoredKey[] }) {
  const [view, setView] = useState<ApprovalView | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [keyId, setKeyId] = useState<string | null>(null);
  const approvers = keys.filter((key) => key.kind === "passkey" || key.role === "approver");
  const key = approvers.find((one) => one.keyId === keyId) ?? approvers[0];
  const take = async (file: File | undefined): Promise<void> => {
    setError(null);
    setView(null);
    const read = file === undefined ? null : await readFile(file);
    if (read === null) return;
    try {
      if (typeof read === "string") throw new Error(read);
      setView(parseContract(replies.approval, readJson(read.bytes, { maxBytes: 16_777_216 }), read.name));
    } catch (thrown) {
      setError(thrown);
    }
  };
  return (
    <section aria-labelledby="offline-title" class="offline">
      <h2 id="offline-title">A saved request</h2>
      <p class="quiet">Reviews and signs a request from a file. Nothing leaves this page but the file you save.</p>
      <div class="proof">
        <label class="file">
          <input
            type="file"
            accept=".json"
            onChange={(event) => {
              void take(event.currentTarget.files?.[0]);
              event.currentTarget.value = "";
            }}
          />
          <span class="label">Open a request</span>
        </label>
        {approvers.length > 1 && (
          <label>
            Sign as{" "}
            <select value={key?.keyId} onChange={(event) => setKeyId(event.currentTarget.value)}>
              {approvers.map((one) => (
                <option key={one.keyId} value={one.keyId}>
                  {ownerOf(one)} {one.keyId}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <Failure error={error} />
      {view !== null && (
        <div class="review" key={view.requestDigest}>
          <p class="quiet">
            Signing as{" "}
            {key === undefined ? "nobody: there is no approver's key in this browser" : <Given text={ownerOf(key)} />}.
            Whether the request still waits is not known here.
          </p>
          <Reviewed
            view={view}
            asked={null}
            before={null}
            more={false}
            identity={key === undefined ? null : identityOf(key)}
            cellId={null}
            onSigned={(envelope, { decision }) => {
              const name = `${view.request.requestId}.${decision}.json`;
              saveDocument(name, envelope);
              return Promise.resolve(`Signed, and saved as ${name}. It counts once it is handed in.`);
            }}
          />
        </div>
      )}
    </section>
  );
}
