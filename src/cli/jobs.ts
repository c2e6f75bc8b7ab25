import { availableParallelism } from "node:os";
import { ExoArmurError } from "../errors.js";
import { readDecimal } from "../log/checkpoint.js";
import { type Options, textOption } from "./action.js";

const maxJobs = 64;

/** How much is worked on at a time: `--jobs`, else one for each processor. EXO_USAGE for anything but 1 to 64. */
export function jobsOption(options: Options): number {
  const text = textOption(options, "jobs");
  if (text === undefined) return Math.min(availableParallelism(), maxJobs);
  const jobs = readDecimal(text) ?? 0;
  if (jobs >= 1 && jobs <= maxJobs) return jobs;
  throw new ExoArmurError("EXO_USAGE", `--jobs expects a number from 1 to ${maxJobs}, got ${JSON.stringify(text)}`);
}
