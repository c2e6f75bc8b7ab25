import { decodeBase64, encodeBase64 } from "../crypto/encoding.js";

/** A bare item of Structured Fields (RFC 8941) as HTTP message signatures and digests use them. */
export type BareItem = string | number | boolean | Uint8Array;

/** Parameters in their order. */
export type Parameters = readonly (readonly [key: string, value: BareItem])[];

/** A string with parameters. */
export type StringItem = { readonly value: string; readonly parameters: Parameters };

/** A list in parentheses, with parameters of its own. */
export type InnerList = { readonly items: readonly StringItem[]; readonly parameters: Parameters };

/** Most characters of a field that are read. */
const maxField = 16_384;

/**
 * Reads a dictionary of inner lists of strings, such as Signature-Input. undefined for anything else, for a key or
 * parameter that occurs twice (RFC 8941 lets the last one count), and for what is written in another way than it would
 * be serialized, but for blanks between members.
 */
export function readInnerLists(field: string): ReadonlyMap<string, InnerList> | undefined {
  return readDictionary(field, (reader) => reader.innerList());
}

/** Reads a dictionary of byte sequences without parameters, such as Signature and Content-Digest. As readInnerLists. */
export function readByteSequences(field: string): ReadonlyMap<string, Uint8Array> | undefined {
  return readDictionary(field, (reader) => reader.bytes());
}

/** Reads one inner list, such as the value of `@signature-params`. As readInnerLists. */
export function readInnerList(text: string): InnerList | undefined {
  if (text.length > maxField) return undefined;
  const reader = new Reader(text);
  const list = reader.innerList();
  return reader.ended ? list : undefined;
}

/** Serializes an inner list (RFC 8941, section 4.1.1.1). */
export function writeInnerList({ items, parameters }: InnerList): string {
  return `(${items.map(writeString).join(" ")})${writeParameters(parameters)}`;
}

/** Serializes a string with its parameters. */
export function writeString({ value, parameters }: StringItem): string {
  return `${writeItem(value)}${writeParameters(parameters)}`;
}

function writeParameters(parameters: Parameters): string {
  return parameters.map(([key, value]) => (value === true ? `;${key}` : `;${key}=${writeItem(value)}`)).join("");
}

function writeItem(item: BareItem): string {
  if (typeof item === "string") return `"${item.replaceAll(/["\\]/g, "\\$&")}"`;
  if (typeof item === "number") return String(item);
  if (typeof item === "boolean") return item ? "?1" : "?0";
  return `:${encodeBase64(item)}:`;
}

function readDictionary<T>(
  field: string,
  readValue: (reader: Reader) => T | undefined,
): ReadonlyMap<string, T> | undefined {
  if (field.length > maxField) return undefined;
  const reader = new Reader(field);
  const members = new Map<string, T>();
  for (;;) {
    const key = reader.take(/[a-z*][a-z0-9_\-.*]{0,99}/y);
    if (key === undefined || members.has(key) || reader.take(/=/y) === undefined) return undefined;
    const value = readValue(reader);
    if (value === undefined) return undefined;
    members.set(key, value);
    if (reader.ended) return members;
    if (reader.take(/, ?/y) === undefined) return undefined;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at === this.#text.length;
  }

  /** What a sticky pattern matches here, which is passed over. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  innerList(): InnerList | undefined {
    if (this.take(/\(/y) === undefined) return undefined;
    const items: StringItem[] = [];
    while (this.take(/\)/y) === undefined) {
      if (items.length > 0 && this.take(/ /y) === undefined) return undefined;
      const value = this.#string();
      const parameters = value === undefined ? undefined : this.#parameters();
      if (value === undefined || parameters === undefined) return undefined;
      items.push({ value, parameters });
    }
    const parameters = this.#parameters();
    return parameters === undefined ? undefined : { items, parameters };
  }

  bytes(): Uint8Array | undefined {
    const text = this.take(/:[A-Za-z0-9+/]*={0,2}:/y);
    return text === undefined ? undefined : decodeBase64(text.slice(1, -1));
  }

  #string(): string | undefined {
    const text = this.take(/"(?:[ !#-[\]-~]|\\["\\])*"/y);
    return text?.slice(1, -1).replaceAll(/\\(["\\])/g, "$1");
  }

  #parameters(): Parameters | undefined {
    const parameters: (readonly [string, BareItem])[] = [];
    while (this.take(/;/y) !== undefined) {
      const key = this.take(/[a-z*][a-z0-9_\-.*]{0,99}/y);
      if (key === undefined || parameters.some(([known]) => known === key)) return undefined;
      const value = this.take(/=/y) === undefined ? true : this.#bareItem();
      if (value === undefined) return undefined;
      parameters.push([key, value]);
    }
    return parameters;
  }

  #bareItem(): BareItem | undefined {
    const digits = this.take(/(?:0|-?[1-9][0-9]{0,14})(?![0-9.])/y);
    return digits === undefined ? (this.#string() ?? this.bytes()) : Number(digits);
  }
}
