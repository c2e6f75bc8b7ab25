/** Comparing what two processes emitted, byte by byte. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** Every file under `folder` by its slash path, in order of the paths. */
export function readTree(folder) {
  const tree = new Map();
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
  for (const path of paths.sort()) tree.set(path, readFileSync(join(folder, path)));
  return tree;
}

/** The first difference between two trees below `prefix`, in words, or undefined when there is none. */
export function differenceOf(one, other, prefix = "") {
  const emitted = [...one.keys(), ...other.keys()].filter((path) => path.startsWith(prefix));
  const paths = [...new Set(emitted)].sort((a, b) => (a < b ? -1 : 1));
  for (const path of paths) {
    const [a, b] = [one.get(path), other.get(path)];
    if (a === undefined || b === undefined) return `${path} was emitted by one process only`;
    const offset = firstDifference(a, b);
    if (offset !== -1) return `${path} differs at byte ${offset}: ${excerpt(a, offset)} | ${excerpt(b, offset)}`;
  }
  return undefined;
}

/** Offset of the first byte in which two arrays differ, a missing one included, or -1. */
export function firstDifference(a, b) {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return at;
  return a.length === b.length ? -1 : shared;
}

function excerpt(bytes, offset) {
  return JSON.stringify(Buffer.from(bytes.subarray(Math.max(0, offset - 20), offset + 20)).toString("latin1"));
}

/** The first case and field in which two corpus results differ, with both values, or undefined when they are alike. */
export function differenceOfCases(one, other) {
  for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const [a, b] = [one[name], other[name]];
    if (a === undefined || b === undefined) return `${name} was run by one process only`;
    const field = differenceOfFields(a, b);
    if (field !== undefined) return `${name}: ${field}`;
  }
  return undefined;
}

/** The first field in which two objects of JSON values differ, with both values, or undefined. */
export function differenceOfFields(one, other) {
  const shown = (value) => (value === undefined ? "nothing" : JSON.stringify(value));
  for (const field of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const [a, b] = [shown(one[field]), shown(other[field])];
    if (a !== b) return `${field} ${a.slice(0, 200)} | ${b.slice(0, 200)}`;
  }
  return undefined;
}
