import type { Claim, Found } from "./finding.js";
import type { Bench, Stage } from "./stage.js";

/**
 * Under which policy a guarantee is tried: `own` is the home's, unchanged; `asking` the home's where one of its rules
 * asks for approval of something that can be made up, else as `derived`; `derived` is the home's with rules for the
 * guests before its own; `closed` after the scratch home's runtime has closed.
 */
export type Ground = "own" | "asking" | "derived" | "closed";

/** One named guarantee and how it is tried. `claim` is the guarantee itself. */
export type Guarantee = Claim &
  (
    | {
        readonly ground: Exclude<Ground, "closed">;
        readonly attempt: (stage: Stage, claim: Claim) => Promise<Found>;
      }
    | { readonly ground: "closed"; readonly attempt: (bench: Bench, claim: Claim) => Promise<Found> }
  );
