import type { Command } from "commander";
import type { CliContext } from "./context.js";

/** Adds the demonstrations to the program. */
export function registerDemo(_program: Command, _context: CliContext): void {}
