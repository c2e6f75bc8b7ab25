import type { z } from "zod";
import type { Api } from "./api.js";

/** What came of walking a list. */
export type Collected<T> = {
  readonly items: readonly T[];
  /** Goes on where the walk ended; null when it came to the end. */
  readonly next: string | null;
};

/** How far a list is walked. */
export type Walk<T> = {
  /** Path and query without a cursor. */
  readonly path: string;
  readonly cursor?: string | null;
  /** Most pages that are asked for. */
  readonly pages: number;
  /** Enough was found. */
  readonly enough?: (items: readonly T[]) => boolean;
  readonly signal: AbortSignal;
};

/** Walks a list page by page. A page may hold nothing and still go on (spec/control-plane.md, Lists). */
export async function collect<T>(
  api: Api,
  schema: z.ZodType<{ items: T[]; nextCursor: string | null }>,
  { path, cursor = null, pages, enough = () => false, signal }: Walk<T>,
): Promise<Collected<T>> {
  const items: T[] = [];
  let next = cursor;
  for (let page = 0; page < pages; page++) {
    const joint = path.includes("?") ? "&" : "?";
    const asked = next === null ? path : `${path}${joint}cursor=${encodeURIComponent(next)}`;
    const answer = await api.get(schema, asked, signal);
    items.push(...answer.items);
    next = answer.nextCursor;
    if (next === null || enough(items)) break;
  }
  return { items, next };
}
