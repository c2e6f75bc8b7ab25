/** What a list of intents can be narrowed by, in the order of the form. Times are minutes in UTC: `2026-01-31T09:05`. */
export const filterNames = ["q", "state", "action", "actorId", "tenantId", "from", "until"] as const;

/** A filter of the list. */
export type FilterName = (typeof filterNames)[number];

/** What a list of intents is narrowed by. */
export type Filters = Readonly<Partial<Record<FilterName, string>>>;

/** Filters of a part of the address, or of a form. What is no filter, and what is empty, is left out. */
export function readFilters(given: string | undefined): Filters {
  const params = new URLSearchParams(given ?? "");
  const found = filterNames.map((name) => [name, params.get(name)?.trim() ?? ""] as const);
  return Object.fromEntries(found.filter(([, text]) => text !== ""));
}

/** Filters as one part of the address, behind `#/intents/`; empty for none. */
export function filterPart(filters: Filters): string {
  return encodeURIComponent(searchOf(filters).toString());
}

/** Filters as the query of the list's route. A minute is its first millisecond. */
export function filterQuery(filters: Filters, limit: number): string {
  const search = searchOf(filters);
  for (const name of ["from", "until"] as const) {
    const minute = filters[name];
    if (minute !== undefined)
      search.set(name, /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(minute) ? `${minute}:00.000Z` : minute);
  }
  search.set("limit", String(limit));
  return search.toString();
}

function searchOf(filters: Filters): URLSearchParams {
  const search = new URLSearchParams();
  for (const name of filterNames) if (filters[name]) search.set(name, filters[name]);
  return search;
}
