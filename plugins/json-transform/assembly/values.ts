import { compareText } from "../../sdk/assembly/order";
import {
  KIND_ARRAY, KIND_BOOLEAN, KIND_NULL, KIND_NUMBER, KIND_OBJECT, KIND_TEXT, textValue, Value,
} from "../../sdk/assembly/value";

/** Names of the kinds, as the function `type` gives them. */
const TYPES = ["null", "boolean", "number", "string", "", "array", "object"];

export function typeOf(value: Value): Value {
  return textValue(TYPES[value.kind]);
}

export function booleanValue(flag: bool): Value {
  const value = new Value(KIND_BOOLEAN);
  value.flag = flag;
  return value;
}

export function numberValue(number: f64): Value {
  const value = new Value(KIND_NUMBER);
  value.number = number;
  return value;
}

/** False, null and what is empty are false; everything else, 0 too, is true. */
export function isTrue(value: Value): bool {
  if (value.kind == KIND_NULL) return false;
  if (value.kind == KIND_BOOLEAN) return value.flag;
  if (value.kind == KIND_TEXT) return value.length > 0;
  return value.kind == KIND_NUMBER || value.items.length > 0;
}

/** Equality of JSON values: members in any order, numbers by value. */
export function equal(a: Value, b: Value): bool {
  if (a.kind != b.kind) return false;
  if (a.kind == KIND_NULL) return true;
  if (a.kind == KIND_BOOLEAN) return a.flag == b.flag;
  if (a.kind == KIND_NUMBER) return a.number == b.number;
  if (a.kind == KIND_TEXT) return a.equals(b);
  if (a.items.length != b.items.length) return false;
  for (let i = 0; i < a.items.length; i++) {
    const other = a.kind == KIND_ARRAY ? b.items[i] : b.member(a.keys[i]);
    if (other === null || !equal(a.items[i], other)) return false;
  }
  return true;
}

/** Orders two numbers or two strings, strings by code points. */
export function compareScalars(a: Value, b: Value): i32 {
  if (a.kind == KIND_TEXT) return compareText(a, b);
  return <i32>(a.number > b.number) - <i32>(a.number < b.number);
}

/** Levels of arrays and objects, counted up to `limit` + 1. */
export function levelsOf(value: Value, limit: i32): i32 {
  if (value.kind < KIND_ARRAY) return 0;
  if (limit == 0) return 1;
  let levels = 0;
  for (let i = 0; i < value.items.length && levels < limit; i++) levels = max(levels, levelsOf(value.items[i], limit - 1));
  return levels + 1;
}

/** Puts a member into an object that is being made, in the place of one of the same name. */
export function setMember(object: Value, key: Value, item: Value): void {
  for (let i = 0; i < object.keys.length; i++) {
    if (!object.keys[i].equals(key)) continue;
    object.items[i] = item;
    return;
  }
  object.put(key, item);
}

export function arrayOf(items: Value[]): Value {
  const array = new Value(KIND_ARRAY);
  array.items = items;
  return array;
}
