/** Bytes one call may read or write when its grant names no `maxBytes`: 16 MiB. */
const defaultMaxBytes = 16_777_216;

/** Bytes one call may read or write whatever its grant names: 32 MiB, so that a transcript entry stays a document. */
export const greatestMaxBytes = 33_554_432;

/**
 * Request and response bytes a transcript may hold when another call is made: 64 MiB. A call beyond it ends the run as
 * host_call_limit, in a recording and in its replay alike (spec/capabilities.md).
 */
export const transcriptBytes = 67_108_864;

/** Bytes of a request without write content: a path of 4,096 characters or a log line, with room to spare. */
export const plainRequestBytes = 32_768;

/** Entries of a directory that is listed or added to, when its grant names no `maxEntries`. */
const defaultMaxEntries = 10_000;

/** Entries of such a directory whatever the grant names, so that its listing fits an answer. */
const greatestMaxEntries = 100_000;

/**
 * Keys and values of one executor in one tenant: most keys, most bytes of all keys and values together (64 MiB) where
 * the grant of `kv_put` names no others; keys of a page of `kv_list` that asks for no number.
 */
export const kvBounds = { maxEntries: 10_000, maxTotalBytes: 67_108_864, listed: 100 } as const;

/** UTF-8 bytes of one log message: 4 KiB. */
export const logMessageBytes = 4096;

/** The number of bytes one call may carry under a grant. */
export function effectiveMaxBytes(maxBytes: unknown): number {
  return typeof maxBytes === "number" ? Math.min(maxBytes, greatestMaxBytes) : defaultMaxBytes;
}

/** The number of entries a directory may have under a grant, to be listed or after one is added. */
export function effectiveMaxEntries(maxEntries: unknown): number {
  return typeof maxEntries === "number" ? Math.min(maxEntries, greatestMaxEntries) : defaultMaxEntries;
}
