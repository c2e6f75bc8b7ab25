import { Value } from "../../sdk/assembly/value";

/** What an argument may be: any of these bits. */
export const T_NULL: i32 = 1;
export const T_BOOLEAN: i32 = 2;
export const T_NUMBER: i32 = 4;
export const T_STRING: i32 = 8;
export const T_ARRAY: i32 = 16;
export const T_OBJECT: i32 = 32;
/** An array of numbers, an array of strings; an empty one is both. */
export const T_NUMBERS: i32 = 64;
export const T_STRINGS: i32 = 128;
/** `&expression` */
export const T_REFERENCE: i32 = 256;
export const T_ANY: i32 = 63;

export const ABS: i32 = 0;
export const AVG: i32 = 1;
export const CEIL: i32 = 2;
export const CONTAINS: i32 = 3;
export const ENDS_WITH: i32 = 4;
export const FLOOR: i32 = 5;
export const JOIN: i32 = 6;
export const KEYS: i32 = 7;
export const LENGTH: i32 = 8;
export const MAP: i32 = 9;
export const MAX: i32 = 10;
export const MAX_BY: i32 = 11;
export const MERGE: i32 = 12;
export const MIN: i32 = 13;
export const MIN_BY: i32 = 14;
export const NOT_NULL: i32 = 15;
export const REVERSE: i32 = 16;
export const SORT: i32 = 17;
export const SORT_BY: i32 = 18;
export const STARTS_WITH: i32 = 19;
export const SUM: i32 = 20;
export const TO_ARRAY: i32 = 21;
export const TO_NUMBER: i32 = 22;
export const TO_STRING: i32 = 23;
export const TYPE: i32 = 24;
export const VALUES: i32 = 25;

/** A function's name and parameters. The last parameter of a variadic one may be given any number of times, but once at least. */
class Signature {
  constructor(public name: string, public parameters: i32[], public variadic: bool = false) {}
}

/** By function number. */
const SIGNATURES: Signature[] = [
  new Signature("abs", [T_NUMBER]),
  new Signature("avg", [T_NUMBERS]),
  new Signature("ceil", [T_NUMBER]),
  new Signature("contains", [T_STRING | T_ARRAY, T_ANY]),
  new Signature("ends_with", [T_STRING, T_STRING]),
  new Signature("floor", [T_NUMBER]),
  new Signature("join", [T_STRING, T_STRINGS]),
  new Signature("keys", [T_OBJECT]),
  new Signature("length", [T_STRING | T_ARRAY | T_OBJECT]),
  new Signature("map", [T_REFERENCE, T_ARRAY]),
  new Signature("max", [T_NUMBERS | T_STRINGS]),
  new Signature("max_by", [T_ARRAY, T_REFERENCE]),
  new Signature("merge", [T_OBJECT], true),
  new Signature("min", [T_NUMBERS | T_STRINGS]),
  new Signature("min_by", [T_ARRAY, T_REFERENCE]),
  new Signature("not_null", [T_ANY], true),
  new Signature("reverse", [T_STRING | T_ARRAY]),
  new Signature("sort", [T_NUMBERS | T_STRINGS]),
  new Signature("sort_by", [T_ARRAY, T_REFERENCE]),
  new Signature("starts_with", [T_STRING, T_STRING]),
  new Signature("sum", [T_NUMBERS]),
  new Signature("to_array", [T_ANY]),
  new Signature("to_number", [T_ANY]),
  new Signature("to_string", [T_ANY]),
  new Signature("type", [T_ANY]),
  new Signature("values", [T_OBJECT]),
];

/** A function's number, -1 when there is none of that name. */
export function findFunction(name: Value): i32 {
  for (let i = 0; i < SIGNATURES.length; i++) {
    if (name.is(SIGNATURES[i].name)) return i;
  }
  return -1;
}

/** Why a function can't be called with so many arguments, null when it can. */
export function arityOf(number: i32, given: i32): string | null {
  const signature = SIGNATURES[number];
  const wanted = signature.parameters.length;
  if (signature.variadic ? given >= wanted : given == wanted) return null;
  const least = signature.variadic ? "at least " : "";
  const plural = wanted == 1 ? " argument" : " arguments";
  return signature.name + " takes " + least + wanted.toString() + plural + ", got " + given.toString();
}

/** Bits that an argument at this place must have one of. */
export function parameterOf(number: i32, place: i32): i32 {
  const parameters = SIGNATURES[number].parameters;
  return parameters[min(place, parameters.length - 1)];
}

/** The function's name. */
export function nameOf(number: i32): string {
  return SIGNATURES[number].name;
}

/** The kinds of an argument in words, for messages. */
export function wordsOf(bits: i32): string {
  if (bits == T_ANY) return "a value";
  const words: string[] = [];
  if (bits & T_NUMBER) words.push("a number");
  if (bits & T_STRING) words.push("a string");
  if (bits & T_ARRAY) words.push("an array");
  if (bits & T_OBJECT) words.push("an object");
  if (bits & T_NUMBERS) words.push("an array of numbers");
  if (bits & T_STRINGS) words.push("an array of strings");
  if (bits & T_REFERENCE) words.push("an expression as in &name");
  return words.join(" or ");
}
