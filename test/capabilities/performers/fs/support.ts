import { createFsPerformers, type FsPerformers } from "../../../../src/capabilities/performers/fs/files.js";
import { type Folder, nativeStrategy, type WalkStrategy } from "../../../../src/capabilities/performers/fs/folder.js";
import type { FsRoots } from "../../../../src/capabilities/performers/fs/place.js";
import type { AbiValue, PerformOutcome } from "../../../../src/ports.js";
import { calm } from "../../support.js";

/** A system without descriptor paths has the other strategy alone. */
export const strategies: readonly WalkStrategy[] =
  nativeStrategy() === "descriptors" ? ["descriptors", "paths"] : ["paths"];

type Call = (
  name: keyof FsPerformers,
  request: Readonly<Record<string, AbiValue>>,
  constraints?: Readonly<Record<string, number>>,
  signal?: AbortSignal,
) => Promise<PerformOutcome>;

/** Performs over these roots. */
export function performerOf(roots: FsRoots, strategy: WalkStrategy): Call {
  const fs = createFsPerformers(roots, strategy);
  return async (name, request, constraints = {}, signal = calm) => fs[name].perform(request, constraints, signal);
}

/** `ok`, or outcome and code. */
export function endOf(result: PerformOutcome): string {
  return result.outcome === "ok" ? "ok" : `${result.outcome} ${result.code}`;
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A folder over a real directory with some of its steps replaced. */
export function folderOf(data: string, changed: Partial<Folder>): Folder {
  return {
    at: (name) => (name === "" ? data : `${data}/${name}`),
    verify: () => Promise.resolve(),
    sync: () => Promise.resolve(),
    close: () => Promise.resolve(),
    ...changed,
  };
}
