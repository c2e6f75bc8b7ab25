import { isAbsolute, relative, sep } from "node:path";
import { type ErrorPlace, ExoArmurError } from "../errors.js";
import { formatCount } from "../replay/story/format.js";
import type { CliContext } from "./context.js";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit-codes.js";

export { formatCount };

/** What moves a terminal's cursor or turns the direction of text; what a person reads must not hold it. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/** Text with everything that could steer a terminal spelled out as `\u....`. */
export function visible(text: string): string {
  return text.replace(steering, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

/**
 * Rows of cells: the first column is padded to its widest and to `minWidth`, cells are three spaces apart. Empty cells
 * are left out.
 */
export function formatRows(rows: readonly (readonly string[])[], minWidth = 8): string {
  const shown = rows.map((row) => row.map(visible));
  const width = Math.max(minWidth, ...shown.map(([label = ""]) => label.length));
  return shown
    .map(
      ([label = "", ...cells]) =>
        `${[label.padEnd(width), ...cells.filter((cell) => cell !== "")].join("   ").trimEnd()}\n`,
    )
    .join("");
}

/** Rows as a table: every column but the last is padded to its widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(visible));
  const widthOf = (at: number): number => Math.max(...shown.map((row) => row[at]?.length ?? 0));
  return shown
    .map((row) => {
      const cells = row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widthOf(at))));
      return `${cells.join("   ").trimEnd()}\n`;
    })
    .join("");
}

/** The first rows as a table, how many there are more, and an empty line; nothing for no rows. */
export function formatFirst(rows: readonly (readonly string[])[], most: number): string {
  if (rows.length === 0) return "";
  const more = rows.length > most ? `... and ${formatCount(rows.length - most)} more; --json has all\n` : "";
  return `${formatTable(rows.slice(0, most))}${more}\n`;
}

/** One JSON document and a newline. */
export function printJson(context: CliContext, value: unknown): void {
  context.stdout(`${JSON.stringify(value, null, 2)}\n`);
}

/** A count with its noun: `1 host call`, `12 host calls`. */
export function countOf(value: number, noun: string): string {
  return `${formatCount(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** How long until something, rounded up: `45 s`, `15 min`, `3 h`, `2 d`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.ceil(seconds / 3600)} h` : `${Math.ceil(seconds / 86_400)} d`;
}

/** A path as people want to read it: relative to the current folder when it is in there. Keeps a slash at the end. */
export function shownPath(context: CliContext, path: string): string {
  const between = relative(context.cwd, path);
  const outside = between === ".." || between.startsWith(`..${sep}`) || isAbsolute(between);
  if (outside) return path;
  const shown = between === "" ? "." : between;
  return path.endsWith("/") && !shown.endsWith("/") ? `${shown}/` : shown;
}

/** `name` as one word of a POSIX shell. */
export function shellWord(name: string): string {
  return /^[\w./:@%+=,-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

/** Reports what ended a command, as text on stderr (`hint` below it) or as JSON on stdout, and returns its exit code. */
export function reportError(context: CliContext, error: unknown, json: boolean, hint = ""): ExitCode {
  const code = error === context.signal.reason ? exitCodes.interrupted : exitCodeOf(error);
  const known = error instanceof ExoArmurError ? error : unforeseen(error);
  if (json) printJson(context, { error: { code: known.code, message: known.message, place: known.place } });
  else context.stderr(`error ${known.code}: ${visible(known.message)}\n${placeLine(context, known)}${hint}`);
  const debug = context.env["EXOARMUR_DEBUG"] === "1";
  if (debug && error instanceof Error) context.stderr(`${error.stack ?? ""}\n`);
  else if (code === exitCodes.internal) context.stderr("set EXOARMUR_DEBUG=1 to see where it happened\n");
  return code;
}

function unforeseen(error: unknown): ExoArmurError {
  return new ExoArmurError("EXO_INTERNAL", error instanceof Error ? error.message : String(error));
}

/** The place of an error, as far as its message does not name it already. */
function placeLine(context: CliContext, { message, place }: { message: string; place: ErrorPlace }): string {
  const { file, line, pointer } = place;
  const parts: string[] = [];
  if (file !== undefined) parts.push(`${shownPath(context, file)}${line === undefined ? "" : `:${line}`}`);
  if (pointer !== undefined && pointer !== "") parts.push(pointer);
  const told = (file === undefined || message.includes(file)) && (pointer ?? "") === "";
  return told || parts.length === 0 ? "" : `  at ${visible(parts.join(" "))}\n`;
}
