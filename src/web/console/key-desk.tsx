import { useState } from "preact/hooks";
import { readFile } from "../files.js";
import {
  type ConsoleRole,
  consoleRoleSchema,
  entryOf,
  importKeyFile,
  keepPasskey,
  makeKey,
  ownerOf,
  removeKey,
  type StoredKey,
} from "./key-store.js";
import { createPasskey } from "./passkey.js";
import { saveDocument } from "./save-file.js";
import { Failure, Given } from "./shown.js";

const roleWords: Readonly<Record<ConsoleRole, string>> = {
  approver: "approver: decides requests",
  "policy-author": "policy author: proposes and activates policies",
  operator: "operator: kill switch, resolutions, sessions",
};

type DeskProps = {
  readonly keys: readonly StoredKey[];
  /** Reads the keys again. */
  readonly onChange: () => void;
};

/** Keys of this browser: making, taking in, forgetting, and how each is admitted to a home. */
export function KeyDesk({ keys, onChange }: DeskProps) {
  const [error, setError] = useState<unknown>(null);
  const [id, setId] = useState("");
  const [role, setRole] = useState<ConsoleRole>("approver");
  const [done, setDone] = useState("");
  const run = (work: () => Promise<string>): void => {
    setError(null);
    work().then((words) => {
      setDone(words);
      onChange();
    }, setError);
  };
  const takeIn = async (file: File): Promise<string> => {
    const read = await readFile(file);
    if (typeof read === "string") throw new Error(read);
    return `The key of ${ownerOf(await importKeyFile(read.bytes))} was taken in.`;
  };
  const name = id.trim();
  return (
    <section aria-labelledby="keys-title" class="keys">
      <h2 id="keys-title">Keys of this browser</h2>
      <p class="quiet">
        A key is made here and stays here: the browser signs with it and gives it to nobody, this page included. It
        counts once whoever keeps the trust file has entered it.
      </p>
      <p role="status">{done}</p>
      <Failure error={error} />
      <ul class="cards">
        {keys.map((key) => (
          <KeyCard key={key.keyId} stored={key} onRemove={() => run(() => forget(key))} />
        ))}
      </ul>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <div class="field">
          <label for="key-id">Name in the trust file</label>
          <input
            id="key-id"
            value={id}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setId(event.currentTarget.value)}
          />
        </div>
        <div class="field">
          <label for="key-role">Role</label>
          <select
            id="key-role"
            value={role}
            onChange={(event) => setRole(consoleRoleSchema.parse(event.currentTarget.value))}
          >
            {consoleRoleSchema.options.map((one) => (
              <option key={one} value={one}>
                {roleWords[one]}
              </option>
            ))}
          </select>
        </div>
        <div class="buttons">
          <button type="button" disabled={name === ""} onClick={() => run(async () => made(await makeKey(name, role)))}>
            Make a key
          </button>
          {role === "approver" && location.protocol !== "file:" && (
            <button
              type="button"
              disabled={name === ""}
              onClick={() =>
                run(async () =>
                  made(await keepPasskey(await createPasskey({ rpId: location.hostname, user: { id: name } }))),
                )
              }
            >
              Make a passkey
            </button>
          )}
          <label class="file">
            <input
              type="file"
              accept=".key,.json"
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file !== undefined) run(() => takeIn(file));
                event.currentTarget.value = "";
              }}
            />
            <span class="label">Take a key file in</span>
          </label>
        </div>
      </form>
    </section>
  );
}

function made(key: StoredKey): string {
  return `The key of ${ownerOf(key)} was made. Save its entry, and have it admitted.`;
}

async function forget(key: StoredKey): Promise<string> {
  await removeKey(key.keyId);
  return `The key of ${ownerOf(key)} was forgotten.`;
}

function KeyCard({ stored, onRemove }: { readonly stored: StoredKey; readonly onRemove: () => void }) {
  const [sure, setSure] = useState(false);
  const owner = ownerOf(stored);
  const file = `${stored.keyId}.entry.json`;
  const role = stored.kind === "passkey" ? "approver, passkey" : stored.role;
  return (
    <li>
      <p>
        <strong>
          <Given text={owner} />
        </strong>{" "}
        <span class="quiet">{role}</span> <span class="digest">{stored.keyId}</span>
      </p>
      <details>
        <summary>Admit or forget</summary>
        <p>
          <button type="button" onClick={() => saveDocument(file, entryOf(stored))}>
            Save its entry
          </button>{" "}
          <code>exoarmur keys trust add {file}</code>
        </p>
        <p class="quiet">A running control plane reads its trust file at its next start.</p>
        <p>
          <button type="button" class="danger" onClick={() => (sure ? onRemove() : setSure(true))}>
            {sure ? "Forget it for good" : "Forget this key"}
          </button>
        </p>
      </details>
    </li>
  );
}
