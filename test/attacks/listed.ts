import { readFileSync } from "node:fs";

/** The folder that lists name their files from. */
export const folder: URL = new URL("./", import.meta.url);

/** A test that a list names: its file, from this folder, and its title. */
export type Listed = { readonly file: string; readonly name: string };

/** A line of a list: `- FILE: TITLE`. Undefined for anything else. */
export function listedTest(line: string): Listed | undefined {
  const found = /^- ((?:\.\.\/(?:[\w-]+\/)+)?[\w.-]+\.ts): (.+)$/.exec(line);
  return found === null ? undefined : { file: found[1] ?? "", name: found[2] ?? "" };
}

/** A test file without its comments. */
export function source(file: string): string {
  return readFileSync(new URL(file, folder), "utf8").replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
}

/** Is this the title of a test or of its group, or a row of a table that tests are made from? */
export function hasTest(text: string, name: string): boolean {
  const written = [JSON.stringify(name), `\`${name}\``];
  const called = written.some((title) =>
    new RegExp(String.raw`\b(?:it|test|describe)(?:\.each\([^]*?\))?\(\s*${escaped(title)}`).test(text),
  );
  const each = written.some((title) => new RegExp(String.raw`\)\(\s*${escaped(title)}`).test(text));
  const row = written.some((key) =>
    new RegExp(String.raw`(?:^|[{[,]|\bname:)\s*${escaped(key)}\s*[:,]`, "m").test(text),
  );
  return called || each || row;
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}
