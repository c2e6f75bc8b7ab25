import { z } from "zod";
import { httpMethods } from "./http-methods.js";
import { isHostPattern, isUrlPath } from "./url.js";

/**
 * Classes of addresses that are not public (spec/capabilities.md, Networks). `embedded` are IPv6 addresses that carry
 * an IPv4 address, which counts beside them.
 */
export const networkClasses = [
  "embedded",
  "link_local",
  "loopback",
  "metadata",
  "multicast",
  "private",
  "reserved",
  "shared",
] as const;

/** A class of addresses that are not public. */
export type NetworkClass = (typeof networkClasses)[number];

/** Name of a header in lower case: a token of HTTP. */
export const headerNameSchema = z
  .string()
  .regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "expected a lower-case header name such as content-type");

const urlPathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine(isUrlPath, "expected a path in normal form such as /v1/orders");

/**
 * One place a grant of `http_request` reaches. Every member is compared exactly, but `pathPrefix` segment by segment,
 * and a host that begins with `*.` has one label of any kind there.
 */
export const httpAllowSchema = z.strictObject({
  scheme: z.enum(["http", "https"]),
  /** Lower-case host name or four plain decimals, as in a URL in normal form (spec/policy.md), or `*.` and a name. */
  host: z
    .string()
    .min(1)
    .max(253)
    .refine(isHostPattern, "expected a lower-case host name such as api.example.com or *.example.com"),
  port: z.number().int().min(1).max(65_535),
  methods: z.array(z.enum(httpMethods)).min(1).max(httpMethods.length),
  /** A path in normal form: it and what is under it. `/` is everything. */
  pathPrefix: urlPathSchema,
  /** Addresses it may have besides public ones. */
  networks: z.array(z.enum(networkClasses)).min(1).max(networkClasses.length).optional(),
});

/** One place a grant of `http_request` reaches. */
export type HttpAllow = z.infer<typeof httpAllowSchema>;

/** What a policy's obligation says of every place of a grant of `http_request` (spec/policy.md, Narrowing). */
export const httpObligationSchema = z.strictObject({
  methods: httpAllowSchema.shape.methods.optional(),
  pathPrefix: urlPathSchema.optional(),
  /** URLs in normal form: each and what is under its path. `{target}` is the intent's target. */
  urls: z.array(z.string().min(1).max(8192)).min(1).max(100).optional(),
});

/** What an obligation says of every place. */
export type HttpObligation = z.infer<typeof httpObligationSchema>;
