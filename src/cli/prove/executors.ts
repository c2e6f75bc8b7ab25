import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionResult } from "../../pipeline/types.js";
import { broken, type Claim, type Found, held, notTried } from "./finding.js";
import type { Guarantee } from "./guarantee.js";
import { scratchActions, scratchNames } from "./guests.js";
import { describe, mustEnd, type Stage, through, worst } from "./stage.js";

/** What an executor that was allowed to run cannot do. */
export const executorGuarantees: readonly Guarantee[] = [
  {
    id: "fuel-bomb",
    title: "an executor that never ends is stopped",
    tried: "a guest that loops without end",
    expected: "stopped, out of fuel",
    codes: ["EXO_OUT_OF_FUEL"],
    ground: "derived",
    attempt: async (stage, claim) => mustEnd(await through(stage, scratchActions.spin), claim),
  },
  {
    id: "memory-bomb",
    title: "an executor that takes ever more memory is stopped",
    tried: "a guest that grows its memory without end",
    expected: "stopped, out of memory",
    codes: ["EXO_OUT_OF_MEMORY"],
    ground: "derived",
    attempt: async (stage, claim) => mustEnd(await through(stage, scratchActions.grow), claim),
  },
  {
    id: "outside-grant",
    title: "an executor gets nothing it was not granted",
    tried: "a guest that may read and append lists its folder",
    expected: "denied",
    codes: ["EXO_CAPABILITY_DENIED"],
    ground: "derived",
    attempt: tryUngranted,
  },
  {
    id: "path-traversal",
    title: "an executor gets to no file outside of its root",
    tried: "a file beside the root: by dots, by an absolute path, through a link; read and appended to",
    expected: "denied, and the file is as it was",
    codes: ["EXO_CAPABILITY_DENIED", "EXO_CAPABILITY_REQUEST", "EXO_FS_PATH"],
    ground: "derived",
    attempt: tryTraversal,
  },
  {
    id: "ssrf",
    title: "an executor gets to no address that is not public",
    tried: "loopback, then names of loopback, private and metadata addresses, in a grant without their network classes",
    expected: "denied, and a listener on loopback sees no connection",
    codes: ["EXO_CAPABILITY_DENIED"],
    ground: "derived",
    attempt: trySsrf,
  },
];

const inside = `${scratchNames.root}/inside.txt`;

async function tryUngranted(stage: Stage, claim: Claim): Promise<Found> {
  await writeFile(join(stage.scratch.root, "inside.txt"), "inside");
  const read = await through(stage, scratchActions.read, { path: inside });
  if (read.status !== "executed") return notTried(`what is granted was ${describe(read)}`);
  return mustEnd(await through(stage, scratchActions.list, { path: scratchNames.root }), claim);
}

async function tryTraversal(stage: Stage, claim: Claim): Promise<Found> {
  const { folder, root } = stage.scratch;
  const outside = join(folder, "outside.txt");
  await writeFile(outside, "outside");
  await writeFile(join(root, "inside.txt"), "inside");
  const control = await through(stage, scratchActions.read, { path: inside });
  if (control.status !== "executed") return notTried(`a file inside was ${describe(control)}`);
  await symlink(outside, join(root, "link.txt"));
  const found: Found[] = [];
  for (const path of [`${scratchNames.root}/../outside.txt`, outside, `${scratchNames.root}/link.txt`]) {
    found.push(mustEnd(await through(stage, scratchActions.read, { path }), claim));
    found.push(mustEnd(await through(stage, scratchActions.append, { path, text: "more" }), claim));
  }
  if ((await readFile(outside, "utf8")) !== "outside") found.push(broken("the file outside was written"));
  return worst(found);
}

/** Where a name points: the scratch runtime's resolver gives the first label, dashes for dots. */
const names = ["127-0-0-1", "10-0-0-1", "169-254-169-254"];

/** Addresses of the names under exoarmur-prove.test; no other name has one. */
export function resolveScratch(host: string): Promise<readonly string[]> {
  const [, label] = /^([0-9-]+)\.exoarmur-prove\.test$/.exec(host) ?? [];
  if (label === undefined) return Promise.reject(new Error("the scratch home resolves no name"));
  return Promise.resolve([label.replaceAll("-", ".")]);
}

async function trySsrf(stage: Stage, claim: Claim): Promise<Found> {
  const { listener } = stage;
  const url = (host: string): string => `http://${host}:${listener.port}/`;
  const near = await through(stage, scratchActions.getNear, { url: url("127.0.0.1") });
  const reached = listener.seen();
  if (near.status !== "executed" || reached === 0) {
    return notTried(`the listener could not be reached where that is granted: ${describe(near)}`);
  }
  const judge = (result: ExecutionResult): Found => {
    if (listener.seen() !== reached) return broken("the listener on loopback was connected to");
    return mustEnd(result, claim);
  };
  let found: Found = notTried("nothing was tried");
  for (const host of ["127.0.0.1", ...names.map((name) => `${name}.exoarmur-prove.test`)]) {
    found = judge(await through(stage, scratchActions.get, { url: url(host) }));
    // Where loopback can be reached, nothing is sent to addresses beyond this machine.
    if (found.state !== "held") return found;
  }
  return held(`${names.length + 1} addresses denied, no connection`, found.code);
}
