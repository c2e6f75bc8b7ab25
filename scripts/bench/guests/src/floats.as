// Typed arrays of floats: a heat equation in f32, sums in f64, Math.sqrt and Math.floor.
const side: i32 = 128;

export function run(): f64 {
  let now = new Float32Array(side * side);
  let then = new Float32Array(side * side);
  for (let i = 0; i < now.length; i++) now[i] = f32((i * 7919) % 1024) / 8;
  for (let step = 0; step < 260; step++) {
    for (let y = 1; y < side - 1; y++) {
      for (let x = 1; x < side - 1; x++) {
        const at = y * side + x;
        then[at] = now[at] + 0.2 * (now[at - 1] + now[at + 1] + now[at - side] + now[at + side] - 4 * now[at]);
      }
    }
    const last = now;
    now = then;
    then = last;
  }
  let sum: f64 = 0;
  for (let i = 0; i < now.length; i++) sum += Math.sqrt(f64(Math.abs(now[i]))) + Math.floor(f64(now[i]));
  return sum;
}
