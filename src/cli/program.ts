import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { ExoArmurError } from "../errors.js";
import { setAction } from "./action.js";
import type { CommandRow } from "./command-row.js";
import { commandRows, groups } from "./command-table.js";
import type { CliContext } from "./context.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { reportError } from "./output.js";

/**
 * Runs the command line: parses the arguments, does the work, reports what went wrong.
 *
 * @param args what follows the program's name
 * @returns the exit code (spec/cli.md)
 */
export async function runCli(args: readonly string[], context: CliContext): Promise<ExitCode> {
  // Known before parsing, so that a wrong command line is reported in the form that was asked for.
  const end = args.indexOf("--");
  const json = (end < 0 ? args : args.slice(0, end)).includes("--json");
  try {
    await createProgram(context).parseAsync(args, { from: "user" });
    return context.exit.code;
  } catch (error) {
    // Help and version were asked for and printed.
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    if (error instanceof UsageError) {
      return reportError(context, new ExoArmurError("EXO_USAGE", error.message), json, error.usage);
    }
    return reportError(context, error, json);
  }
}

/** The whole command as a commander program. Nothing runs before it parses. */
function createProgram(context: CliContext): Command {
  const program = new Command("exoarmur")
    // A command and its subcommand may take the same option; it belongs to the one it follows.
    .enablePositionalOptions()
    .description("Governed, sandboxed, replayable execution of AI-agent actions.")
    .version(readVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => context.stdout(text),
      writeErr: () => undefined,
      outputError: () => undefined,
    });
  for (const row of commandRows) addCommand(program, row, context);
  program.addHelpText("after", `\nExit codes: ${exitCodeLine}\n`);
  refuseUsage(program);
  return program;
}

/** A wrong command line, and how the command it was meant for is used. */
class UsageError extends CommanderError {
  readonly usage: string;

  constructor(code: string, message: string, usage: string) {
    super(exitCodes.usage, code, message);
    this.usage = usage;
  }
}

const exitCodeLine =
  "0 done, 1 refused or proven wrong, 2 usage, 3 denied, 4 approval pending, 5 failed, 6 could not check, 7 in doubt, 70 internal";

function addCommand(program: Command, row: CommandRow, context: CliContext): void {
  const command = parentOf(program, row).command(row.path[row.path.length - 1] ?? "");
  command.description(row.about);
  for (const argument of row.args) command.addArgument(argument());
  for (const option of row.options) command.addOption(option());
  command.addHelpText("after", `\nExample:\n  ${row.example}\n`);
  setAction(command, context, async (...call) => (await row.load())(...call));
}

function parentOf(program: Command, { path: [group = "", name] }: CommandRow): Command {
  if (name === undefined) return program;
  const found = program.commands.find((command) => command.name() === group);
  return found ?? program.command(group).description(groups[group] ?? "");
}

/** Makes every wrong command line an error that says how the command is used. */
function refuseUsage(command: Command): void {
  command.exitOverride((error) => {
    if (error.exitCode === 0) throw error;
    const isBare = error.code === "commander.help";
    const what = isBare ? "a command is missing" : error.message.replace(/^error: /, "");
    const path = pathOf(command);
    const names = command.commands.map((one) => one.name()).join(", ");
    const known = names === "" ? "" : `commands: ${names}\n`;
    const usage = `usage: ${path} ${command.usage()}\n${known}help: ${path} --help\n`;
    throw new UsageError(error.code, what, usage);
  });
  for (const one of command.commands) refuseUsage(one);
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
