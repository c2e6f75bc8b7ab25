import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { components, type Edges } from "../../../src/wasm/plan/strongly-connected.js";

/** A graph from lists of targets. */
function graph(lists: readonly (readonly number[])[]): Edges {
  const starts = new Int32Array(lists.length + 1);
  lists.forEach((list, node) => {
    starts[node + 1] = (starts[node] as number) + list.length;
  });
  return { starts, targets: Int32Array.from(lists.flat()) };
}

/** By its definition: what each node can reach in one step or more. */
function reachable(lists: readonly (readonly number[])[]): boolean[][] {
  return lists.map((_, from) => {
    const seen = lists.map(() => false);
    const todo = [...(lists[from] as readonly number[])];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      if (!seen[node]) {
        seen[node] = true;
        todo.push(...(lists[node] as readonly number[]));
      }
    }
    return seen;
  });
}

describe("strongly connected components", () => {
  test("as defined, in any graph", () => {
    const lists = fc.integer({ min: 0, max: 12 }).chain((count) =>
      fc.array(fc.array(fc.nat(Math.max(count - 1, 0)), { maxLength: count === 0 ? 0 : 4 }), {
        minLength: count,
        maxLength: count,
      }),
    );
    fc.assert(
      fc.property(lists, (targets) => {
        const { component, cyclic, order } = components(graph(targets));
        const reach = reachable(targets);
        const place = new Map(Array.from(order, (node, at) => [node, at]));
        expect(place.size).toBe(targets.length);
        targets.forEach((list, one) => {
          expect(cyclic[one] === 1).toBe(reach[one]?.[one]);
          targets.forEach((_, other) => {
            const together = one === other || (reach[one]?.[other] === true && reach[other]?.[one] === true);
            expect(component[one] === component[other]).toBe(together);
          });
          for (const target of list) {
            if (component[target] !== component[one]) {
              expect(place.get(target)).toBeLessThan(place.get(one) as number);
            }
          }
        });
        // Components lie in one piece each.
        const pieces = Array.from(order, (node) => component[node]).filter((each, at, all) => each !== all[at - 1]);
        expect(new Set(pieces).size).toBe(pieces.length);
      }),
      { seed: 20_261_127, numRuns: 500 },
    );
  });

  test("a chain of a million nodes and a ring of a million need no recursion", () => {
    const count = 1_000_000;
    const starts = Int32Array.from({ length: count + 1 }, (_, node) => Math.min(node, count - 1));
    const chain = components({ starts, targets: Int32Array.from({ length: count - 1 }, (_, node) => node + 1) });
    expect(chain.cyclic.every((each) => each === 0)).toBe(true);
    expect(chain.order[0]).toBe(count - 1);
    const ring = components({
      starts: Int32Array.from({ length: count + 1 }, (_, node) => node),
      targets: Int32Array.from({ length: count }, (_, node) => (node + 1) % count),
    });
    expect(ring.cyclic.every((each) => each === 1)).toBe(true);
    expect(ring.component.every((each) => each === 0)).toBe(true);
  });
});
