import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { parseTime } from "../../canonical/time.js";
import { replies } from "../../contracts/control.js";
import { Entrance } from "./entrance.js";
import { Live } from "./live.js";
import type { Session } from "./session.js";
import { Given, Moment } from "./shown.js";
import type { View } from "./view.js";
import { views } from "./views.js";

// Entry point of the console: who is logged in, and which view the address names.

function readPath(): readonly string[] {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

function usePath(): readonly string[] {
  const [path, setPath] = useState(readPath);
  useEffect(() => {
    const changed = (): void => setPath(readPath());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return path;
}

function Console() {
  const [session, setSession] = useState<Session | null>(null);
  const [notice, setNotice] = useState<string | null>(null);
  const leave = (words: string): void => {
    setNotice(words);
    setSession(null);
  };
  useEffect(() => {
    const expiresAt = session?.expiresAt ?? null;
    if (expiresAt === null) return;
    const left = parseTime(expiresAt) - Date.now();
    const timer = setTimeout(() => leave("The session is over. Log in again to go on where you were."), left);
    return () => clearTimeout(timer);
  }, [session]);
  if (session === null) {
    const lost = (): void => leave("The control plane does not know this session any more. Log in again.");
    return <Entrance notice={notice} onOpen={setSession} onLost={lost} />;
  }
  const logOut = (): void => {
    const over = session.identity === null ? Promise.resolve() : session.api.delete(replies.closed, currentSession);
    // A session that could not be ended is forgotten all the same, and ends by itself.
    Promise.resolve(over).then(
      () => leave("You are logged out."),
      () => leave("You are logged out here; the control plane could not be told."),
    );
  };
  return <Inside session={session} onLeave={logOut} />;
}

const currentSession = "/v1/auth/sessions/current";

function Inside({ session, onLeave }: { readonly session: Session; readonly onLeave: () => void }) {
  const [name, ...path] = usePath();
  const view = views.find((one) => one.name === name) ?? views[0];
  const main = useRef<HTMLElement>(null);
  const place = [view?.name, ...path].join("/");
  const before = useRef(place);
  useEffect(() => {
    document.title = `${view?.title ?? ""} - ExoArmur console`;
    if (before.current === place) return;
    before.current = place;
    main.current?.focus();
  }, [place]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the view
      </button>
      <header class="bar">
        <p class="name">ExoArmur</p>
        <Navigation current={view} />
        <Who session={session} onLeave={onLeave} />
      </header>
      <main ref={main} id="view" tabIndex={-1}>
        <Live api={session.api}>{view?.show({ ...session, path })}</Live>
      </main>
    </>
  );
}

function Navigation({ current }: { readonly current: View | undefined }) {
  return (
    <nav aria-label="Views">
      {views.map((one) => (
        <a key={one.name} href={`#/${one.name}`} aria-current={one === current ? "page" : undefined}>
          {one.title}
        </a>
      ))}
    </nav>
  );
}

function Who({
  session: { me, identity, expiresAt },
  onLeave,
}: {
  readonly session: Session;
  readonly onLeave: () => void;
}) {
  return (
    <div class="who">
      <p>
        <Given text={me.name} short /> <span class="quiet">{identity?.role ?? "reader"}</span>
        {expiresAt !== null && (
          <span class="quiet">
            {" until "}
            <Moment time={expiresAt} />
          </span>
        )}
      </p>
      <button type="button" onClick={onLeave}>
        Log out
      </button>
    </div>
  );
}

const root = document.getElementById("page");
if (root !== null) render(<Console />, root);
