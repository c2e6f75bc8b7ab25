/** A graph: the targets of node n stand from `starts[n]` up to `starts[n + 1]`. */
export type Edges = { readonly starts: Int32Array; readonly targets: Int32Array };

/** The strongly connected components of a graph. */
export type Components = {
  /** Component of every node. */
  readonly component: Int32Array;
  /** 1 for a node that can reach itself. */
  readonly cyclic: Uint8Array;
  /** Nodes, component by component; a component comes after every one it leads to. */
  readonly order: Int32Array;
};

/** Tarjan's algorithm without recursion, in time linear in nodes and edges. */
export function components({ starts, targets }: Edges): Components {
  const count = starts.length - 1;
  const component = new Int32Array(count).fill(-1);
  const cyclic = new Uint8Array(count);
  const order = new Int32Array(count);
  const found = new Int32Array(count);
  const low = new Int32Array(count);
  const next = new Int32Array(count);
  const path = new Int32Array(count);
  const open = new Int32Array(count);
  let numbered = 0;
  let ordered = 0;
  let components = 0;
  let opened = 0;
  const visit = (node: number): void => {
    numbered += 1;
    found[node] = numbered;
    low[node] = numbered;
    next[node] = starts[node] as number;
    open[opened++] = node;
  };
  for (let root = 0; root < count; root += 1) {
    if (found[root] !== 0) {
      continue;
    }
    visit(root);
    path[0] = root;
    for (let depth = 0; depth >= 0; ) {
      const node = path[depth] as number;
      const edge = next[node] as number;
      if (edge < (starts[node + 1] as number)) {
        next[node] = edge + 1;
        const target = targets[edge] as number;
        if (target === node) {
          cyclic[node] = 1;
        }
        if (found[target] === 0) {
          visit(target);
          depth += 1;
          path[depth] = target;
        } else if (component[target] === -1) {
          low[node] = Math.min(low[node] as number, found[target] as number);
        }
        continue;
      }
      if (low[node] === found[node]) {
        const several = open[opened - 1] !== node;
        for (let member = -1; member !== node; ) {
          member = open[--opened] as number;
          component[member] = components;
          order[ordered++] = member;
          cyclic[member] = Number(several || cyclic[member] === 1);
        }
        components += 1;
      }
      depth -= 1;
      if (depth >= 0) {
        const parent = path[depth] as number;
        low[parent] = Math.min(low[parent] as number, low[node] as number);
      }
    }
  }
  return { component, cyclic, order };
}
