import { useEffect, useState } from "preact/hooks";
import { openSession } from "../../client/login.js";
import { replies } from "../../contracts/control.js";
import { createApi } from "./api.js";
import { KeyDesk } from "./key-desk.js";
import { identityOf, listKeys, ownerOf, type StoredKey } from "./key-store.js";
import { OfflineDesk } from "./offline-desk.js";
import type { Session } from "./session.js";
import { Failure, Given } from "./shown.js";

type EntranceProps = {
  /** Why the session before is over; null for none. */
  readonly notice: string | null;
  readonly onOpen: (session: Session) => void;
  /** Called when the control plane does not know the credential any more. */
  readonly onLost: () => void;
};

/** Who is there: keys of this browser, a reader's token, or nobody, who can still sign from a file. */
export function Entrance({ notice, onOpen, onLost }: EntranceProps) {
  const [keys, setKeys] = useState<readonly StoredKey[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const read = (): void => {
    listKeys().then(setKeys, setError);
  };
  useEffect(read, []);
  const served = location.protocol !== "file:";
  const open = (work: () => Promise<Session>): void => {
    setBusy(true);
    setError(null);
    work()
      .then(onOpen, setError)
      .finally(() => setBusy(false));
  };
  const withKey = async (key: StoredKey): Promise<Session> => {
    const identity = identityOf(key);
    const { origin } = location;
    const { keyId, role } = identity;
    const { token, expiresAt } = await openSession({ origin, keyId, role, answer: identity.answer, fetch: usualFetch });
    const api = createApi(origin, token, onLost);
    return { api, identity, expiresAt, me: await api.get(replies.principal, "/v1/whoami") };
  };
  const withToken = async (token: string): Promise<Session> => {
    const api = createApi(location.origin, token, () => undefined);
    const me = await api.get(replies.principal, "/v1/whoami");
    return { api: createApi(location.origin, token, onLost), identity: null, expiresAt: null, me };
  };
  return (
    <main class="entrance" id="view" tabIndex={-1}>
      <header>
        <p class="name">ExoArmur console</p>
        <p class="quiet">Operators decide here, and sign on their own machine.</p>
      </header>
      {notice !== null && (
        <p class="notice" role="status">
          {notice}
        </p>
      )}
      {served && (
        <section aria-labelledby="login-title">
          <h1 id="login-title">Log in</h1>
          <Failure error={error} />
          <ul class="cards">
            {keys.map((key) => (
              <li key={key.keyId}>
                <button type="button" class="main" disabled={busy} onClick={() => open(() => withKey(key))}>
                  Log in as <Given text={ownerOf(key)} />
                </button>{" "}
                <span class="quiet">{key.kind === "passkey" ? "approver, passkey" : key.role}</span>{" "}
                <span class="digest">{key.keyId}</span>
              </li>
            ))}
          </ul>
          {keys.length === 0 && <p>There is no key in this browser yet. Make one below, or bring a reader's token.</p>}
          <TokenForm busy={busy} onToken={(token) => open(() => withToken(token))} />
        </section>
      )}
      {!served && (
        <>
          <h1>Sign from a file</h1>
          <p class="quiet">This copy is opened from a file, so it asks no control plane for anything.</p>
          <Failure error={error} />
        </>
      )}
      <KeyDesk keys={keys} onChange={read} />
      <OfflineDesk keys={keys} />
    </main>
  );
}

/** The page's own, called as the browser wants it. */
const usualFetch: typeof fetch = (input, init) => fetch(input, init);

function TokenForm({ busy, onToken }: { readonly busy: boolean; readonly onToken: (token: string) => void }) {
  return (
    <details>
      <summary>With a reader's token</summary>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          const token = new FormData(event.currentTarget).get("token");
          if (typeof token === "string") onToken(token.trim());
        }}
      >
        <div class="field">
          <label for="token">Token</label>
          <input id="token" name="token" type="password" autocomplete="off" required />
        </div>
        <div class="buttons">
          <button type="submit" disabled={busy}>
            Log in
          </button>
        </div>
      </form>
    </details>
  );
}
