import type { HttpAllow } from "../../../contracts/http.js";
import type { Result } from "../../../errors.js";
import type { Assurance } from "../../../ports.js";

/** A granted request as it is about to go to one origin. Header names are in lower case. */
export type OutgoingRequest = {
  readonly method: HttpAllow["methods"][number];
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** An answer as it came, its body not yet decompressed. A header that came twice is joined as HTTP says. */
export type IncomingAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** A request with its placeholders filled in, and the values that must never come back to the guest. */
export type Filled = { readonly request: OutgoingRequest; readonly values: readonly Uint8Array[] };

/** Text or bytes of an answer without any form of the given secret values. `found`: something had to be taken out. */
export type Scrubbed<T> = { readonly value: T; readonly found: boolean };

/** What the performer of `http_request` asks of the vault (spec/capabilities.md, Secrets). */
export interface SecretDesk {
  /**
   * Replaces `{{secret:NAME}}` in headers and body. Refused, and so not sent: a secret that is not granted, not known,
   * or not bound to this origin and place.
   */
  fill(request: OutgoingRequest, granted: readonly string[]): Promise<Result<Filled>>;
  /** Takes every form of the values out of a text of the answer, header names and values included. */
  scrubText(text: string, values: readonly Uint8Array[]): Scrubbed<string>;
  /** Takes every form of the values out of a decompressed body. */
  scrubBytes(bytes: Uint8Array, values: readonly Uint8Array[]): Scrubbed<Uint8Array>;
}

/** What the performer asks of whoever knows the counterparties' keys (spec/capabilities.md, Assurance). */
export interface Voucher {
  /** True when answers of this origin are expected to be signed, so that none may be compressed on the way. */
  expects(request: OutgoingRequest): boolean;
  /**
   * The signed assurance of an answer; null when none is expected here. Refused when one is expected and missing or
   * wrong: the answer is then `unauthenticated`.
   */
  vouch(request: OutgoingRequest, answer: IncomingAnswer): Result<Assurance | null>;
}
