import { isSameOrigin } from "../../../contracts/origin.js";
import { placeholderPattern, placeholderStart, type SecretBinding, secretFault } from "../../../contracts/secret.js";
import { ok, type Result, refuse } from "../../../errors.js";
import type { Logger, Vault } from "../../../ports.js";
import type { Filled, OutgoingRequest, SecretDesk } from "../http/hooks.js";
import { fillBody } from "./body.js";
import { scrubBytes, scrubText } from "./scrub.js";
import { fillText, type Values } from "./text.js";

/** What a desk is made of. */
export type SecretDeskOptions = {
  /** Where each secret may go, by name. */
  readonly secrets: Readonly<Record<string, SecretBinding>>;
  readonly vault: Vault;
  readonly logger: Logger;
};

/** A placeholder that was found, and the value it stands for. */
type Known = { readonly name: string; readonly binding: SecretBinding; readonly value: Uint8Array };

/**
 * Fills in placeholders (spec/capabilities.md, Secrets). Refused, and so not sent: EXO_SECRET_DENIED for a placeholder
 * that is malformed, not granted, bound to another origin or standing anywhere but at its place; EXO_SECRET_UNKNOWN for
 * a secret without a value; EXO_SECRET_VALUE for one whose value does not fit its place; EXO_VAULT.
 */
export function createSecretDesk(options: SecretDeskOptions): SecretDesk {
  return { fill: (request, granted) => fill(options, request, granted), scrubText, scrubBytes };
}

async function fill(
  options: SecretDeskOptions,
  request: OutgoingRequest,
  granted: readonly string[],
): Promise<Result<Filled>> {
  const names = findNames(request);
  if (!names.ok) return names;
  if (names.value.size === 0) return ok({ request, values: [] });
  const known: Known[] = [];
  for (const name of names.value) {
    const found = await lookUp(options, request, granted, name);
    if (!found.ok) return found;
    known.push(found.value);
  }
  const headers = fillHeaders(request.headers, known);
  if (!headers.ok) return headers;
  const body = fillBody(request.body, valuesByPointer(known));
  if (!body.ok) return body;
  const filled = { ...request, headers: headers.value, body: body.value };
  return ok({ request: filled, values: known.map(({ value }) => value) });
}

/** Names of all placeholders, wherever they stand. Refused when one is malformed. */
function findNames({ path, headers, body }: OutgoingRequest): Result<ReadonlySet<string>> {
  const names = new Set<string>();
  const texts = [decodePercent(path), path, ...Object.values(headers), Buffer.from(body).toString("latin1")];
  for (const text of texts) {
    let found = 0;
    for (const [, name = ""] of text.matchAll(placeholderPattern)) {
      names.add(name);
      found++;
    }
    if (text.split(placeholderStart).length - 1 !== found) {
      return denied(`a placeholder is malformed; expected ${placeholderStart}NAME}}`);
    }
  }
  for (const name of names) {
    const inPath = texts.slice(0, 2).some((text) => text.includes(placeholderOf(name)));
    if (inPath) return denied(`the secret ${name} stands in the URL, where none is filled in`);
  }
  return ok(names);
}

async function lookUp(
  { secrets, vault, logger }: SecretDeskOptions,
  request: OutgoingRequest,
  granted: readonly string[],
  name: string,
): Promise<Result<Known>> {
  // Whether a secret exists is told only to those who may use it.
  if (!granted.includes(name)) {
    return denied(`the secret ${name} is not granted; http_request.secrets of the executor's grant must name it`);
  }
  const binding = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  if (binding === undefined) {
    return refuse("EXO_SECRET_UNKNOWN", `the secret ${name} is not configured; secrets in config.json must bind it`);
  }
  if (!isSameOrigin(binding.origin, request)) return denied(`the secret ${name} is bound to another origin`);
  let value: Uint8Array | undefined;
  try {
    value = await vault.get(name);
  } catch (error) {
    logger.log("error", "a vault could not be read", { secret: name, error: String(error) });
    return refuse("EXO_VAULT", "the vault could not be read");
  }
  if (value === undefined) return refuse("EXO_SECRET_UNKNOWN", `the secret ${name} has no value in its vault`);
  const fault = secretFault(value, binding);
  if (fault !== undefined) return refuse("EXO_SECRET_VALUE", `the secret ${name} ${fault}`);
  return ok({ name, binding, value });
}

function fillHeaders(
  headers: OutgoingRequest["headers"],
  known: readonly Known[],
): Result<Readonly<Record<string, string>>> {
  const filled: Record<string, string> = {};
  for (const [field, text] of Object.entries(headers)) {
    const here = known.filter(({ binding }) => binding.header === field);
    const result = fillText(text, new Map(here.map(({ name, value }) => [name, value])));
    if (!result.ok) return result;
    filled[field] = result.value;
  }
  return ok(filled);
}

function valuesByPointer(known: readonly Known[]): ReadonlyMap<string, Values> {
  const pointers = new Map<string, Map<string, Uint8Array>>();
  for (const { name, binding, value } of known) {
    if (binding.body === undefined) continue;
    const here = pointers.get(binding.body) ?? new Map<string, Uint8Array>();
    pointers.set(binding.body, here.set(name, value));
  }
  return pointers;
}

function placeholderOf(name: string): string {
  return `${placeholderStart}${name}}}`;
}

/** A path as a server may read it; what is no encoding stays. */
function decodePercent(path: string): string {
  return path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function denied(message: string): Result<never> {
  return refuse("EXO_SECRET_DENIED", message);
}
