import { pointerOf } from "../contracts/common.js";
import { referenceIntentSchema } from "../contracts/reference-event.js";
import { isObject, NumberLiteral, type ReferenceJson, type ReferenceObject } from "./reference-json.js";
import { plain } from "./reference-read.js";

/** An intent as the reference's model has it, or what is wrong with it, in words. */
type ReadIntent =
  | { readonly ok: true; readonly value: ReferenceObject }
  | { readonly ok: false; readonly error: string };

/**
 * Reads an ExecutionIntentV1 as the reference's model does: every member present, absent ones null, the time in its own
 * form.
 */
export function readReferenceIntent(value: ReferenceJson): ReadIntent {
  if (!isObject(value)) return { ok: false, error: "expected an object" };
  const parsed = referenceIntentSchema.safeParse(plain(value));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { ok: false, error: `${pointerOf(issue?.path ?? []) || "/"}: ${issue?.message ?? "another shape"}` };
  }
  const { requested_at, ttl_seconds } = parsed.data;
  const requested = referenceTime(requested_at);
  if (requested === undefined)
    return { ok: false, error: `/requested_at: expected an ISO 8601 time, came ${requested_at}` };
  const lifetime = typeof ttl_seconds === "number" ? new NumberLiteral(String(ttl_seconds), true) : null;
  return { ok: true, value: { parameters: null, ...value, requested_at: requested, ttl_seconds: lifetime } };
}

const timeForm =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?$/;

/** A time as the reference writes it again: microseconds if there are any, the offset in digits. Undefined for none. */
function referenceTime(text: string): string | undefined {
  const match = timeForm.exec(text);
  if (match === null) return undefined;
  const [, year = "", month = "", day = "", hour, minute, second, fraction = "", zone = ""] = match;
  if (Number(year) === 0 || Number(day) < 1 || Number(day) > daysIn(Number(year), Number(month))) return undefined;
  const micros = fraction.slice(0, 6).padEnd(6, "0");
  const offset = zone === "Z" || zone === "-00:00" ? "+00:00" : zone;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${/[1-9]/.test(micros) ? `.${micros}` : ""}${offset}`;
}

function daysIn(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}
