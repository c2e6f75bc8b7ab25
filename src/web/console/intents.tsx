import { useState } from "preact/hooks";
import { replies, requests } from "../../contracts/control.js";
import { collect } from "./collect.js";
import { IntentTable } from "./intents-table.js";
import { useAnswer, useQuietly, useTick } from "./live.js";
import { type FilterName, type Filters, filterNames, filterPart, filterQuery, readFilters } from "./search-filters.js";
import { Failure } from "./shown.js";
import type { ViewProps } from "./view.js";

/** Intents of one page of the view, and how many pages of the route are asked for to fill it. */
const shown = { items: 50, pages: 4 };

const labels: Readonly<Record<FilterName, string>> = {
  q: "Words",
  state: "State",
  action: "Action",
  actorId: "Actor",
  tenantId: "Tenant",
  from: "From (UTC)",
  until: "Until (UTC)",
};

/** Every intent that the viewer may see, newest first, narrowed by the filters of the address. */
export function Intents({ api, me, path }: ViewProps) {
  const filters = readFilters(path[0]);
  const part = filterPart(filters);
  return (
    <section aria-labelledby="intents-title">
      <h1 id="intents-title">Intents</h1>
      <FilterForm key={part} filters={filters} me={me} />
      <List key={`list ${part}`} api={api} me={me} filters={filters} />
    </section>
  );
}

function FilterForm({ filters, me }: Pick<ViewProps, "me"> & { readonly filters: Filters }) {
  const names = filterNames.filter((name) => name !== "tenantId" || me.tenants === null || me.tenants.length > 1);
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new URLSearchParams();
        for (const [name, value] of new FormData(event.currentTarget)) {
          if (typeof value === "string") given.set(name, value);
        }
        location.hash = `#/intents/${filterPart(readFilters(given.toString()))}`;
      }}
    >
      {names.map((name) => (
        <div class="field" key={name}>
          <label for={`filter-${name}`}>{labels[name]}</label>
          <Field name={name} value={filters[name] ?? ""} tenants={me.tenants} />
        </div>
      ))}
      <div class="buttons">
        <button type="submit">Search</button>
        {Object.keys(filters).length > 0 && <a href="#/intents">Clear</a>}
      </div>
    </form>
  );
}

type FieldProps = {
  readonly name: FilterName;
  readonly value: string;
  readonly tenants: readonly string[] | null;
};

function Field({ name, value, tenants }: FieldProps) {
  const id = `filter-${name}`;
  const options =
    name === "state" ? requests.intents.shape.state.unwrap().options : name === "tenantId" ? tenants : null;
  if (options !== null)
    return (
      <select id={id} name={name} value={value}>
        <option value="">any</option>
        {options.map((one) => (
          <option key={one} value={one}>
            {one.replaceAll("_", " ")}
          </option>
        ))}
      </select>
    );
  if (name === "from" || name === "until") return <input id={id} name={name} type="datetime-local" value={value} />;
  return <input id={id} name={name} value={value} autocomplete="off" spellcheck={false} />;
}

type ListProps = Pick<ViewProps, "api" | "me"> & { readonly filters: Filters };

function List({ api, me, filters }: ListProps) {
  const tick = useTick();
  // Cursors of the pages gone through; the last is of the page that is shown.
  const [trail, setTrail] = useState<readonly (string | null)[]>([null]);
  const cursor = trail.at(-1) ?? null;
  return (
    <Page
      key={cursor ?? "first"}
      api={api}
      me={me}
      filters={filters}
      cursor={cursor}
      // Only the first page grows.
      tick={cursor === null ? tick : 0}
      onOlder={(next) => setTrail([...trail, next])}
      onNewer={trail.length > 1 ? () => setTrail(trail.slice(0, -1)) : null}
    />
  );
}

type PageProps = ListProps & {
  readonly cursor: string | null;
  readonly tick: number;
  readonly onOlder: (cursor: string) => void;
  readonly onNewer: (() => void) | null;
};

function Page({ api, me, filters, cursor, tick, onOlder, onNewer }: PageProps) {
  const { value, error } = useAnswer(
    (signal) =>
      collect(api, replies.intents, {
        path: `/v1/intents?${filterQuery(filters, shown.items)}`,
        cursor,
        pages: shown.pages,
        enough: (items) => items.length >= shown.items,
        signal,
      }),
    tick,
  );
  const newest = value?.items[0];
  const said = useQuietly(newest === undefined ? "" : `newest intent ${newest.state.replaceAll("_", " ")}`);
  return (
    <>
      <Failure error={error} />
      <p class="unseen" aria-live="polite">
        {said}
      </p>
      {value === null ? error === null && <p class="quiet">Reading.</p> : <IntentTable intents={value.items} me={me} />}
      {value !== null && value.next !== null && value.items.length < shown.items && (
        <p class="quiet">There are older intents that were not looked at yet.</p>
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
