/** Types of matrix.mjs, for the long tests. */
import type { Binary } from "./worlds.mjs";

export function outputOf(binary: string, args: readonly string[]): Promise<string>;
export function runMatrix(options: {
  readonly quick?: boolean;
  readonly binaries?: readonly Binary[];
}): Promise<string[]>;
export function compareScenarios(binaries: readonly Binary[]): Promise<string[]>;
export function replayEverywhere(binaries: readonly Binary[]): Promise<string[]>;

export function resultDigestsOn(
  binary: Pick<Binary, "path">,
  trust: string,
  bundles: readonly string[],
): Promise<Record<string, string>>;
