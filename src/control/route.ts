import type { z } from "zod";
import type { ControlRole } from "../contracts/access.js";
import type { Desk } from "./desk.js";
import type { Principal } from "./principal.js";

/** One authenticated request whose parts have passed their contracts. */
export type Call<P, Q, B> = {
  readonly desk: Desk;
  readonly route: string;
  /** Nobody on an open route. */
  readonly principal: Principal;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The control plane's origin as the request named it, such as `http://localhost:7411`. */
  readonly origin: string;
  /** Goes on as a principal that the body proved: its requests are limited, and denials are counted, as its own. */
  readonly as: <T>(principal: Principal, work: () => Promise<T>) => Promise<T>;
  /** Aborts when the client is gone or the control plane closes. */
  readonly signal: AbortSignal;
  /** Texts of headers that routes read beside the table; undefined where one was not sent. */
  readonly headers: { readonly authorization: string | undefined; readonly lastEventId: string | undefined };
  /** Ends the connection at once, whatever still waits to be sent on it. */
  readonly hangUp: () => void;
};

/**
 * What a handler answers: JSON, or for a route of another media type its text, bytes or stream. `status` default 200.
 * The request is under way until `ended` resolves, where there is one.
 */
export type Reply = { readonly status?: number; readonly body: unknown; readonly ended?: Promise<void> };

/**
 * How tenants bear on a route. `none`: what it shows belongs to no tenant. `filter`: it shows the caller's tenants alone,
 * and naming another is EXO_FORBIDDEN. `object`: another tenant's object is answered as one that does not exist.
 * `signed`: the document that is handed in is signed, and the pipeline holds its signer to the signer's tenants.
 * `cell`: only for credentials of the whole cell.
 */
export type Tenancy = "none" | "filter" | "object" | "signed" | "cell";

/** One row of the table of routes: all there is to know of a route (spec/control-plane.md, Routes). */
export type Row<P, Q, B> = {
  /** Stable name, in records of denials and as operationId. */
  readonly id: string;
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/v1/intents/{intentId}`. */
  readonly path: string;
  readonly about: string;
  /** Roles of which one is needed; `open` needs no credential, and of a `signed` route the body is the credential. */
  readonly roles: readonly ControlRole[] | "open" | "signed";
  readonly tenancy: Tenancy;
  readonly params: z.ZodType<P>;
  readonly query: z.ZodType<Q>;
  /** Contract of the body, and its most bytes; null takes none. */
  readonly body: { readonly schema: z.ZodType<B>; readonly maxBytes: number } | null;
  /** Contract of the answer, or its media type. */
  readonly reply: { readonly schema: z.ZodType } | { readonly media: string };
  /** What a request takes from its bucket; 0 is not limited. */
  readonly cost: number;
  handle(call: Call<P, Q, B>): Promise<Reply> | Reply;
};

/** A row whatever its types. */
export type Route = Row<unknown, unknown, unknown>;

/** Checks a row's handler against its contracts, and forgets the types. */
export function route<P, Q, B>(row: Row<P, Q, B>): Route {
  return row as Route;
}
