import { useState } from "preact/hooks";
import { Comparison } from "../comparison.js";
import { type Named, readFile } from "../files.js";
import { Timeline } from "../timeline.js";
import { useCheck } from "../use-check.js";
import { Checks, Verdict } from "../verdict.js";
import type { Api } from "./api.js";
import { saveFile } from "./save-file.js";
import { Failure } from "./shown.js";

/** The trust file that the viewer chose, kept while the page is open. It comes from the viewer, never from a server. */
let chosenTrust: Named | null = null;

type ProofProps = { readonly api: Api; readonly intentId: string };

/** Download of an intent's bundle, and its verification and replay in this browser. */
export function Proof({ api, intentId }: ProofProps) {
  const { findings, start, stop } = useCheck();
  const [trust, setTrust] = useState(chosenTrust);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState<"verify" | "save" | null>(null);
  const name = `${intentId}.proof.json`;

  const withBundle = (what: "verify" | "save", use: (bundle: Uint8Array) => void): void => {
    setBusy(what);
    setError(null);
    api
      .bytes(`/v1/intents/${intentId}/bundle`)
      .then(use)
      .catch(setError)
      .finally(() => setBusy(null));
  };
  const takeTrust = async (file: File | undefined): Promise<void> => {
    const read = file === undefined ? null : await readFile(file);
    setError(typeof read === "string" ? new Error(read) : null);
    if (read === null || typeof read === "string") return;
    chosenTrust = read;
    setTrust(read);
  };

  return (
    <>
      <h2 id="proof">Proof</h2>
      <div class="proof">
        <button
          type="button"
          disabled={busy !== null}
          onClick={() => withBundle("verify", (bytes) => start({ name, bytes }, trust))}
        >
          Verify and replay here
        </button>
        <button
          type="button"
          disabled={busy !== null}
          onClick={() => withBundle("save", (bytes) => saveFile(name, bytes))}
        >
          Download bundle
        </button>
        <label class="file">
          <input
            id="trust-file"
            type="file"
            accept=".json"
            onChange={(event) => {
              void takeTrust(event.currentTarget.files?.[0]);
              event.currentTarget.value = "";
            }}
          />
          <span class="label">{trust === null ? "Choose a trust file" : trust.name}</span>
          <span class="quiet">{trust === null ? "whose keys count; without one the bundle's own" : "another one"}</span>
        </label>
      </div>
      <Failure error={error} />
      {busy === "verify" && <p class="quiet">Fetching the bundle.</p>}
      {findings !== null && busy !== "verify" && (
        <div class="findings">
          <Verdict findings={findings} onStop={() => stop("it was stopped")} />
          <Checks findings={findings} />
          <Comparison findings={findings} />
          {findings.story !== null && (
            <Timeline key={findings.story.intentId} findings={findings} story={findings.story} />
          )}
        </div>
      )}
    </>
  );
}
