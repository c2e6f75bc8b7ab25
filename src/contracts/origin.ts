import { z } from "zod";
import { httpAllowSchema } from "./http.js";
import { isHost, splitUrl } from "./url.js";

/** One server: scheme, host and port, each compared exactly. */
export const originSchema = httpAllowSchema
  .pick({ scheme: true, port: true })
  .extend({ host: z.string().max(253).refine(isHost, "expected a lower-case host name such as api.example.com") });

/** One server. */
export type Origin = z.infer<typeof originSchema>;

/** True when both are the same server. */
export function isSameOrigin(a: Origin, b: Origin): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

/** The server of an http or https URL in normal form; undefined for anything else. */
export function originOf(url: string): Origin | undefined {
  const { scheme, host = "", port = null } = splitUrl(url) ?? {};
  return (scheme === "http" || scheme === "https") && port !== null ? { scheme, host, port } : undefined;
}

/** Such as `https://api.example.com:443`. */
export function formatOrigin({ scheme, host, port }: Origin): string {
  return `${scheme}://${host}:${port}`;
}
