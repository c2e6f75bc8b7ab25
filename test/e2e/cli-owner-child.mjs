// Owns a home until its standard input ends: `node cli-owner-child.mjs DIST HOME`.
const [, , dist, home] = process.argv;
const { createRuntime } = await import(`${dist}/index.js`);
const runtime = await createRuntime({ home });
process.stdout.write("ready\n");
process.stdin.on("end", () => void runtime.close()).resume();
