/** Checks who imports whom in src and that nothing there reads the world past the ports. `check-floors.mjs [FOLDER]` */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { ambient, closedPackages, closedPlaces, floors, nodePlaces } from "./floors.mjs";
import { blank, lineOf, listFiles } from "./source.mjs";

const root = process.argv[2] ?? "src";
const imports = /\b(?:from|import)\s*(["'])([^"']*)\1|\bimport\s*\(\s*(?:(["'])([^"']*)\3\s*\)|(?=[^"'\s]))/g;
const problems = [];
const graph = new Map();

const inside = (file, place) =>
  file === place || file.startsWith(`${place}/`) || (place.includes("/") && file.startsWith(place));
const within = (file, places) => places.some((place) => inside(file, place));
const floorOf = (file) => floors.findIndex((places) => within(file, places));
const home = (file) => floors.flat().find((place) => inside(file, place));

function checkPackage(file, name, report) {
  if (name.startsWith("node:") && !within(file, nodePlaces)) report(`${name}: this file must run in a browser`);
  for (const [pattern, places] of Object.entries(closedPackages)) {
    const matches = name === pattern || name.startsWith(pattern.endsWith("/") ? pattern : `${pattern}/`);
    if (matches && !within(file, places)) report(`${name}: only ${places.join(", ")} may import it`);
  }
}

function checkFile(from, to, report) {
  if (home(from) !== home(to) && floorOf(to) >= floorOf(from)) report(`imports ${to}, which is not on a lower floor`);
  for (const [place, places] of Object.entries(closedPlaces)) {
    const self = place.split("/")[0];
    if (inside(to, place) && !within(from, [...places, self]))
      report(`imports ${to}, which only ${places.join(", ") || "itself"} may`);
  }
}

for (const path of listFiles(root, /(?<!\.d)\.[mc]?tsx?$/)) {
  const text = readFileSync(posix.join(root, path), "utf8");
  const code = blank(text);
  const file = path.replace(/\.[mc]?tsx?$/, "");
  const report = (offset) => (message) => problems.push(`${posix.join(root, path)}:${lineOf(text, offset)} ${message}`);
  if (floorOf(file) < 0) report(0)("is on no floor; add its folder to scripts/floors.mjs");
  const edges = [];
  for (const match of code.matchAll(imports)) {
    const close = match.index + match[0].replace(/\s*\)$/, "").length - 1;
    const name = text.slice(close - (match[2] ?? match[4] ?? "").length, close);
    if (match[2] === undefined && match[4] === undefined) report(match.index)("computes the name of what it imports");
    else if (!name.startsWith(".")) checkPackage(file, name, report(match.index));
    else {
      const to = posix.join(posix.dirname(file), name).replace(/\.js$/, "");
      checkFile(file, to, report(match.index));
      edges.push([to, report(match.index)]);
    }
  }
  graph.set(file, edges);
  for (const [pattern, places, instead] of ambient) {
    if (within(file, places)) continue;
    for (const match of code.matchAll(pattern)) report(match.index)(`uses ${match[0].trim()} here; ${instead}`);
  }
}

const done = new Set();
function walk(file, trail) {
  for (const [to, report] of graph.get(file) ?? []) {
    if (trail.includes(to)) report(`closes a cycle: ${[...trail.slice(trail.indexOf(to)), to].join(" -> ")}`);
    else if (!done.has(to)) walk(to, [...trail, to]);
  }
  done.add(file);
}
for (const file of graph.keys()) if (!done.has(file)) walk(file, [file]);

for (const problem of problems) console.error(problem);
console.log(`floors: ${graph.size} files, ${problems.length} problems`);
process.exitCode = problems.length > 0 || graph.size === 0 ? 1 : 0;
