import { RE2JS } from "re2js";

/** Characters that may follow a backslash: ASCII classes, control escapes and any ASCII punctuation. */
const escapes = new Set("dDsSwWnrtfv\\/.+*?()|[]{}^$-:,;=!@#%&<>~`'\"_ ");

/** A compiled pattern, or why it is none. */
export type Pattern =
  | { readonly ok: true; readonly test: (text: string) => boolean }
  | { readonly ok: false; readonly why: string };

/**
 * Compiles an RE2 pattern (spec/policy.md, patterns) that is searched unanchored, in time linear in the text. The
 * subset means the same on every engine: no flags, no groups but `(...)` and `(?:...)`, no \p \P \b \B, no back
 * references, no escapes beyond classes, control characters, punctuation and `\x`.
 */
export function compilePattern(source: string): Pattern {
  const problem = findUnsupported(source);
  if (problem !== null) return { ok: false, why: problem };
  try {
    const compiled = RE2JS.compile(source);
    return { ok: true, test: (text) => compiled.test(text) };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message.slice(0, 200) : "not an RE2 pattern" };
  }
}

function findUnsupported(source: string): string | null {
  for (let i = 0; i < source.length; i++) {
    const char = source.charAt(i);
    if (char === "\\") {
      const next = source.charAt(i + 1);
      if (next === "x") {
        if (!isHexEscape(source, i + 2)) return "\\x needs two hex digits or {1 to 6 of them}";
      } else if (!escapes.has(next) || next === "") return `\\${next} is not supported`;
      i++;
    } else if (char === "(" && source.charAt(i + 1) === "?" && source.charAt(i + 2) !== ":") {
      return `(?${source.charAt(i + 2)} is not supported`;
    }
  }
  return null;
}

const hexDigits = "0123456789abcdefABCDEF";

function isHexEscape(source: string, at: number): boolean {
  const braced = source.charAt(at) === "{";
  const end = braced ? source.indexOf("}", at) : at + 2;
  const body = source.slice(braced ? at + 1 : at, end);
  if (braced ? end < 0 || body.length < 1 || body.length > 6 : body.length !== 2) return false;
  for (const char of body) if (!hexDigits.includes(char)) return false;
  return true;
}
