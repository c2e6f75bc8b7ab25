import { fail } from "../../sdk/assembly/io";
import { MAX_JSON_DEPTH } from "../../sdk/assembly/json-reader";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { evaluate } from "./evaluate";
import { problem, raised } from "./fault";
import { Parser } from "./parser";
import { levelsOf } from "./values";

/** Bytes of an expression. */
const MAX_EXPRESSION: usize = 16384;

/** {expression, input} -> {result} */
export function transform(): i32 {
  const parameters = new Parameters();
  const expression = parameters.text("expression");
  const input = parameters.required("input");
  if (expression.length > MAX_EXPRESSION) parameters.refuse('parameter "expression" must be at most 16384 bytes');
  const wrong = parameters.finish();
  if (wrong !== null) return fail(wrong);
  const parsed = new Parser(expression).read();
  if (raised()) return fail("expression: " + problem()!);
  const result = evaluate(parsed, input);
  if (raised()) return fail("expression: " + problem()!);
  const room = MAX_JSON_DEPTH - 1;
  if (levelsOf(result, room) > room) return fail("the result is nested deeper than " + room.toString() + " levels");
  const out = new JsonWriter();
  out.beginObject();
  out.key("result");
  out.value(result);
  out.endObject();
  return out.finish();
}
