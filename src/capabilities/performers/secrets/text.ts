import { placeholderPattern } from "../../../contracts/secret.js";
import { ok, type Result, refuse } from "../../../errors.js";

/** Values by name, of those that may stand at one place. */
export type Values = ReadonlyMap<string, Uint8Array>;

/**
 * Replaces every placeholder of a text by its value, at once: what a value holds is never read again. EXO_SECRET_DENIED
 * for one whose secret may not stand there.
 */
export function fillText(text: string, values: Values): Result<string> {
  for (const [, name = ""] of text.matchAll(placeholderPattern)) {
    if (!values.has(name)) return refuse("EXO_SECRET_DENIED", `the secret ${name} stands where it is not bound`);
  }
  const filled = text.replaceAll(placeholderPattern, (_, name: string) =>
    Buffer.from(values.get(name) ?? []).toString("utf8"),
  );
  return ok(filled);
}
