import { fsRead } from "../sdk/assembly/files";
import { fail } from "../sdk/assembly/io";
import { JsonWriter } from "../sdk/assembly/json-writer";
import { Parameters } from "../sdk/assembly/parameters";

/** {name} -> {greeting} */
export function greet(): i32 {
  const parameters = new Parameters();
  const name = parameters.text("name");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);

  const out = new JsonWriter();
  out.beginObject();
  out.key("greeting");
  out.text("Hello, " + name.text() + "!");
  out.endObject();
  return out.finish();
}

/** {path} -> {bytes, lines}: the size of a file and how many line ends it has */
export function count(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);

  const file = fsRead(path);
  if (file.failed) return fail(file.problem);
  let lines = 0;
  for (let at: usize = 0; at < file.length; at++) {
    if (load<u8>(file.start + at) == 0x0a) lines++;
  }

  const out = new JsonWriter();
  out.beginObject();
  out.key("bytes");
  out.integer(file.size);
  out.key("lines");
  out.integer(lines);
  out.endObject();
  return out.finish();
}
