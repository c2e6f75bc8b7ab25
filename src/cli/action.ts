import type { Command } from "commander";
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

function isText(value: unknown): value is string {
  return typeof value === "string";
}
