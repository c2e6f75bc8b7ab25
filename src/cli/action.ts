import type { Command } from "commander";
import { isTime } from "../canonical/time.js";
import { ExoArmurError } from "../errors.js";
import type { CliContext } from "./context.js";
import type { ExitCode } from "./exit-codes.js";

/** Parsed options by camel-case name. A flag is true or absent. */
export type Options = Readonly<Record<string, unknown>>;

/** A command's work: operands in order, then options. Resolves to the exit code, or throws an ExoArmurError. */
export type Work = (context: CliContext, args: readonly string[], options: Options) => Promise<ExitCode>;

/** Lets a command do its work and keeps its exit code. */
export function setAction(command: Command, context: CliContext, work: Work): void {
  command.action(async () => {
    const options: Options = command.opts();
    context.exit.code = await work(context, command.processedArgs.flat().filter(isText), options);
  });
}

/** The text of an option, or undefined when it was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** The texts of an option that may be given again and again. */
export function textsOption(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.filter(isText) : [];
}

/** True when a flag was given. */
export function hasFlag(options: Options, name: string): boolean {
  return options[name] === true;
}

/** The time of an option, null when it was not given: a day, which begins at midnight UTC, or a time as documents write it. EXO_USAGE. */
export function timeOption(options: Options, name: string): string | null {
  const given = textOption(options, name);
  if (given === undefined) return null;
  const time = /^\d{4}-\d{2}-\d{2}$/.test(given) ? `${given}T00:00:00.000Z` : given;
  if (isTime(time)) return time;
  throw new ExoArmurError(
    "EXO_USAGE",
    `--${name} expects a day such as 2026-01-31 or a time such as 2026-01-31T09:05:00.000Z`,
  );
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
