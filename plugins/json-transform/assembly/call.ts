import { JsonReader } from "../../sdk/assembly/json-reader";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { sortedOrder } from "../../sdk/assembly/order";
import {
  KIND_ARRAY, KIND_NULL, KIND_NUMBER, KIND_OBJECT, KIND_TEXT, kindName, slice, Value,
} from "../../sdk/assembly/value";
import { evaluate } from "./evaluate";
import { INVALID_TYPE, INVALID_VALUE, NOTHING, raise, raised } from "./fault";
import { N_REFERENCE, Node } from "./node";
import {
  ABS, AVG, CEIL, CONTAINS, ENDS_WITH, FLOOR, JOIN, KEYS, LENGTH, MAP, MAX, MAX_BY, MERGE, MIN, MIN_BY, nameOf, NOT_NULL, parameterOf,
  REVERSE, SORT, SORT_BY, STARTS_WITH, SUM, T_NUMBERS, T_REFERENCE, T_STRINGS, TO_ARRAY, TO_NUMBER, TO_STRING, TYPE, wordsOf,
} from "./signatures";
import { contains, endsWith, join, lengthOf, reverse, startsWith } from "./texts";
import { arrayOf, booleanValue, compareScalars, numberValue, setMember, typeOf } from "./values";

/** The value of a function call. Arguments are evaluated in order, all of them, and have the kinds the signature asks for. */
export function call(node: Node, current: Value): Value {
  const fn = <i32>node.number;
  const values: Value[] = [];
  for (let i = 0; i < node.children.length; i++) {
    const argument = node.children[i];
    const wanted = parameterOf(fn, i);
    const isReference = argument.kind == N_REFERENCE;
    const value = isReference ? NOTHING : evaluate(argument, current);
    if (raised()) return NOTHING;
    if (isReference ? (wanted & T_REFERENCE) == 0 : !fits(value, wanted)) {
      const found = isReference ? "an expression" : kindName(value.kind);
      return raise(INVALID_TYPE, argument.at, nameOf(fn) + " expects " + wordsOf(wanted) + ", found " + found);
    }
    values.push(value);
  }
  const value = apply(node, fn, values);
  if (value.kind != KIND_NUMBER || isFinite(value.number)) return value;
  return raise(INVALID_VALUE, node.at, nameOf(fn) + " gives a number out of range");
}

function fits(value: Value, wanted: i32): bool {
  // A value's kinds in the order of the bits: null, boolean, number, string, (bytes), array, object.
  const bit = 1 << (value.kind > KIND_TEXT ? value.kind - 1 : value.kind);
  if (wanted & bit) return true;
  if (value.kind != KIND_ARRAY) return false;
  return (wanted & T_NUMBERS && allOf(value.items, KIND_NUMBER)) || (wanted & T_STRINGS && allOf(value.items, KIND_TEXT));
}

function allOf(items: Value[], kind: i32): bool {
  for (let i = 0; i < items.length; i++) {
    if (items[i].kind != kind) return false;
  }
  return true;
}

function apply(node: Node, fn: i32, values: Value[]): Value {
  const first = values[0];
  switch (fn) {
    case ABS: return numberValue(abs(first.number));
    case AVG: return first.items.length == 0 ? NOTHING : numberValue(sumOf(first) / <f64>first.items.length);
    case CEIL: return numberValue(Math.ceil(first.number));
    case CONTAINS: return booleanValue(contains(first, values[1]));
    case ENDS_WITH: return booleanValue(endsWith(first, values[1]));
    case FLOOR: return numberValue(Math.floor(first.number));
    case JOIN: return join(first, values[1].items);
    case KEYS: return arrayOf(first.keys);
    case LENGTH: return numberValue(<f64>lengthOf(first));
    case MAP: return arrayOf(valuesBy(node.children[0], values[1].items));
    case MAX: return extreme(first.items, first.items, 1);
    case MAX_BY: return extreme(first.items, scalarsBy(node, first.items), 1);
    case MERGE: return merge(values);
    case MIN: return extreme(first.items, first.items, -1);
    case MIN_BY: return extreme(first.items, scalarsBy(node, first.items), -1);
    case NOT_NULL: return firstOf(values);
    case REVERSE: return reverse(first);
    case SORT: return sorted(first.items, first.items);
    case SORT_BY: return sorted(first.items, scalarsBy(node, first.items));
    case STARTS_WITH: return booleanValue(startsWith(first, values[1]));
    case SUM: return numberValue(sumOf(first));
    case TO_ARRAY: return first.kind == KIND_ARRAY ? first : arrayOf([first]);
    case TO_NUMBER: return toNumber(first);
    case TO_STRING: return toText(first);
    case TYPE: return typeOf(first);
    default: return arrayOf(first.items);
  }
}

/** In the order of the elements. */
function sumOf(array: Value): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < array.items.length; i++) sum += array.items[i].number;
  return sum;
}

/** The value of a reference on each element, nulls included. */
function valuesBy(reference: Node, items: Value[]): Value[] {
  const values: Value[] = [];
  for (let i = 0; i < items.length && !raised(); i++) values.push(evaluate(reference.children[0], items[i]));
  return values;
}

/** What elements are ordered by: numbers throughout or strings throughout. None once something was raised. */
function scalarsBy(node: Node, items: Value[]): Value[] {
  const reference = node.children[1];
  const values = valuesBy(reference, items);
  const kind = values.length > 0 && values[0].kind == KIND_TEXT ? KIND_TEXT : KIND_NUMBER;
  if (!raised() && !allOf(values, kind)) {
    raise(INVALID_TYPE, reference.at, nameOf(<i32>node.number) + " orders by numbers or by strings, throughout");
  }
  return raised() ? [] : values;
}

/** The first of the elements that are greatest (sign 1) or least (-1), null when there are none. */
function extreme(items: Value[], by: Value[], sign: i32): Value {
  if (by.length == 0) return NOTHING;
  let best = 0;
  for (let i = 1; i < by.length; i++) {
    if (compareScalars(by[i], by[best]) * sign > 0) best = i;
  }
  return items[best];
}

/** In ascending order; elements that are equal in it stay as they are. */
function sorted(items: Value[], by: Value[]): Value {
  const order = sortedOrder(by, compareScalars);
  const values: Value[] = [];
  for (let i = 0; i < order.length; i++) values.push(items[order[i]]);
  return arrayOf(values);
}

/** The members of all objects; of members of one name the last. */
function merge(values: Value[]): Value {
  const merged = new Value(KIND_OBJECT);
  for (let i = 0; i < values.length; i++) {
    const from = values[i];
    for (let j = 0; j < from.keys.length; j++) setMember(merged, from.keys[j], from.items[j]);
  }
  return merged;
}

function firstOf(values: Value[]): Value {
  for (let i = 0; i < values.length; i++) {
    if (values[i].kind != KIND_NULL) return values[i];
  }
  return NOTHING;
}

/** A number as it is, a string that is a JSON number as that; null for anything else. */
function toNumber(value: Value): Value {
  if (value.kind == KIND_NUMBER) return value;
  if (value.kind != KIND_TEXT) return NOTHING;
  const number = new JsonReader(value.bytes()).read();
  return number !== null && number.kind == KIND_NUMBER && number.length == value.length ? number : NOTHING;
}

/** A string as it is, anything else as canonical JSON. */
function toText(value: Value): Value {
  if (value.kind == KIND_TEXT) return value;
  const out = new JsonWriter();
  out.value(value);
  return slice(KIND_TEXT, out.start, out.length);
}
