/** How trying a guarantee ended. What could not be tried is never counted as held. */
export type GuaranteeState = "held" | "broken" | "could_not_be_tried";

/** What trying a guarantee found. `code` is the one it was refused or ended with. */
export type Found = { readonly state: GuaranteeState; readonly code?: string; readonly message: string };

/** What is said of a guarantee: what must happen, and the attempt to make something else happen. */
export type Claim = {
  readonly id: string;
  readonly title: string;
  /** How it is tried, for people. */
  readonly tried: string;
  /** What must happen: a result, and one of these codes where there is one. */
  readonly expected: string;
  readonly codes: readonly string[];
};

/** The attempt was stopped as it must be. */
export function held(message: string, code?: string): Found {
  return { state: "held", message, ...(code === undefined ? {} : { code }) };
}

/** The attempt succeeded, or was not stopped as it must be. */
export function broken(message: string): Found {
  return { state: "broken", message };
}

/** Nothing was shown either way. */
export function notTried(message: string, code?: string): Found {
  return { state: "could_not_be_tried", message, ...(code === undefined ? {} : { code }) };
}
