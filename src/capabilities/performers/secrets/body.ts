import { canonicalText, type JsonValue } from "../../../canonical/jcs.js";
import { readJson } from "../../../canonical/read.js";
import { pointerTokens } from "../../../contracts/pointer.js";
import { placeholderPattern, placeholderStart } from "../../../contracts/secret.js";
import { isExoArmurError, ok, type Result, refuse } from "../../../errors.js";
import { fillText, type Values } from "./text.js";

/**
 * Fills placeholders of a JSON body, each only in the string its secret is bound to. The text around them stays byte
 * for byte. Text is filled in where a placeholder is written; then before and after are read as a strict reader reads
 * them, and may differ in the bound strings alone: so it does not matter how a pointer and a place in the text are
 * matched, nor that a key occurs twice.
 */
export function fillBody(body: Uint8Array, pointers: ReadonlyMap<string, Values>): Result<Uint8Array> {
  const text = Buffer.from(body).toString("latin1");
  if (!text.includes(placeholderStart)) return ok(body);
  const before = read(body);
  if (before === undefined) return denied("a placeholder stands in a body that is no strict JSON");
  let expected = before;
  for (const [pointer, values] of pointers) {
    const replaced = replaceAt(expected, pointerTokens(pointer), values);
    if (!replaced.ok) return replaced;
    expected = replaced.value;
  }
  const all = new Map([...pointers.values()].flatMap((values) => [...values]));
  const here = fillText(text, all);
  if (!here.ok) return here;
  const filled = text.replaceAll(placeholderPattern, (_, name: string) => escapeJson(all.get(name)));
  const bytes = new Uint8Array(Buffer.from(filled, "latin1"));
  const after = read(bytes);
  if (after === undefined || canonicalText(after) !== canonicalText(expected)) {
    return denied("a placeholder stands in the body where its secret is not bound");
  }
  return ok(bytes);
}

/** A copy of a document with the placeholders of one of its strings filled in. */
function replaceAt(value: JsonValue, [part, ...rest]: readonly string[], values: Values): Result<JsonValue> {
  if (part === undefined) return typeof value === "string" ? fillText(value, values) : nothing();
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return nothing();
  if (Array.isArray(value)) {
    if (!/^(?:0|[1-9]\d*)$/.test(part)) return nothing();
    const item = replaceAt(value[Number(part)] ?? null, rest, values);
    return item.ok ? ok(value.with(Number(part), item.value)) : item;
  }
  const members = value as { readonly [key: string]: JsonValue };
  const member = replaceAt(members[part] ?? null, rest, values);
  return member.ok ? ok({ ...members, [part]: member.value }) : member;
}

function nothing(): Result<never> {
  return denied("a secret is bound to a string that the body does not have");
}

function read(body: Uint8Array): JsonValue | undefined {
  try {
    return readJson(body, { maxBytes: body.length });
  } catch (error) {
    if (isExoArmurError(error)) return undefined;
    throw error;
  }
}

/** A value inside a JSON string, one character a byte. */
function escapeJson(value: Uint8Array = new Uint8Array()): string {
  const quoted = JSON.stringify(Buffer.from(value).toString("utf8"));
  return Buffer.from(quoted.slice(1, -1), "utf8").toString("latin1");
}

function denied(message: string): Result<never> {
  return refuse("EXO_SECRET_DENIED", message);
}
