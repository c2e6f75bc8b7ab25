import { KIND_ARRAY, KIND_NULL, KIND_NUMBER, KIND_OBJECT, Value } from "../../sdk/assembly/value";
import { call } from "./call";
import { INVALID_VALUE, NOTHING, raise, raised } from "./fault";
import {
  N_AND, N_CALL, N_CHAIN, N_COMPARISON, N_CURRENT, N_FIELD, N_FILTER_PROJECTION, N_FLATTEN, N_INDEX, N_LIST, N_LIST_PROJECTION,
  N_LITERAL, N_NOT, N_OBJECT, N_OBJECT_PROJECTION, N_OR, N_SLICE, Node,
} from "./node";
import { EQUAL, GREATER, GREATER_OR_EQUAL, LESS, NOT_EQUAL } from "./tokens";
import { arrayOf, booleanValue, equal, isTrue, setMember } from "./values";

/** The value of an expression on a value. Null once something was raised. */
export function evaluate(node: Node, current: Value): Value {
  const kind = node.kind;
  if (kind == N_CURRENT) return current;
  if (kind == N_LITERAL) return node.value;
  if (kind == N_FIELD) return field(node, current);
  if (kind == N_INDEX) return index(node, current);
  if (kind == N_SLICE) return slice(node, current);
  if (kind == N_CALL) return call(node, current);
  if (kind == N_LIST) return list(node, current);
  if (kind == N_OBJECT) return object(node, current);
  const left = evaluate(node.children[0], current);
  if (raised()) return NOTHING;
  if (kind == N_CHAIN) return evaluate(node.children[1], left);
  if (kind == N_FLATTEN) return flatten(left);
  if (kind == N_NOT) return booleanValue(!isTrue(left));
  if (kind == N_OR) return isTrue(left) ? left : evaluate(node.children[1], current);
  if (kind == N_AND) return isTrue(left) ? evaluate(node.children[1], current) : left;
  if (kind == N_COMPARISON) return compare(<i32>node.number, left, evaluate(node.children[1], current));
  if (kind == N_OBJECT_PROJECTION) return left.kind == KIND_OBJECT ? project(node, left) : NOTHING;
  assert(kind == N_LIST_PROJECTION || kind == N_FILTER_PROJECTION);
  return left.kind == KIND_ARRAY ? project(node, left) : NOTHING;
}

function field(node: Node, current: Value): Value {
  const value = current.member(node.value);
  return value === null ? NOTHING : value;
}

function index(node: Node, current: Value): Value {
  if (current.kind != KIND_ARRAY) return NOTHING;
  const length = <i64>current.items.length;
  const at = node.number < 0 ? node.number + length : node.number;
  return at >= 0 && at < length ? current.items[<i32>at] : NOTHING;
}

/** Elements from start (inclusive) to stop (exclusive) by step, as in Python. */
function slice(node: Node, current: Value): Value {
  if (node.step == 0) return raise(INVALID_VALUE, node.at, "the step of a slice can't be 0");
  if (current.kind != KIND_ARRAY) return NOTHING;
  const length = <i64>current.items.length;
  const forward = node.step > 0;
  const least: i64 = forward ? 0 : -1;
  const most: i64 = forward ? length : length - 1;
  const start = node.has & 1 ? bound(node.number, length, least, most) : forward ? 0 : length - 1;
  const stop = node.has & 2 ? bound(node.stop, length, least, most) : forward ? length : -1;
  const items: Value[] = [];
  for (let at = start; forward ? at < stop : at > stop; at += node.step) items.push(current.items[<i32>at]);
  return arrayOf(items);
}

function bound(at: i64, length: i64, least: i64, most: i64): i64 {
  return min(max(at < 0 ? at + length : at, least), most);
}

/** The right side on each element, without those that come to null; only elements that meet the condition, if there is one. */
function project(node: Node, from: Value): Value {
  const items: Value[] = [];
  const condition = node.kind == N_FILTER_PROJECTION ? node.children[2] : null;
  for (let i = 0; i < from.items.length && !raised(); i++) {
    const element = from.items[i];
    if (condition !== null && !isTrue(evaluate(condition, element))) continue;
    const value = evaluate(node.children[1], element);
    if (value.kind != KIND_NULL) items.push(value);
  }
  return arrayOf(items);
}

function flatten(left: Value): Value {
  if (left.kind != KIND_ARRAY) return NOTHING;
  const items: Value[] = [];
  for (let i = 0; i < left.items.length; i++) {
    const element = left.items[i];
    if (element.kind != KIND_ARRAY) items.push(element);
    else for (let j = 0; j < element.items.length; j++) items.push(element.items[j]);
  }
  return arrayOf(items);
}

/** Equality is for all values, order for numbers alone. */
function compare(operator: i32, a: Value, b: Value): Value {
  if (operator == EQUAL) return booleanValue(equal(a, b));
  if (operator == NOT_EQUAL) return booleanValue(!equal(a, b));
  if (a.kind != KIND_NUMBER || b.kind != KIND_NUMBER) return NOTHING;
  if (operator == LESS) return booleanValue(a.number < b.number);
  if (operator == GREATER) return booleanValue(a.number > b.number);
  if (operator == GREATER_OR_EQUAL) return booleanValue(a.number >= b.number);
  return booleanValue(a.number <= b.number);
}

function list(node: Node, current: Value): Value {
  if (current.kind == KIND_NULL) return NOTHING;
  const items: Value[] = [];
  for (let i = 0; i < node.children.length && !raised(); i++) items.push(evaluate(node.children[i], current));
  return arrayOf(items);
}

function object(node: Node, current: Value): Value {
  if (current.kind == KIND_NULL) return NOTHING;
  const made = new Value(KIND_OBJECT);
  for (let i = 0; i < node.children.length && !raised(); i++) {
    setMember(made, node.keys[i], evaluate(node.children[i], current));
  }
  return made;
}
