/**
 * How much more native stack there is than the counted one needs, by shape of frame: every shape recurses in a worker
 * thread, with as good as no counted limit, until the native stack is exhausted; what the counter lost by then, over the
 * greatest counted stack a manifest may ask for, is the factor. Prints JSON: one row per shape.
 *
 *   node [V8 flags] scripts/stability/margin.mjs [--few] [--stack-mb=4]
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { sealModule } from "../../dist/wasm/seal.js";
import { assemble, shapesOf } from "./shapes.mjs";

const greatestWords = 262_144 / 8;
const option = (name, otherwise) => {
  const given = process.argv.find((argument) => argument.startsWith(`${name}=`));
  return given === undefined ? otherwise : Number(given.slice(name.length + 1));
};
const stackSizeMb = option("--stack-mb", 4);

const inWorker = `
  const { parentPort, workerData: { bytes, warm } } = require("node:worker_threads");
  const module = new WebAssembly.Module(bytes);
  const exports = new WebAssembly.Instance(module, { "extism:host/env": { input_length: () => 0n } }).exports;
  const words = 2 ** 31 - 1;
  const call = (name) => {
    exports["exo:fuel"].value = 2n ** 62n;
    exports["exo:stack"].value = words;
    try {
      exports[name]();
      return "returned";
    } catch (thrown) {
      return thrown.constructor.name;
    }
  };
  const measure = () => ({ end: call("run"), words: words - exports["exo:stack"].value });
  (async () => {
    let least = measure();
    for (let round = 0; round < warm; round++) {
      const warmed = call("warm");
      // The optimizing compiler works beside the guest.
      await new Promise((resolve) => setTimeout(resolve, 40));
      const found = measure();
      if (warmed !== "returned") found.end = warmed;
      if (found.words < least.words) least = found;
    }
    parentPort.postMessage(least);
  })();`;

function measure(bytes, warm) {
  const worker = new Worker(inWorker, {
    eval: true,
    env: {},
    execArgv: [],
    resourceLimits: { stackSizeMb, maxOldGenerationSizeMb: 256 },
    workerData: { bytes, warm },
  });
  return new Promise((resolve, reject) => {
    worker.once("message", (row) => void worker.terminate().then(() => resolve(row)));
    worker.once("error", reject);
  });
}

async function rowOf({ name, source, warm }) {
  const sealed = sealModule(assemble(source), { capabilities: [], memoryPages: 8, tableElements: 64 });
  if (!sealed.ok) throw new Error(`${name}: ${sealed.error.code} ${sealed.error.message}`);
  const { end, words } = await measure(sealed.value.bytes, warm ? 12 : 2);
  return { name, end, factor: Math.round((100 * words) / greatestWords) / 100 };
}

const rows = [];
const shapes = shapesOf(process.argv.includes("--few"));
// Half of the time goes into waiting for the optimizing compiler.
const lane = async () => {
  for (let shape = shapes.shift(); shape !== undefined; shape = shapes.shift()) rows.push(await rowOf(shape));
};
await Promise.all(Array.from({ length: availableParallelism() }, lane));
console.log(JSON.stringify({ node: process.version, stackSizeMb, rows }));
