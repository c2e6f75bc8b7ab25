import { Argument, Option } from "commander";
import type { Work } from "./action.js";

/** One command: where it sits, what it takes, and the module that does it, loaded when it is called. */
export type CommandRow = {
  /** One name, or a group and a name. */
  readonly path: readonly [string] | readonly [string, string];
  readonly about: string;
  readonly args: readonly (() => Argument)[];
  readonly options: readonly (() => Option)[];
  readonly example: string;
  readonly load: () => Promise<Work>;
};

/** An argument by its form, such as `<id>` or `[dir]`. */
export const argument = (form: string, about: string) => (): Argument => new Argument(form, about);

/** An option by its flags. */
export const option = (form: string, about: string) => (): Option => new Option(form, about);

/** Parses an option that may be given again and again. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** `verify` shows the bundle in a browser. */
export const open = option("--open", "serve the verifier's page with this bundle on this machine, and open it");

/** For `--open`: only print the address. */
export const noBrowser = option("--no-browser", "with --open: print the address and start no browser");

/** The home that a command works on. */
export const home = option("--home <dir>", "home folder; default $EXOARMUR_HOME, then ./.exoarmur");

/** Whether a command prints JSON. */
export const json = option("--json", "print one JSON document on stdout");

/** Whose keys a verification goes by. */
export const trust = option("--trust <file>", "trust file: whose keys count");
