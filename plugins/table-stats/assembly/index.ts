import { fsReadPart } from "../../sdk/assembly/files";
import { fail } from "../../sdk/assembly/io";
import { JsonWriter } from "../../sdk/assembly/json-writer";
import { Parameters } from "../../sdk/assembly/parameters";
import { isUtf8 } from "../../sdk/assembly/utf8";
import { Value } from "../../sdk/assembly/value";
import { PADDING } from "./bytes";
import { Column, SeenRows } from "./column";
import { Csv } from "./csv";

/** Bytes asked of the host at a time: a part and its copy are all the memory that reading needs besides the file's own. */
const PART: i64 = 262144;
/** An allocation can't be larger. */
const MAX_FILE: i64 = 1 << 30;

/** {path, delimiter?} -> {columns: [{count, distinct, empty, kind, name, max?, mean?, min?, sum?}], path, rows} */
export function stats(): i32 {
  const parameters = new Parameters();
  const path = parameters.text("path");
  const delimiter = readDelimiter(parameters);
  const problem = parameters.finish();
  if (problem !== null) return fail(problem);
  const file = new TableFile(path);
  if (file.problem !== null) return refuse(path, file.problem!);
  const table = new Csv(file.start, file.length, delimiter);
  if (table.problem !== null) return refuse(path, table.problem!);
  for (let column = 0; column < table.columns; column++) {
    if (!isUtf8(table.cellStart(0, column), table.cellLength(0, column))) {
      return refuse(path, "the name of column " + (column + 1).toString() + " is not UTF-8");
    }
  }
  const out = new JsonWriter();
  const seen = new SeenRows(table.rows);
  out.beginObject();
  out.key("columns");
  out.beginArray();
  for (let column = 0; column < table.columns; column++) writeColumn(out, table, column, seen);
  out.endArray();
  out.key("path");
  out.textFrom(path.start, path.length);
  out.key("rows");
  out.integer(table.rows);
  out.endObject();
  return out.finish();
}

function writeColumn(out: JsonWriter, table: Csv, index: i32, seen: SeenRows): void {
  const column = new Column(table, index, seen);
  out.beginObject();
  out.key("count");
  out.integer(column.count);
  out.key("distinct");
  out.integer(column.distinct);
  out.key("empty");
  out.integer(column.empty);
  out.key("kind");
  out.text(column.count == 0 ? "empty" : column.numeric ? "number" : "text");
  if (column.numeric) {
    out.key("max");
    out.number(column.max);
    out.key("mean");
    out.number(column.sum / <f64>column.count);
    out.key("min");
    out.number(column.min);
  }
  out.key("name");
  out.textFrom(table.cellStart(0, index), table.cellLength(0, index));
  if (column.numeric) {
    out.key("sum");
    out.number(column.sum);
  }
  out.endObject();
}

/** A whole file, read part by part, with room behind it. */
class TableFile {
  problem: string | null = null;
  start: usize = 0;
  length: usize = 0;

  constructor(path: Value) {
    this.read(path);
  }

  private read(path: Value): void {
    let done: i64 = 0;
    let size: i64 = 0;
    do {
      const part = fsReadPart(path, done, PART);
      if (part.failed) return this.refuse(part.problem);
      if (part.size > MAX_FILE) return this.refuse("the file is larger than 1 GiB");
      if (done == 0) {
        size = part.size;
        this.length = <usize>size;
        this.start = heap.alloc(this.length + PADDING);
      } else if (part.size != size) return this.refuse("the file changed while it was read");
      if ((part.length == 0 && size > 0) || done + <i64>part.length > size) return this.refuse("the file changed while it was read");
      memory.copy(this.start + <usize>done, part.start, part.length);
      done += part.length;
      part.release();
    } while (done < size);
  }

  private refuse(problem: string): void {
    this.problem = problem;
  }
}

function readDelimiter(parameters: Parameters): u32 {
  const value = parameters.optionalText("delimiter");
  if (value === null) return 0x2c;
  const c: u32 = value.length == 1 ? load<u8>(value.start) : 0x22;
  if (c == 0x22 || c == 0x0a || c == 0x0d) {
    parameters.refuse('parameter "delimiter" must be one ASCII character other than a quote or a line break');
  }
  return c;
}

function refuse(path: Value, problem: string): i32 {
  return fail(path.text() + ": " + problem);
}
