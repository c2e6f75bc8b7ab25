import type { CapabilityName } from "../../contracts/imports.js";
import type { ErrorCode } from "../../errors.js";
import type { AbiValue, Performer, PerformOutcome } from "../../ports.js";
import { effectiveMaxBytes, kvBounds } from "../bounds.js";
import { textOf } from "../schemas.js";
import type { KeyValueView, SpaceCaps } from "./view.js";

type KvName = Extract<CapabilityName, `kv_${string}`>;

/**
 * The four performers over one run's view (spec/capabilities.md, Keys and values). Synchronous: a call is carried out
 * whole before anything else of the run happens, so none is ever half done or unknown.
 */
export function createKvPerformers(view: KeyValueView): Readonly<Record<KvName, Performer>> {
  return {
    kv_get: {
      perform: (request, { maxBytes }) => {
        const key = textOf(request, "key");
        const entry = view.find(key);
        if (entry === undefined) return done({ found: false, value: new Uint8Array(), version: 0 });
        const most = effectiveMaxBytes(maxBytes);
        if (entry.size > most) return refused("EXO_KV_SIZE", `the value has more than ${most} bytes`);
        return done({ found: true, value: view.value(key, entry), version: entry.version });
      },
    },
    kv_put: {
      perform: (request, constraints) => {
        const { value, expect } = request;
        const bytes = value instanceof Uint8Array ? value : new Uint8Array();
        const caps = capsOf(constraints);
        const written = view.put(textOf(request, "key"), bytes, countOf(expect), caps);
        if (written !== "full") return done(written);
        const { maxEntries, maxTotalBytes } = caps;
        return refused("EXO_KV_FULL", `there would be more than ${maxEntries} keys or ${maxTotalBytes} bytes`);
      },
    },
    kv_delete: { perform: (request) => done(view.delete(textOf(request, "key"), countOf(request["expect"]))) },
    kv_list: {
      perform: (request, { maxBytes }) => {
        const { after, limit } = request;
        const last = typeof after === "string" ? after : undefined;
        const most = effectiveMaxBytes(maxBytes);
        const page = view.list(textOf(request, "prefix"), last, countOf(limit) ?? kvBounds.listed, most);
        if (page === null) return refused("EXO_KV_SIZE", `the first key has more than ${most} bytes`);
        return done({ entries: page.entries.map((entry) => ({ ...entry })), more: page.more });
      },
    },
  };
}

function capsOf({ maxEntries, maxTotalBytes }: Readonly<Record<string, unknown>>): SpaceCaps {
  return {
    maxEntries: countOf(maxEntries) ?? kvBounds.maxEntries,
    maxTotalBytes: countOf(maxTotalBytes) ?? kvBounds.maxTotalBytes,
  };
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function done(value: { readonly [name: string]: AbiValue }): PerformOutcome {
  return { outcome: "ok", value };
}

function refused(code: ErrorCode, message: string): PerformOutcome {
  return { outcome: "error", code, message };
}
