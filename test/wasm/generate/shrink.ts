import { checkModule, type Failure, isFailure, sealGenerated } from "./check.js";
import { encodePlain } from "./encode.js";
import { zeroConstant } from "./pools.js";
import { isValidModule, runModule } from "./run.js";
import type { BlockNode, FunctionTree, ModuleTree, Node, Types } from "./tree.js";

/** A module that fails, and how. */
export type Failing = { readonly tree: ModuleTree; readonly failure: Failure };

/**
 * Takes a failing module apart for as long as it fails in the same way: calls, functions, ranges of instructions,
 * segments, exports. Every candidate is valid by its types; those that are not all the same are passed over.
 */
export function shrink(failing: Failing, budgetMs = 60_000, check: Check = checkForFailure): Failing {
  const until = performance.now() + budgetMs;
  let best = failing;
  const fuel = 2n * (fuelOf(failing.tree, 1n << 28n) ?? 1n << 28n) + 10_000n;
  for (let progress = true; progress && performance.now() < until; ) {
    progress = false;
    for (const make of passes) {
      // After a success the pass goes on where it was, on the smaller tree.
      for (let at = 0; at >= 0 && performance.now() < until; ) {
        const found = firstSmaller(make(best.tree), at, until, (tree) =>
          stillFails(tree, best.failure.kind, check, fuel),
        );
        best = found?.smaller ?? best;
        progress ||= found !== null;
        at = found?.at ?? -1;
      }
    }
  }
  return best;
}

/** The first candidate from number `from` on that still fails, and its number. */
function firstSmaller(
  candidates: Generator<ModuleTree>,
  from: number,
  until: number,
  fails: (tree: ModuleTree) => Failing | null,
): { readonly smaller: Failing; readonly at: number } | null {
  let at = 0;
  for (const tree of candidates) {
    if (performance.now() >= until) {
      return null;
    }
    const smaller = at < from ? null : fails(tree);
    if (smaller !== null) {
      return { smaller, at };
    }
    at += 1;
  }
  return null;
}

/** The failure of a module, or null. */
type Check = (tree: ModuleTree) => Failure | null;

function checkForFailure(tree: ModuleTree): Failure | null {
  const result = checkModule(tree);
  return isFailure(result) ? result : null;
}

function stillFails(tree: ModuleTree, kind: string, check: Check, fuel: bigint): Failing | null {
  if (!isValidModule(encodePlain(tree)) || fuelOf(tree, fuel) === null) {
    return null;
  }
  const failure = check(tree);
  return failure?.kind === kind ? { tree, failure } : null;
}

/**
 * Fuel that a module's calls use; null when they use more than `most`: a loop may have lost what bounds it. 0 for a
 * module that is not admitted.
 */
function fuelOf(tree: ModuleTree, most: bigint): bigint | null {
  const sealed = sealGenerated(encodePlain(tree));
  if (!sealed.ok) {
    return 0n;
  }
  const run = runModule(sealed.value.bytes, tree.calls, { fuel: most, stack: 32_768 });
  return run.stopped === null ? run.fuel : null;
}

type Pass = (tree: ModuleTree) => Generator<ModuleTree>;

const passes: readonly Pass[] = [fewerCalls, emptierFunctions, shorterBodies, plainerModule, fewerLocals];

function* fewerCalls(tree: ModuleTree): Generator<ModuleTree> {
  for (let index = tree.calls.length - 1; index >= 0; index -= 1) {
    yield { ...tree, calls: tree.calls.filter((_, at) => at !== index) };
  }
}

function* emptierFunctions(tree: ModuleTree): Generator<ModuleTree> {
  for (const [index, entry] of tree.functions.entries()) {
    if (entry.body.length > entry.type.results.length) {
      yield replaceFunction(tree, index, { ...entry, body: zeros([], entry.type.results) });
    }
  }
}

function* fewerLocals(tree: ModuleTree): Generator<ModuleTree> {
  for (const [index, entry] of tree.functions.entries()) {
    if (entry.locals.length > 0) {
      yield replaceFunction(tree, index, { ...entry, locals: entry.locals.slice(0, -1) });
    }
  }
}

function replaceFunction(tree: ModuleTree, index: number, entry: FunctionTree): ModuleTree {
  return { ...tree, functions: tree.functions.map((old, at) => (at === index ? entry : old)) };
}

function* plainerModule(tree: ModuleTree): Generator<ModuleTree> {
  const { style } = tree;
  if (tree.start !== null) {
    yield { ...tree, start: null };
  }
  if (style.padded || style.twins || style.dataCount || style.custom) {
    yield { ...tree, style: { padded: false, twins: false, dataCount: false, custom: false } };
  }
  for (const key of ["elements", "data", "tables"] as const) {
    if (tree[key].length > 0) {
      yield { ...tree, [key]: tree[key].slice(0, -1) };
    }
  }
  for (const [index, entry] of tree.elements.entries()) {
    if (entry.items.length > 0) {
      yield { ...tree, elements: tree.elements.map((old, at) => (at === index ? { ...entry, items: [] } : old)) };
    }
  }
  if (tree.globals.length > 1) {
    yield { ...tree, globals: tree.globals.slice(0, -1) };
  }
  for (const [index, { name }] of tree.exports.entries()) {
    if (index > 1 && !tree.calls.some(([called]) => called === name)) {
      yield { ...tree, exports: tree.exports.filter((_, at) => at !== index) };
    }
  }
}

function* shorterBodies(tree: ModuleTree): Generator<ModuleTree> {
  for (const [index, entry] of tree.functions.entries()) {
    for (const body of shorter(entry.body, entry.type.results)) {
      yield replaceFunction(tree, index, { ...entry, body });
    }
  }
}

/** Versions of a sequence with a range of it gone, the largest ranges first; then with something gone inside a block. */
function* shorter(nodes: readonly Node[], results: Types): Generator<readonly Node[]> {
  for (let size = nodes.length; size >= 1; size = Math.floor(size / 2)) {
    for (let first = 0; first < nodes.length; first += size) {
      const end = Math.min(nodes.length, first + size);
      for (const middle of replacements(nodes, first, end, results)) {
        if (sizeOf(middle) < sizeOf(nodes.slice(first, end))) {
          yield [...nodes.slice(0, first), ...middle, ...nodes.slice(end)];
        }
      }
    }
  }
  for (const [index, node] of nodes.entries()) {
    if (node.kind === "block") {
      for (const inner of smallerBlocks(node)) {
        yield [...nodes.slice(0, index), ...inner, ...nodes.slice(index + 1)];
      }
    }
  }
}

function sizeOf(nodes: readonly Node[]): number {
  return nodes.reduce(
    (sum, node) => sum + 1 + (node.kind === "block" ? sizeOf(node.body) + sizeOf(node.otherwise ?? []) : 0),
    0,
  );
}

/** What can stand for `nodes[first..end)`: nothing, or drops and zeros that leave the same types. */
function* replacements(nodes: readonly Node[], first: number, end: number, results: Types): Generator<readonly Node[]> {
  yield [];
  const from = nodes[first]?.before.stack ?? [];
  const next = nodes[end];
  const to = next === undefined ? results : next.before.stack;
  let kept = 0;
  while (kept < from.length && kept < to.length && from[kept] === to[kept]) {
    kept += 1;
  }
  const drops = from.slice(kept).map((_, index): Node => plain("drop", from.slice(0, from.length - index)));
  yield [...drops, ...zeros(from.slice(0, kept), to.slice(kept))];
  if (end - first > 1) {
    yield [plain("unreachable", from)];
  }
}

function plain(name: string, stack: Types): Node {
  return { kind: "plain", name, immediates: [], before: { stack, dead: false } };
}

function zeros(below: Types, types: Types): Node[] {
  return types.map((type, index): Node => {
    const [name, immediates] = zeroConstant(type);
    return { kind: "plain", name, immediates, before: { stack: [...below, ...types.slice(0, index)], dead: false } };
  });
}

function* smallerBlocks(node: BlockNode): Generator<readonly Node[]> {
  if (node.otherwise !== null) {
    yield [{ ...node, otherwise: null }];
    for (const otherwise of shorter(node.otherwise, node.type.results)) {
      yield [{ ...node, otherwise }];
    }
  }
  if (node.name === "if") {
    yield [plain("drop", node.before.stack), ...node.body];
  } else {
    yield node.body;
  }
  for (const body of shorter(node.body, node.type.results)) {
    yield [{ ...node, body }];
  }
}
