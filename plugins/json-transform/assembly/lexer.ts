import { JsonReader } from "../../sdk/assembly/json-reader";
import { KIND_TEXT, slice, Value } from "../../sdk/assembly/value";
import { raise, SYNTAX } from "./fault";
import {
  AND, COLON, COMMA, CURRENT, DOT, END, EQUAL, FILTER, FLATTEN, GREATER, GREATER_OR_EQUAL, LEFT_BRACE, LEFT_BRACKET, LEFT_PAREN, LESS,
  LESS_OR_EQUAL, LITERAL, NAME, NOT, NOT_EQUAL, NUMBER, OR, PIPE, QUOTED_NAME, REFERENCE, RIGHT_BRACE, RIGHT_BRACKET, RIGHT_PAREN, STAR,
  Token,
} from "./tokens";

/** Tokens that one character decides. */
const SINGLES = ".*]{}(),:@";
const SINGLE_KINDS: StaticArray<i32> = [
  DOT, STAR, RIGHT_BRACKET, LEFT_BRACE, RIGHT_BRACE, LEFT_PAREN, RIGHT_PAREN, COMMA, COLON, CURRENT,
];
/** An index that needs more digits than this is outside of every array. */
const MAX_DIGITS: i32 = 15;

/** Splits an expression into tokens, the last one END. What is no token is raised as a syntax error. */
export class Lexer {
  tokens: Token[] = [];
  private base: usize;
  private at: usize;
  private end: usize;

  constructor(expression: Value) {
    this.base = expression.start;
    this.at = this.base;
    this.end = this.base + expression.length;
    while (this.next());
    this.tokens.push(new Token(END, this.at - this.base));
  }

  private next(): bool {
    for (let c = this.peek(); c == 0x20 || (c >= 0x09 && c <= 0x0d); c = this.peek()) this.at++;
    const c = this.peek();
    if (c < 0) return false;
    const token = new Token(END, this.at - this.base);
    this.tokens.push(token);
    const single = SINGLES.indexOf(String.fromCharCode(c));
    if (single >= 0) {
      this.at++;
      token.kind = SINGLE_KINDS[single];
      return true;
    }
    if (isNameStart(c)) return this.name(token);
    if (isDigit(c) || c == 0x2d) return this.number(token);
    if (c == 0x22 || c == 0x27 || c == 0x60) return this.quoted(token, c);
    return this.operator(token, c);
  }

  private operator(token: Token, c: i32): bool {
    this.at++;
    if (c == 0x5b) token.kind = this.take(0x5d) ? FLATTEN : this.take(0x3f) ? FILTER : LEFT_BRACKET;
    else if (c == 0x7c) token.kind = this.take(0x7c) ? OR : PIPE;
    else if (c == 0x26) token.kind = this.take(0x26) ? AND : REFERENCE;
    else if (c == 0x21) token.kind = this.take(0x3d) ? NOT_EQUAL : NOT;
    else if (c == 0x3c) token.kind = this.take(0x3d) ? LESS_OR_EQUAL : LESS;
    else if (c == 0x3e) token.kind = this.take(0x3d) ? GREATER_OR_EQUAL : GREATER;
    else if (c == 0x3d && this.take(0x3d)) token.kind = EQUAL;
    else return this.refuse(token, "unexpected character");
    return true;
  }

  private name(token: Token): bool {
    const start = this.at;
    while (isNameStart(this.peek()) || isDigit(this.peek())) this.at++;
    token.kind = NAME;
    token.value = slice(KIND_TEXT, start, this.at - start);
    return true;
  }

  private number(token: Token): bool {
    const negative = this.take(0x2d);
    let digits = 0;
    let value: i64 = 0;
    for (; isDigit(this.peek()); this.at++) {
      if (value > 0 || this.peek() != 0x30) digits++;
      if (digits <= MAX_DIGITS) value = value * 10 + (this.peek() - 0x30);
    }
    if (this.at - this.base == token.at + (negative ? 1 : 0)) return this.refuse(token, "expected a digit after -");
    token.kind = NUMBER;
    token.number = negative ? -value : value;
    return true;
  }

  /** "a JSON string" is a name, 'a raw string' and `a JSON document` are literals. */
  private quoted(token: Token, quote: i32): bool {
    const start = ++this.at;
    while (this.peek() >= 0 && this.peek() != quote) this.at += this.peek() == 0x5c && this.at + 1 < this.end ? 2 : 1;
    if (!this.take(quote)) return this.refuse(token, "a quote without its end");
    const length = this.at - 1 - start;
    token.kind = quote == 0x22 ? QUOTED_NAME : LITERAL;
    if (quote == 0x27) {
      token.value = unescape(start, length, quote);
      return true;
    }
    const text = quote == 0x22 ? slice(KIND_TEXT, start - 1, length + 2) : unescape(start, length, quote);
    const reader = new JsonReader(text.bytes());
    const value = reader.read();
    if (value === null) return this.refuse(token, "no JSON: " + reader.problem);
    token.value = value;
    return true;
  }

  private refuse(token: Token, what: string): bool {
    raise(SYNTAX, token.at, what);
    return false;
  }

  private peek(): i32 {
    return this.at < this.end ? <i32>load<u8>(this.at) : -1;
  }

  private take(c: i32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }
}

/** A copy in which a backslash before the quote is gone; any other backslash stays. */
function unescape(start: usize, length: usize, quote: i32): Value {
  const copy = heap.alloc(length);
  let to = copy;
  const end = start + length;
  for (let at = start; at < end; at++) {
    if (load<u8>(at) == 0x5c && at + 1 < end && <i32>load<u8>(at + 1) == quote) at++;
    store<u8>(to++, load<u8>(at));
  }
  return slice(KIND_TEXT, copy, to - copy);
}

function isDigit(c: i32): bool {
  return <u32>(c - 0x30) < 10;
}

function isNameStart(c: i32): bool {
  return <u32>((c | 0x20) - 0x61) < 26 || c == 0x5f;
}
