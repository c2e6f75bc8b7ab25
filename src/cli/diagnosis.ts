import { type ErrorCode, isExoArmurError } from "../errors.js";

/** One line of the doctor. `warn` is worth a look and stops nothing. */
export type Diagnosis = {
  readonly id: string;
  readonly state: "ok" | "warn" | "fail";
  readonly code?: ErrorCode;
  readonly message: string;
};

/** What an examination found when it did not throw: good news as text, or a diagnosis of its own. */
export type Found = string | { readonly state: "warn" | "fail"; readonly code?: ErrorCode; readonly message: string };

/** Makes one examination; whatever it throws is its failure. */
export async function examine(id: string, look: () => Found | Promise<Found>): Promise<Diagnosis> {
  try {
    const found = await look();
    return typeof found === "string" ? { id, state: "ok", message: found } : { id, ...found };
  } catch (error) {
    if (isExoArmurError(error)) return { id, state: "fail", code: error.code, message: error.message };
    return { id, state: "fail", message: error instanceof Error ? error.message : String(error) };
  }
}
