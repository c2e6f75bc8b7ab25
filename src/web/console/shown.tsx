import { isExoArmurError } from "../../errors.js";
import { shortDigest } from "../../replay/story/format.js";
import { formatMoment } from "../format.js";
import { shorten, visible } from "../visible.js";
import { requestIdOf } from "./api.js";

/** Most characters of a text that somebody else chose, where it is one of many. */
const mostShort = 120;

type GivenProps = {
  readonly text: string;
  /** One of many: a long text is cut, and says so. */
  readonly short?: boolean;
};

/** A text that somebody else chose: all of it can be seen, and it turns nothing around it. */
export function Given({ text, short = false }: GivenProps) {
  return <bdi>{short ? shorten(text, mostShort) : visible(text)}</bdi>;
}

type MomentProps = {
  readonly time: string;
  /** The place says that it is UTC. */
  readonly brief?: boolean;
};

/** A recorded time, in UTC. */
export function Moment({ time, brief = false }: MomentProps) {
  return (
    <time class="moment" dateTime={time}>
      {visible(formatMoment(time).replace(/\.\d{3} UTC$/, brief ? "" : " UTC"))}
    </time>
  );
}

/** The start of a digest; all of it is its title. */
export function ShortDigest({ digest }: { readonly digest: string }) {
  return (
    <code class="digest" title={visible(digest)}>
      {visible(shortDigest(digest))}
    </code>
  );
}

/** A document for reading. */
export function Document({ value }: { readonly value: unknown }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
    <pre tabIndex={0}>{visible(JSON.stringify(value, null, 2) ?? "nothing", true)}</pre>
  );
}

/** Why something could not be done: the code, what the control plane says, and under which request it is in its log. */
export function Failure({ error }: { readonly error: unknown }) {
  if (error === null || error === undefined) return null;
  const message = error instanceof Error ? error.message : "an unknown error";
  const requestId = requestIdOf(error);
  return (
    <p class="problem" role="alert">
      {isExoArmurError(error) && <code>{error.code}</code>} {visible(message, true)}
      {requestId !== undefined && <span class="quiet"> request {visible(requestId)}</span>}
    </p>
  );
}

/** The word for a state, with its colour. */
export function State({ state }: { readonly state: string }) {
  return <span class={`status ${state}`}>{visible(state.replaceAll("_", " "))}</span>;
}
