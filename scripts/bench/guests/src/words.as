// What a plugin does all day: makes a text, splits it into words, counts them in a map and joins the result. Strings,
// hashing, allocation, runtime code.
function count(seed: u32): i32 {
  let state = seed;
  const parts = new Array<string>();
  for (let i = 0; i < 4000; i++) {
    state = state * 1664525 + 1013904223;
    parts.push("w" + ((state >> 8) % 500).toString());
  }
  const counts = new Map<string, i32>();
  const words = parts.join(" ").split(" ");
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    counts.set(word, counts.has(word) ? counts.get(word) + 1 : 1);
  }
  const keys = counts.keys();
  let sum: i32 = keys.length;
  for (let i = 0; i < keys.length; i++) sum = sum * 31 + counts.get(keys[i]);
  return sum;
}

export function run(): i32 {
  let sum = 0;
  for (let i = 0; i < 10; i++) sum = sum * 31 + count(i);
  return sum;
}
