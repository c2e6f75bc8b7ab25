/** Charge points whose costs are told apart at one place; where more meet, a new one starts. */
const width = 4;

/** The greatest cost since each charge point that can lead here; dead where nothing leads. */
export class CostMap {
  #count = -1;
  /** More points met here than are told apart. */
  full = false;
  readonly #points = new Int32Array(width);
  readonly #costs = new Int32Array(width);

  get dead(): boolean {
    return this.#count < 0;
  }

  /** Nothing leads here. */
  clear(): void {
    this.#count = -1;
    this.full = false;
  }

  /** A new charge point, with no cost since. */
  start(point: number): void {
    this.#count = 1;
    this.full = false;
    this.#points[0] = point;
    this.#costs[0] = 0;
  }

  copy(other: CostMap): void {
    this.#count = other.#count;
    this.full = other.full;
    for (let index = 0; index < other.#count; index += 1) {
      this.#points[index] = other.#points[index] as number;
      this.#costs[index] = other.#costs[index] as number;
    }
  }

  /** Adds a cost to every point, and keeps in `totals` the greatest of each. */
  add(cost: number, totals: Int32Array): void {
    for (let index = 0; index < this.#count; index += 1) {
      const sum = (this.#costs[index] as number) + cost;
      const point = this.#points[index] as number;
      this.#costs[index] = sum;
      if (sum > (totals[point] as number)) {
        totals[point] = sum;
      }
    }
  }

  /** Control arrives from `other` as well. */
  merge(other: CostMap): void {
    if (other.dead) {
      return;
    }
    if (this.dead) {
      this.copy(other);
      return;
    }
    this.full ||= other.full;
    for (let index = 0; index < other.#count; index += 1) {
      this.#take(other.#points[index] as number, other.#costs[index] as number);
    }
  }

  #take(point: number, cost: number): void {
    for (let index = 0; index < this.#count; index += 1) {
      if (this.#points[index] === point) {
        if (cost > (this.#costs[index] as number)) {
          this.#costs[index] = cost;
        }
        return;
      }
    }
    if (this.#count === width) {
      this.full = true;
      return;
    }
    this.#points[this.#count] = point;
    this.#costs[this.#count] = cost;
    this.#count += 1;
  }

  /** Cost since a point, -1 when it does not lead here. */
  costOf(point: number): number {
    for (let index = 0; index < this.#count; index += 1) {
      if (this.#points[index] === point) {
        return this.#costs[index] as number;
      }
    }
    return -1;
  }

  /** Does this point alone lead here? */
  isOnly(point: number): boolean {
    return this.#count === 1 && this.#points[0] === point;
  }

  greatest(): number {
    let most = -1;
    for (let index = 0; index < this.#count; index += 1) {
      most = Math.max(most, this.#costs[index] as number);
    }
    return most;
  }
}
