import { KIND_ARRAY, KIND_TEXT, slice, Value } from "../../sdk/assembly/value";
import { arrayOf, equal } from "./values";

export function startsWith(text: Value, start: Value): bool {
  return text.length >= start.length && memory.compare(text.start, start.start, start.length) == 0;
}

export function endsWith(text: Value, end: Value): bool {
  return text.length >= end.length && memory.compare(text.start + text.length - end.length, end.start, end.length) == 0;
}

/** Whether a string has another in it, or an array an element. */
export function contains(subject: Value, search: Value): bool {
  if (subject.kind == KIND_ARRAY) {
    for (let i = 0; i < subject.items.length; i++) {
      if (equal(subject.items[i], search)) return true;
    }
    return false;
  }
  if (search.kind != KIND_TEXT) return false;
  for (let at: usize = 0; at + search.length <= subject.length; at++) {
    if (memory.compare(subject.start + at, search.start, search.length) == 0) return true;
  }
  return false;
}

export function join(glue: Value, texts: Value[]): Value {
  let length: usize = 0;
  for (let i = 0; i < texts.length; i++) length += texts[i].length + (i > 0 ? glue.length : 0);
  const start = heap.alloc(length);
  let to = start;
  for (let i = 0; i < texts.length; i++) {
    if (i > 0) {
      memory.copy(to, glue.start, glue.length);
      to += glue.length;
    }
    memory.copy(to, texts[i].start, texts[i].length);
    to += texts[i].length;
  }
  return slice(KIND_TEXT, start, length);
}

/** Code points of a string, elements of an array, members of an object. */
export function lengthOf(value: Value): usize {
  if (value.kind != KIND_TEXT) return value.items.length;
  let points: usize = 0;
  for (let i: usize = 0; i < value.length; i++) {
    if (!isInside(value.start + i)) points++;
  }
  return points;
}

/** A string backwards by code points, an array by elements. */
export function reverse(value: Value): Value {
  if (value.kind == KIND_ARRAY) return arrayOf(value.items.slice(0).reverse());
  const copy = heap.alloc(value.length);
  let to = copy;
  let end = value.start + value.length;
  for (let at = end; at-- > value.start; ) {
    if (isInside(at)) continue;
    memory.copy(to, at, end - at);
    to += end - at;
    end = at;
  }
  return slice(KIND_TEXT, copy, value.length);
}

/** Whether a byte of well-formed UTF-8 goes on with a character. */
function isInside(at: usize): bool {
  return (load<u8>(at) & 0xc0) == 0x80;
}
