import { replies, requests } from "../../contracts/control.js";
import { IntentTable } from "./intents-table.js";
import { Pages, pageItems } from "./list-pages.js";
import { type FilterName, type Filters, filterNames, filterPart, filterQuery, readFilters } from "./search-filters.js";
import type { ViewProps } from "./view.js";

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
      <Pages
        key={`list ${part}`}
        api={api}
        schema={replies.intents}
        path={`/v1/intents?${filterQuery(filters, pageItems)}`}
        say={({ state }) => `newest intent ${state.replaceAll("_", " ")}`}
        show={(items) => <IntentTable intents={items} me={me} />}
      />
    </section>
  );
}

function FilterForm({ filters, me }: Pick<ViewProps, "me"> & { readonly filters: Filters }) {
  const names = filterNames.filter((name) => name !== "tenantId" || me.tenants === null || me.tenants.length > 1);
  return (
    <form
      class="filters search"
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
