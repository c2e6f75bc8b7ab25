import { ExoArmurError } from "../errors.js";
import type { Principal } from "./principal.js";

/** Too many requests of one credential, or of an address without one. */
export class TooMany extends ExoArmurError {
  /** After how long the next is worth a try. */
  readonly seconds: number;
  /** Which limit: so many in a time, so many at once, so many streams. */
  readonly why: "rate" | "under_way" | "streams";
  /** Whose requests; null for an address, which nobody has proven. */
  readonly principal: Principal | null;

  constructor(seconds: number, why: TooMany["why"], principal: Principal | null, message: string) {
    super("EXO_RATE", message);
    this.name = "TooMany";
    this.seconds = seconds;
    this.why = why;
    this.principal = principal;
  }
}
