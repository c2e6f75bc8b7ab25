import { z } from "zod";
import { isHost, isUrlPath } from "./url.js";

/** Methods of the capability `http_request` (spec/capabilities.md). */
export const httpMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Name of a header in lower case: a token of HTTP. */
export const headerNameSchema = z
  .string()
  .regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "expected a lower-case header name such as content-type");

/** One place a grant of `http_request` reaches. Every member is compared exactly, `pathPrefix` segment by segment. */
export const httpAllowSchema = z.strictObject({
  scheme: z.enum(["http", "https"]),
  /** Lower-case host name or four plain decimals, as in a URL in normal form (spec/policy.md). */
  host: z.string().min(1).max(253).refine(isHost, "expected a lower-case host name such as api.example.com"),
  port: z.number().int().min(1).max(65_535),
  methods: z.array(z.enum(httpMethods)).min(1).max(httpMethods.length),
  /** A path in normal form: it and what is under it. `/` is everything. */
  pathPrefix: z.string().min(1).max(4096).refine(isUrlPath, "expected a path in normal form such as /v1/orders"),
});

/** One place a grant of `http_request` reaches. */
export type HttpAllow = z.infer<typeof httpAllowSchema>;
