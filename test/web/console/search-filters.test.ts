import { describe, expect, it } from "vitest";
import { requests } from "../../../src/contracts/control.js";
import { type Filters, filterPart, filterQuery, readFilters } from "../../../src/web/console/search-filters.js";

/** What the address gives back: each part is decoded once before a view sees it. */
const throughAddress = (filters: Filters): Filters => readFilters(decodeURIComponent(filterPart(filters)));

describe("filters of the list of intents", () => {
  it.each<[string, Filters]>([
    ["none", {}],
    [
      "all",
      {
        q: "orders csv",
        state: "in_doubt",
        action: "fs.remove",
        actorId: "a",
        tenantId: "t",
        from: "2026-01-31T09:05",
        until: "2026-01-31T10:00",
      },
    ],
    ["what an address takes apart", { actorId: "a/b&state=denied#x?y=%2F+z", tenantId: "ten ant" }],
    ["text of any script", { actorId: "\u05D0\u202E\u{1F600}" }],
  ])("%s: come back through the address", (_, filters) => {
    expect(throughAddress(filters)).toEqual(filters);
  });

  it("what is no filter, and what is empty, is left out", () => {
    expect(readFilters("state=&actorId=%20&limit=1&cursor=x&__proto__=y&action=fs.read")).toEqual({
      action: "fs.read",
    });
    expect(readFilters(undefined)).toEqual({});
  });

  it("are a query that the route takes, a minute as its first millisecond", () => {
    const query = filterQuery({ state: "denied", actorId: "a&b", from: "2026-01-31T09:05" }, 50);
    expect(query).toBe("state=denied&actorId=a%26b&from=2026-01-31T09%3A05%3A00.000Z&limit=50");
    expect(requests.intents.safeParse(Object.fromEntries(new URLSearchParams(query))).success).toBe(true);
  });

  it("a time that is none goes to the control plane, which refuses it", () => {
    const query = filterQuery({ until: "yesterday" }, 1);
    expect(query).toBe("until=yesterday&limit=1");
    expect(requests.intents.safeParse(Object.fromEntries(new URLSearchParams(query))).success).toBe(false);
  });
});
