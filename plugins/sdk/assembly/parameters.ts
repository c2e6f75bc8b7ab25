import { readInput } from "./io";
import { JsonReader } from "./json-reader";
import { KIND_NULL, KIND_OBJECT, KIND_TEXT, kindName, Value } from "./value";

/**
 * The call's parameters, read strictly. Ask for every parameter by name, then for finish(): what was wrong, such as
 * `parameter "path" is missing`, or null. Parameter names are ASCII.
 */
export class Parameters {
  private problem: string | null = null;
  private object: Value;
  private asked: string[] = [];

  constructor() {
    const reader = new JsonReader(readInput());
    const value = reader.read();
    this.object = new Value(KIND_OBJECT);
    if (value === null) this.refuse("parameters are not JSON: " + reader.problem);
    else if (value.kind != KIND_OBJECT) this.refuse("parameters must be an object, not " + kindName(value.kind));
    else this.object = value;
  }

  /** A required string; an empty one after a refusal. */
  text(name: string): Value {
    const value = this.optionalText(name);
    if (value !== null) return value;
    if (!this.object.get(name)) this.refuse('parameter "' + name + '" is missing');
    return new Value(KIND_TEXT);
  }

  /** A string that may be absent: null then, or after a refusal. */
  optionalText(name: string): Value | null {
    const value = this.optional(name);
    if (value === null) return null;
    if (value.kind == KIND_TEXT) return value;
    this.refuse('parameter "' + name + '" must be a string, not ' + kindName(value.kind));
    return null;
  }

  /** A required value of any kind; null after a refusal. */
  required(name: string): Value {
    const value = this.optional(name);
    if (value !== null) return value;
    this.refuse('parameter "' + name + '" is missing');
    return new Value(KIND_NULL);
  }

  /** A value of any kind that may be absent: null then. */
  optional(name: string): Value | null {
    this.asked.push(name);
    return this.object.get(name);
  }

  /** An object that may be absent: null then, or after a refusal. */
  optionalObject(name: string): Value | null {
    const value = this.optional(name);
    if (value === null || value.kind == KIND_OBJECT) return value;
    this.refuse('parameter "' + name + '" must be an object, not ' + kindName(value.kind));
    return null;
  }

  /** A whole number from 0 to 2^53 - 1 that may be absent: `absent` then, or after a refusal. */
  optionalCount(name: string, absent: i64): i64 {
    const value = this.optional(name);
    if (value === null) return absent;
    if (value.isCount()) return <i64>value.number;
    this.refuse('parameter "' + name + '" must be a whole number from 0 to 2^53-1');
    return absent;
  }

  /** The string's place among some words; 0, the default, when it is absent. */
  choice(name: string, words: string[]): i32 {
    const value = this.optionalText(name);
    if (value === null) return 0;
    for (let i = 0; i < words.length; i++) {
      if (value.is(words[i])) return i;
    }
    const last = words.length - 1;
    this.refuse('parameter "' + name + '" must be "' + words.slice(0, last).join('", "') + '" or "' + words[last] + '"');
    return 0;
  }

  /** Records what is wrong, unless something already is. */
  refuse(problem: string): void {
    if (this.problem === null) this.problem = problem;
  }

  /**
   * The first problem, null when there is none. A parameter that nobody asked for comes before all others: it may be the
   * misspelt name of one that is missing.
   */
  finish(): string | null {
    for (let i = 0; i < this.object.keys.length; i++) {
      const name = this.object.keys[i].text();
      if (!this.asked.includes(name)) return 'parameter "' + name + '" is not known';
    }
    return this.problem;
  }
}
