import type { ComponentChild } from "preact";
import type { z } from "zod";
import type { replies } from "../../contracts/control.js";
import type { Api } from "./api.js";
import type { Identity } from "./identity.js";

/** What the control plane says of the credential. */
export type Me = z.infer<typeof replies.principal>;

/** What a view is given. */
export type ViewProps = {
  readonly api: Api;
  readonly me: Me;
  /** Null for a reader who came with a token: there is nothing to sign with. */
  readonly identity: Identity | null;
  /** What follows the view's name in the address, such as the intent's id in `#/intents/ID`. */
  readonly path: readonly string[];
};

/** One entry of the navigation. */
export type View = {
  /** First part of the address: `#/NAME`. */
  readonly name: string;
  readonly title: string;
  readonly show: (props: ViewProps) => ComponentChild;
};
