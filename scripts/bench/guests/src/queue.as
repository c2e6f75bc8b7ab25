// A priority queue in an array and a shortest path over a grid with it: classes, bounds checks, comparisons.
class Entry {
  constructor(
    public cost: i32,
    public cell: i32,
  ) {}
}

class Queue {
  private entries: Entry[] = [];

  get size(): i32 {
    return this.entries.length;
  }

  push(entry: Entry): void {
    const entries = this.entries;
    entries.push(entry);
    let at = entries.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent].cost <= entry.cost) break;
      entries[at] = entries[parent];
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): Entry {
    const entries = this.entries;
    const first = entries[0];
    const last = entries.pop();
    const count = entries.length;
    if (count == 0) return first;
    let at = 0;
    while (true) {
      let child = at * 2 + 1;
      if (child >= count) break;
      if (child + 1 < count && entries[child + 1].cost < entries[child].cost) child++;
      if (entries[child].cost >= last.cost) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = last;
    return first;
  }
}

const side: i32 = 320;

export function run(): i32 {
  let state: u32 = 23;
  const weights = new Array<i32>(side * side);
  for (let i = 0; i < weights.length; i++) {
    state = state * 1664525 + 1013904223;
    weights[i] = 1 + ((state >> 12) % 9);
  }
  const best = new Array<i32>(side * side).fill(i32.MAX_VALUE);
  const queue = new Queue();
  queue.push(new Entry(0, 0));
  best[0] = 0;
  while (queue.size > 0) {
    const entry = queue.pop();
    const cell = entry.cell;
    if (entry.cost > best[cell]) continue;
    const x = cell % side;
    for (let way = 0; way < 4; way++) {
      if ((way == 0 && x == 0) || (way == 1 && x == side - 1)) continue;
      const next = cell + (way == 0 ? -1 : way == 1 ? 1 : way == 2 ? -side : side);
      if (next < 0 || next >= side * side) continue;
      const cost = entry.cost + weights[next];
      if (cost >= best[next]) continue;
      best[next] = cost;
      queue.push(new Entry(cost, next));
    }
  }
  let sum = 0;
  for (let i = 0; i < best.length; i++) sum = sum * 31 + best[i];
  return sum;
}
