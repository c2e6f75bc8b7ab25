import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Name of the folder in a home's place where a demo makes its own home. */
const demoName = "demo";

/** File by which a demo knows its own home. */
export const demoMarker = "demo.json";

/** Path of the demo's home in a home's place. */
export function demoFolder(home: string): string {
  return join(home, demoName);
}

/** True when a demo was played before there was a home: its folder is all there is in the home's place. */
export async function holdsOnlyDemo(home: string): Promise<boolean> {
  if (!existsSync(join(demoFolder(home), demoMarker))) return false;
  const names = await readdir(home);
  return names.length === 1 && names[0] === demoName;
}
