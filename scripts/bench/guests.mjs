/** The guests the metering cost is measured on, compiled here from their sources. */
import { readdirSync, readFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import wabtFactory from "wabt";

const folder = new URL("./guests/", import.meta.url);

/** Every guest as {name, wasm}; each exports `run: () -> i32`. */
export async function compileGuests() {
  const wabt = await wabtFactory();
  const guests = [];
  for (const file of readdirSync(folder).sort()) {
    const source = readFileSync(new URL(file, folder), "utf8");
    const name = file.replace(/\.\w+$/, "");
    const wasm = file.endsWith(".wat")
      ? wabt.parseWat(file, source).toBinary({}).buffer
      : await compileScript(name, source);
    guests.push({ name, wasm });
  }
  return guests;
}

async function compileScript(name, source) {
  let wasm;
  const options = ["--outFile", "out.wasm", "--optimizeLevel", "3", "--runtime", "stub", "--use", "abort="];
  const { error } = await asc.main([`${name}.ts`, ...options], {
    readFile: (path) => (path === `${name}.ts` ? source : null),
    writeFile: (_path, contents) => {
      wasm = contents;
    },
    listFiles: () => [],
  });
  if (error || wasm === undefined) throw new Error(`${name}: ${error?.message ?? "no output"}`);
  return wasm;
}
