import { readInput } from "./io";
import { JsonReader } from "./json-reader";
import { KIND_OBJECT, KIND_TEXT, kindName, Value } from "./value";

/**
 * The call's parameters, read strictly. Ask for every parameter by name, then for finish(): the first thing that was wrong, such
 * as `parameter "path" is missing`, or null. Parameter names are ASCII.
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
    this.asked.push(name);
    const value = this.object.get(name);
    if (value === null) return null;
    if (value.kind == KIND_TEXT) return value;
    this.refuse('parameter "' + name + '" must be a string, not ' + kindName(value.kind));
    return null;
  }

  /** The string's place among two words; 0, the default, when it is absent. */
  choice(name: string, first: string, second: string): i32 {
    const value = this.optionalText(name);
    if (value === null || value.is(first)) return 0;
    if (!value.is(second)) this.refuse('parameter "' + name + '" must be "' + first + '" or "' + second + '"');
    return 1;
  }

  /** Records what is wrong, unless something already is. */
  refuse(problem: string): void {
    if (this.problem === null) this.problem = problem;
  }

  /** The first problem, a parameter that nobody asked for included; null when there is none. */
  finish(): string | null {
    for (let i = 0; i < this.object.keys.length; i++) {
      const name = this.object.keys[i].text();
      if (!this.asked.includes(name)) this.refuse('parameter "' + name + '" is not known');
    }
    return this.problem;
  }
}
