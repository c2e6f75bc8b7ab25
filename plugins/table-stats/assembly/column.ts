import { parseNumber } from "../../sdk/assembly/number-parse";
import { equalBytes, hashBytes } from "./bytes";
import { Csv } from "./csv";

/** The figures of one column. `count` and `empty` add up to the rows. */
export class Column {
  count: i32 = 0;
  empty: i32 = 0;
  /** Different texts among the cells that are not empty. */
  distinct: i32 = 0;
  /** Whether there are cells that are not empty and all of them are numbers. */
  numeric: bool = true;
  /** Compensated (Neumaier), in row order. */
  sum: f64 = 0;
  min: f64 = Infinity;
  max: f64 = -Infinity;
  private correction: f64 = 0;

  /** `seen` is shared by the columns, one after the other. */
  constructor(table: Csv, column: i32, seen: SeenRows) {
    seen.clear();
    for (let row = 1; row <= table.rows; row++) {
      const length = table.cellLength(row, column);
      if (length == 0) continue;
      this.count++;
      if (seen.add(table, row, column)) this.distinct++;
      if (this.numeric) this.take(parseNumber(table.cellStart(row, column), length));
    }
    this.empty = table.rows - this.count;
    if (this.count == 0) this.numeric = false;
    this.sum += this.correction;
  }

  private take(value: f64): void {
    // Neither "not a number" (NaN) nor "out of range" (an infinity) has a difference of zero with itself.
    if (value - value != 0) {
      this.numeric = false;
      return;
    }
    const total = this.sum + value;
    this.correction += abs(this.sum) >= abs(value) ? this.sum - total + value : value - total + this.sum;
    this.sum = total;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }
}

/** An exact hash set of one column's cells: open addressing, at most half full, a slot holds a row number or 0. */
export class SeenRows {
  private slots: usize;
  private bits: u32;

  constructor(rows: i32) {
    this.bits = 33 - clz(<u32>max(rows, 1));
    this.slots = heap.alloc(<usize>4 << this.bits);
  }

  clear(): void {
    memory.fill(this.slots, 0, <usize>4 << this.bits);
  }

  /** Whether no earlier row has the same bytes in this column; then the row is added. */
  add(table: Csv, row: i32, column: i32): bool {
    const start = table.cellStart(row, column);
    const length = table.cellLength(row, column);
    const mask = (<usize>1 << this.bits) - 1;
    let index = <usize>(hashBytes(start, length) >> (64 - this.bits));
    while (true) {
      const slot = this.slots + (index << 2);
      const other = load<i32>(slot);
      if (other == 0) {
        store<i32>(slot, row);
        return true;
      }
      if (table.cellLength(other, column) == length && equalBytes(table.cellStart(other, column), start, length)) return false;
      index = (index + 1) & mask;
    }
  }
}
