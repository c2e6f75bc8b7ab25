import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import type { z } from "zod";
import type { Api } from "./api.js";
import { collect } from "./collect.js";
import { useAnswer, useQuietly, useTick } from "./live.js";
import { Failure } from "./shown.js";

/** Items of one page of a view. */
export const pageItems = 50;

/** How many pages of the route are asked for to fill one of the view: they may be short (spec/control-plane.md, Search). */
const routePages = 4;

type PagesProps<T> = {
  readonly api: Api;
  readonly schema: z.ZodType<{ items: T[]; nextCursor: string | null }>;
  /** Path and query, {@link pageItems} as the limit. A list of another query needs another `key`. */
  readonly path: string;
  /** The newest item in a few words, for who does not see the list. */
  readonly say: (newest: T) => string;
  readonly show: (items: readonly T[]) => ComponentChild;
};

/** A list of the control plane, page by page, newest first. The first page grows while it is looked at. */
export function Pages<T>(props: PagesProps<T>) {
  const tick = useTick();
  // Cursors of the pages gone through; the last is of the page that is shown.
  const [trail, setTrail] = useState<readonly (string | null)[]>([null]);
  const cursor = trail.at(-1) ?? null;
  return (
    <Page
      key={cursor ?? "first"}
      {...props}
      cursor={cursor}
      tick={cursor === null ? tick : 0}
      onOlder={(next) => setTrail([...trail, next])}
      onNewer={trail.length > 1 ? () => setTrail(trail.slice(0, -1)) : null}
    />
  );
}

type PageProps<T> = PagesProps<T> & {
  readonly cursor: string | null;
  readonly tick: number;
  readonly onOlder: (cursor: string) => void;
  readonly onNewer: (() => void) | null;
};

function Page<T>({ api, schema, path, say, show, cursor, tick, onOlder, onNewer }: PageProps<T>) {
  const enough = (items: readonly T[]): boolean => items.length >= pageItems;
  const { value, error } = useAnswer(
    (signal) => collect(api, schema, { path, cursor, pages: routePages, enough, signal }),
    tick,
  );
  const newest = value?.items[0];
  const said = useQuietly(newest === undefined ? "" : say(newest));
  return (
    <>
      <Failure error={error} />
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      {value === null ? error === null && <p class="quiet">Reading.</p> : show(value.items)}
      {value !== null && value.next !== null && !enough(value.items) && (
        <p class="quiet">There is more that was not looked at yet.</p>
      )}
      <nav class="pages" aria-label="Pages">
        <button type="button" disabled={onNewer === null} onClick={onNewer ?? undefined}>
          Newer
        </button>
        <button type="button" disabled={!value?.next} onClick={() => value?.next && onOlder(value.next)}>
          Older
        </button>
      </nav>
    </>
  );
}
