/** Rows of the demo's table. */
export const orderRows = 12_000;

const regions = ["north", "south", "east", "west", "überall"];
const items = ["bolt", "nut", "washer", 'bracket, 3"', "hinge"];

/** A CSV of orders, the same at every run: quoted fields, non-ASCII text, empty cells and amounts with two decimals. */
export function ordersCsv(): string {
  const lines = ["order,region,item,quantity,amount"];
  let state = 42;
  const next = (bound: number): number => {
    // A small linear congruential generator: the demo's figures must be the same everywhere.
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return Math.floor((state / 4_294_967_296) * bound);
  };
  for (let row = 1; row <= orderRows; row++) {
    const item = items[next(items.length)] ?? "";
    const quoted = /[",]/.test(item) ? `"${item.replaceAll('"', '""')}"` : item;
    const quantity = next(50) === 0 ? "" : String(1 + next(20));
    lines.push(
      `${row},${regions[next(regions.length)] ?? ""},${quoted},${quantity},${(next(100_000) / 100).toFixed(2)}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
