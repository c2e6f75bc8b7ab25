import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { replies } from "../../contracts/control.js";
import { type Api, createApi } from "./api.js";
import type { Identity, Me } from "./view.js";
import { views } from "./views.js";

// Entry point of the console: who is logged in, and which view the address names.

type Session = { readonly api: Api; readonly me: Me; readonly identity: Identity | null };

function usePath(): readonly string[] {
  const read = (): string[] => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const [path, setPath] = useState(read);
  useEffect(() => {
    const changed = (): void => setPath(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return path;
}

function Login({ onOpen }: { readonly onOpen: (session: Session) => void }) {
  const [problem, setProblem] = useState<string | null>(null);
  const open = async (token: string): Promise<void> => {
    const api = createApi(location.origin, token, () => setProblem("the credential counts no more"));
    onOpen({ api, me: await api.get(replies.principal, "/v1/whoami"), identity: null });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const token = new FormData(event.currentTarget).get("token");
        if (typeof token !== "string") return;
        open(token).catch((error: unknown) => setProblem(String(error)));
      }}
    >
      <label>
        Token <input name="token" type="password" autocomplete="off" required />
      </label>
      <button type="submit">Log in</button>
      {problem !== null && <p role="alert">{problem}</p>}
    </form>
  );
}

function Console() {
  const [session, setSession] = useState<Session | null>(null);
  const [name, ...path] = usePath();
  if (session === null) return <Login onOpen={setSession} />;
  const view = views.find((one) => one.name === name) ?? views[0];
  return (
    <>
      <nav aria-label="Views">
        {views.map((one) => (
          <a key={one.name} href={`#/${one.name}`} aria-current={one === view ? "page" : undefined}>
            {one.title}
          </a>
        ))}
      </nav>
      <main>{view?.show({ ...session, path })}</main>
    </>
  );
}

const root = document.getElementById("page");
if (root !== null) render(<Console />, root);
