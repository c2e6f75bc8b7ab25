import { Value } from "./value";

/** Whether a list has this text. */
export function holds(keys: Value[], key: Value): bool {
  for (let i = 0; i < keys.length; i++) {
    if (unchecked(keys[i]).equals(key)) return true;
  }
  return false;
}

/** A set of texts: open addressing, at most half full, a slot holds a place in `keys` plus one, or 0. */
export class KeySet {
  private slots: StaticArray<i32> = new StaticArray<i32>(256);
  private keys: Value[] = [];

  constructor(keys: Value[]) {
    for (let i = 0; i < keys.length; i++) this.add(keys[i]);
  }

  /** Adds a text; false when it was there already. */
  add(key: Value): bool {
    if (this.keys.length * 2 >= this.slots.length) this.grow();
    if (!this.place(key, this.keys.length)) return false;
    this.keys.push(key);
    return true;
  }

  private place(key: Value, index: i32): bool {
    const mask = this.slots.length - 1;
    let at = <i32>hashText(key) & mask;
    while (this.slots[at] != 0) {
      if (this.keys[this.slots[at] - 1].equals(key)) return false;
      at = (at + 1) & mask;
    }
    this.slots[at] = index + 1;
    return true;
  }

  private grow(): void {
    this.slots = new StaticArray<i32>(this.slots.length * 2);
    for (let i = 0; i < this.keys.length; i++) this.place(this.keys[i], i);
  }
}

/** FNV-1a over the bytes, with its high half folded in. */
function hashText(text: Value): u32 {
  let hash: u64 = 0xcbf29ce484222325;
  for (let i: usize = 0; i < text.length; i++) hash = (hash ^ load<u8>(text.start + i)) * 0x100000001b3;
  return <u32>(hash ^ (hash >> 32));
}
