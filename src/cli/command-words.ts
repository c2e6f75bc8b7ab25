import { ExoArmurError } from "../errors.js";

const word = /(?:[^\s'"]|'[^']*'|"[^"]*")+/y;

/**
 * The words of a command line given as one text: parted by spaces, and what stands in single or double quotes is taken as
 * it is. There are no escapes, variables or patterns: no shell reads it. EXO_USAGE for no words and for an open quote.
 */
export function commandWords(name: string, text: string): string[] {
  const words: string[] = [];
  const trimmed = text.trim();
  for (let at = 0; at < trimmed.length; ) {
    word.lastIndex = at;
    const [found] = word.exec(trimmed) ?? [];
    if (found === undefined) throw new ExoArmurError("EXO_USAGE", `--${name}: a quote is not closed`);
    words.push(found.replace(/'([^']*)'|"([^"]*)"/g, (_quoted, single: string, double: string) => single ?? double));
    at = word.lastIndex + (/^\s*/.exec(trimmed.slice(word.lastIndex))?.[0].length ?? 0);
  }
  if (words.length === 0) throw new ExoArmurError("EXO_USAGE", `--${name}: expected a program and its arguments`);
  return words;
}
