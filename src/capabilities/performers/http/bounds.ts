/** Bounds of one call of `http_request` where its grant names none, and those that no grant changes (spec/capabilities.md). */
export const httpBounds = {
  /** Redirects followed. */
  maxRedirects: 5,
  /** Milliseconds for the whole call, name resolution and redirects included. */
  timeoutMs: 30_000,
  /** Headers of an answer that a guest gets to see. */
  responseHeaders: ["content-type", "location"],
  /** Bytes of an answer's status line and headers. */
  headerBytes: 32_768,
  /** Codings laid over one another in an answer. */
  codings: 3,
  /** Addresses of one name that are tried, in the order of the answer. */
  addresses: 4,
} as const;
