/** In which respect one decision permits something else than another. */
export type ChangeClass = "permission" | "approvals" | "approvers" | "expiry" | "hold" | "grant";

/** `widens`: the new decision permits what the old one did not; `narrows`: the reverse; `unknown`: cannot be told. */
export type Direction = "widens" | "narrows" | "unknown";

/** One difference between two decisions about the same request. */
export type Change = { readonly class: ChangeClass; readonly direction: Direction; readonly about: string };
