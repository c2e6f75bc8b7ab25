import type { Call } from "./support.js";

/** A program that must behave alike before and after metering. */
export type Program = { readonly name: string; readonly source: string; readonly calls: readonly Call[] };

/** An exported function that applies a binary instruction to its parameters. */
export const binary = (type: string, name: string): string =>
  `(func (export "${type}.${name}") (param ${type} ${type}) (result ${type}) (${type}.${name} (local.get 0) (local.get 1)))`;
