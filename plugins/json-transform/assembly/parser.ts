import { Value } from "../../sdk/assembly/value";
import { INVALID_ARITY, raise, raised, SYNTAX, UNKNOWN_FUNCTION } from "./fault";
import { arityOf, findFunction } from "./signatures";
import { Lexer } from "./lexer";
import {
  N_AND, N_CALL, N_CHAIN, N_COMPARISON, N_CURRENT, N_FIELD, N_FILTER_PROJECTION, N_FLATTEN, N_INDEX, N_LIST, N_LIST_PROJECTION,
  N_LITERAL, N_NOT, N_OBJECT, N_OBJECT_PROJECTION, N_OR, N_REFERENCE, N_SLICE, Node,
} from "./node";
import {
  AND, COLON, COMMA, CURRENT, DOT, END, EQUAL, FILTER, FLATTEN, GREATER_OR_EQUAL, LEFT_BRACE, LEFT_BRACKET, LEFT_PAREN, LITERAL, looksOf,
  NAME, NOT, NUMBER, OR, PIPE, QUOTED_NAME, REFERENCE, RIGHT_BRACE, RIGHT_BRACKET, RIGHT_PAREN, STAR, Token,
} from "./tokens";

/** A token that binds less than this ends the right side of a projection. */
const PROJECTION_ENDS: i32 = 10;
const FLATTEN_POWER: i32 = 9;
const STAR_POWER: i32 = 20;
const FILTER_POWER: i32 = 21;
const DOT_POWER: i32 = 40;
const NOT_POWER: i32 = 45;
/** Levels of nodes and of open brackets: deeper ones would need more stack than a run has. */
const MAX_DEPTH: i32 = 256;

/** A parser by binding power (Pratt) for the grammar of JMESPath. */
export class Parser {
  private tokens: Token[];
  private place: i32 = 0;
  private open: i32 = 0;

  constructor(expression: Value) {
    this.tokens = new Lexer(expression).tokens;
  }

  /** The parsed expression; good only if nothing was raised. */
  read(): Node {
    const node = this.expression(0);
    if (!raised() && this.now.kind != END) this.refuse("unexpected " + this.now.looks);
    return node;
  }

  private get now(): Token {
    return this.tokens[this.place];
  }

  /** The kind of a token further on. */
  private ahead(count: i32): i32 {
    return this.tokens[min(this.place + count, this.tokens.length - 1)].kind;
  }

  private step(): Token {
    const token = this.now;
    if (token.kind != END) this.place++;
    return token;
  }

  private expect(kind: i32): void {
    if (this.now.kind != kind) this.refuse("expected " + looksOf(kind) + ", found " + this.now.looks);
    else this.step();
  }

  private refuse(what: string): Node {
    raise(SYNTAX, this.now.at, what);
    return new Node(N_CURRENT, this.now.at);
  }

  private expression(power: i32): Node {
    if (++this.open > MAX_DEPTH) return this.refuse("nested too deep");
    let left = this.prefix(this.step());
    while (!raised() && power < this.now.power) {
      left = this.infix(left, this.step());
      if (left.depth > MAX_DEPTH) this.refuse("nested too deep");
    }
    this.open--;
    return left;
  }

  /** An expression that begins with this token. */
  private prefix(token: Token): Node {
    const kind = token.kind;
    const here = new Node(N_CURRENT, token.at);
    if (kind == LITERAL) return this.leaf(N_LITERAL, token);
    if (kind == NAME) return this.leaf(N_FIELD, token);
    if (kind == QUOTED_NAME) {
      return this.now.kind == LEFT_PAREN ? this.refuse("a function's name is not quoted") : this.leaf(N_FIELD, token);
    }
    if (kind == CURRENT) return here;
    if (kind == NOT) return new Node(N_NOT, token.at).add(this.expression(NOT_POWER));
    if (kind == LEFT_PAREN) {
      const inner = this.expression(0);
      this.expect(RIGHT_PAREN);
      return inner;
    }
    if (kind == STAR) return this.objectProjection(here, token);
    if (kind == FILTER || kind == FLATTEN) return this.infix(here, token);
    if (kind == LEFT_BRACE) return this.object(token);
    if (kind == LEFT_BRACKET) return this.startsBracket() ? this.bracket(here, token) : this.list(token);
    this.place -= kind == END ? 0 : 1;
    return this.refuse(kind == END ? "the expression ends too early" : "unexpected " + token.looks);
  }

  /** An expression that goes on with this token. */
  private infix(left: Node, token: Token): Node {
    const kind = token.kind;
    if (kind == DOT) {
      if (this.now.kind == STAR) return this.objectProjection(left, this.step());
      return chain(left, this.afterDot(DOT_POWER), token.at);
    }
    if (kind == PIPE) return chain(left, this.expression(token.power), token.at);
    if (kind == OR) return new Node(N_OR, token.at).add(left).add(this.expression(token.power));
    if (kind == AND) return new Node(N_AND, token.at).add(left).add(this.expression(token.power));
    if (kind >= EQUAL && kind <= GREATER_OR_EQUAL) {
      const comparison = new Node(N_COMPARISON, token.at).add(left).add(this.expression(token.power));
      comparison.number = kind;
      return comparison;
    }
    if (kind == FLATTEN) {
      const flat = new Node(N_FLATTEN, token.at).add(left);
      return new Node(N_LIST_PROJECTION, token.at).add(flat).add(this.projected(FLATTEN_POWER));
    }
    if (kind == FILTER) {
      const condition = this.expression(0);
      this.expect(RIGHT_BRACKET);
      return new Node(N_FILTER_PROJECTION, token.at).add(left).add(this.projected(FILTER_POWER)).add(condition);
    }
    if (kind == LEFT_BRACKET) return this.bracket(left, token);
    if (kind == LEFT_PAREN) return this.call(left);
    this.place--;
    return this.refuse("unexpected " + token.looks);
  }

  private leaf(kind: i32, token: Token): Node {
    const node = new Node(kind, token.at);
    node.value = token.value;
    return node;
  }

  private startsBracket(): bool {
    const kind = this.now.kind;
    return kind == NUMBER || kind == COLON || (kind == STAR && this.ahead(1) == RIGHT_BRACKET);
  }

  /** `[0]`, `[1:2]` or `[*]` behind an expression. */
  private bracket(left: Node, token: Token): Node {
    if (this.now.kind == NUMBER || this.now.kind == COLON) return this.indexOrSlice(left, token);
    this.expect(STAR);
    this.expect(RIGHT_BRACKET);
    return new Node(N_LIST_PROJECTION, token.at).add(left).add(this.projected(STAR_POWER));
  }

  private indexOrSlice(left: Node, token: Token): Node {
    const node = new Node(N_INDEX, token.at);
    let part = 0;
    while (this.now.kind == NUMBER || this.now.kind == COLON) {
      const next = this.step();
      if (next.kind == COLON) part++;
      else if (node.has & (1 << part)) return this.refuse("expected ] or :");
      else {
        node.has |= 1 << part;
        if (part == 0) node.number = next.number;
        else if (part == 1) node.stop = next.number;
        else node.step = next.number;
      }
      if (part > 2) return this.refuse("a slice has three parts at most");
    }
    this.expect(RIGHT_BRACKET);
    if (part == 0) return chain(left, node, token.at);
    node.kind = N_SLICE;
    return new Node(N_LIST_PROJECTION, token.at).add(chain(left, node, token.at)).add(this.projected(STAR_POWER));
  }

  private objectProjection(left: Node, token: Token): Node {
    return new Node(N_OBJECT_PROJECTION, token.at).add(left).add(this.projected(STAR_POWER));
  }

  /** What is taken of each element of a projection; nothing more is the element itself. */
  private projected(power: i32): Node {
    const kind = this.now.kind;
    if (this.now.power < PROJECTION_ENDS) return new Node(N_CURRENT, this.now.at);
    if (kind == LEFT_BRACKET || kind == FILTER) return this.expression(power);
    if (kind != DOT) return this.refuse("unexpected " + this.now.looks);
    this.step();
    return this.afterDot(power);
  }

  private afterDot(power: i32): Node {
    const kind = this.now.kind;
    if (kind == NAME || kind == QUOTED_NAME || kind == STAR) return this.expression(power);
    if (kind == LEFT_BRACKET) return this.list(this.step());
    if (kind == LEFT_BRACE) return this.object(this.step());
    return this.refuse("expected a name, *, [ or { after the dot, found " + this.now.looks);
  }

  private list(token: Token): Node {
    const node = new Node(N_LIST, token.at);
    do node.add(this.expression(0));
    while (!raised() && this.takes(COMMA));
    this.expect(RIGHT_BRACKET);
    return node;
  }

  private object(token: Token): Node {
    const node = new Node(N_OBJECT, token.at);
    do {
      const key = this.now;
      if (key.kind != NAME && key.kind != QUOTED_NAME) return this.refuse("expected a key, found " + key.looks);
      this.step();
      this.expect(COLON);
      node.keys.push(key.value);
      node.add(this.expression(0));
    } while (!raised() && this.takes(COMMA));
    this.expect(RIGHT_BRACE);
    return node;
  }

  /** `name(argument, ...)`: whether there is such a function, and with so many arguments, is known here. */
  private call(name: Node): Node {
    if (name.kind != N_FIELD || this.tokens[this.place - 2].kind != NAME) return this.refuse("only a name can be called");
    const node = new Node(N_CALL, name.at);
    if (!this.takes(RIGHT_PAREN)) {
      do node.add(this.argument());
      while (!raised() && this.takes(COMMA));
      this.expect(RIGHT_PAREN);
    }
    if (raised()) return node;
    node.number = findFunction(name.value);
    if (node.number < 0) raise(UNKNOWN_FUNCTION, name.at, name.value.text());
    else {
      const wrong = arityOf(<i32>node.number, node.children.length);
      if (wrong !== null) raise(INVALID_ARITY, name.at, wrong);
    }
    return node;
  }

  private argument(): Node {
    if (this.now.kind != REFERENCE) return this.expression(0);
    return new Node(N_REFERENCE, this.step().at).add(this.expression(0));
  }

  private takes(kind: i32): bool {
    if (this.now.kind != kind) return false;
    this.step();
    return true;
  }
}

function chain(left: Node, right: Node, at: usize): Node {
  return new Node(N_CHAIN, at).add(left).add(right);
}
