import { type ErrorCode, ExoArmurError } from "../errors.js";

/** A request that is not let through; `why` is what denials are counted by (spec/control-plane.md, Denied access). */
export class AccessDenied extends ExoArmurError {
  readonly why: string;
  /** Id of a proven key or token that the request does not otherwise show. */
  readonly credential: string | null;

  constructor(
    code: Extract<ErrorCode, "EXO_AUTHENTICATION" | "EXO_FORBIDDEN" | "EXO_ORIGIN">,
    why: string,
    message: string,
    credential: string | null = null,
  ) {
    super(code, message);
    this.name = "AccessDenied";
    this.why = why;
    this.credential = credential;
  }
}
