/** Which of V8's WebAssembly compilers runs a hot function inside a worker thread. */
import { spawn } from "node:child_process";

// A module of one function, `() -> i32`, that returns 1.
const module = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 114, 0, 0, 10, 6, 1, 4, 0, 65, 1, 11,
];

// The worker is started as the sandbox starts its own: without arguments and environment. A hot function is asked about
// after enough calls for tiering up, if tiering up happens.
const inWorker = `
  const { parentPort } = require("node:worker_threads");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${module}])));
  for (let i = 0; i < 200000; i++) exports.r();
  setTimeout(() => {
    for (let i = 0; i < 1000; i++) exports.r();
    parentPort.postMessage(%IsLiftoffFunction(exports.r) ? "liftoff" : "turbofan");
  }, 50);`;
const inProcess = `
  const { Worker } = require("node:worker_threads");
  const worker = new Worker(${JSON.stringify(inWorker)}, { eval: true, execArgv: [], env: {} });
  worker.on("message", (compiler) => process.stdout.write(compiler));`;

/** Starts a process of a Node binary with these V8 flags and says which compiler a worker of it ends up with. */
export async function compilerInWorker(flags, binary = process.execPath) {
  const args = [...flags, "--allow-natives-syntax", "-e", inProcess];
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"], timeout: 30_000 });
  let said = "";
  for await (const text of child.stdout) said += text;
  return said;
}
