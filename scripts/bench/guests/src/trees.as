// Binary trees made and walked again and again, with the collecting runtime: allocation, reference counts of the
// shadow stack, field loads.
class Tree {
  left: Tree | null = null;
  right: Tree | null = null;
  constructor(public value: i32) {}

  sum(): i32 {
    let total = this.value;
    const left = this.left;
    const right = this.right;
    if (left !== null) total += left.sum();
    if (right !== null) total -= right.sum();
    return total;
  }
}

function grow(depth: i32, value: i32): Tree {
  const tree = new Tree(value);
  if (depth > 0) {
    tree.left = grow(depth - 1, value * 2 + 1);
    tree.right = grow(depth - 1, value * 3 - 1);
  }
  return tree;
}

export function run(): i32 {
  const kept = grow(12, 1);
  let total = 0;
  for (let i = 0; i < 120; i++) total = total * 31 + grow(9, i).sum();
  return total + kept.sum();
}
