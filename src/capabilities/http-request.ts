import { z } from "zod";
import { type HttpAllow, headerNameSchema } from "../contracts/http.js";
import { httpMethods } from "../contracts/http-methods.js";
import type { Constraints } from "../contracts/manifest.js";
import { isPathPrefix, matchesHost, splitUrl } from "../contracts/url.js";
import { ok, type Result, refuse } from "../errors.js";
import type { AbiValue } from "../ports.js";

/** Most header fields of a request. */
export const httpHeaderCount = 64;

/** Printable ASCII and inner blanks: nothing that ends a line or a field. */
const headerValue = /^(?:[!-~](?:[ -~\t]{0,8190}[!-~])?)?$/;

/**
 * Fields that are the host's: where a message begins, ends or goes, what it may be compressed with, and the name by
 * which its receiver can tell a repetition.
 */
const hostFields: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "idempotency-key",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Can a text be the value of a header field? */
export function isHeaderValue(text: string): boolean {
  return text.length <= 8192 && headerValue.test(text);
}

const headers = z
  .record(headerNameSchema, z.string().max(8192).regex(headerValue))
  .refine((fields) => Object.keys(fields).length <= httpHeaderCount)
  .refine((fields) => !Object.keys(fields).some((name) => hostFields.has(name) || name.startsWith("proxy-")));

/** Request of `http_request` (spec/capabilities.md). GET and HEAD have no body. */
export const httpRequestSchema = z
  .strictObject({
    method: z.enum(httpMethods),
    url: z.string().min(1).max(8192),
    headers,
    body: z.instanceof(Uint8Array),
  })
  .refine(({ method, body }) => body.length === 0 || (method !== "GET" && method !== "HEAD"), { path: ["body"] });

/**
 * Is this request inside one grant of `http_request`? EXO_CAPABILITY_DENIED for a URL that is not in normal form
 * (spec/policy.md, URLs) and for one that no entry of `allow` reaches. Without `allow` nothing is reached. `paths` are
 * paths of files: a grant that has them reaches no URL.
 */
export function checkHttp(
  constraints: Constraints,
  request: Readonly<Record<string, AbiValue>>,
  executor: string,
): Result<true> {
  const { method, url } = request;
  const target = typeof url === "string" ? splitUrl(url) : null;
  if (target === null) {
    return denied("http_request expects an http or https URL in normal form, such as https://api.example.com/v1");
  }
  if (constraints.paths !== undefined) {
    return denied("http_request is not granted: the grant names paths of files, which reach no URL");
  }
  const inside = placesOf(constraints, method, url).length > 0;
  const line = `grants.${executor}.http_request.allow in config.json must name its scheme, host, port, method and path`;
  return inside ? ok(true) : denied(`http_request is not granted for this request; ${line}`);
}

/** The places of a grant that a request is inside of; none for a URL that is not in normal form. */
export function placesOf(
  { allow = [], paths }: Constraints,
  method: AbiValue | undefined,
  url: AbiValue | undefined,
): readonly HttpAllow[] {
  const target = typeof url === "string" ? splitUrl(url) : null;
  if (target === null || paths !== undefined) return [];
  return allow.filter(
    (place) =>
      place.scheme === target.scheme &&
      matchesHost(target.host, place.host) &&
      place.port === target.port &&
      place.methods.some((allowed) => allowed === method) &&
      isPathPrefix(target.path, place.pathPrefix),
  );
}

function denied(message: string): Result<never> {
  return refuse("EXO_CAPABILITY_DENIED", message);
}
