import type { Api } from "./api.js";
import type { Identity } from "./identity.js";
import type { Me } from "./view.js";

/** Who is logged in. The credential is in the memory of this page alone, and gone with it. */
export type Session = {
  readonly api: Api;
  readonly me: Me;
  /** Null for a reader with a token. */
  readonly identity: Identity | null;
  /** When it ends; null where that is not known. */
  readonly expiresAt: string | null;
};
