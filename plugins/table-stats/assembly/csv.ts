const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const QUOTE: u32 = 0x22;
/** Bytes by which the list of cells grows; it is the newest allocation, so it grows in place. */
const STEP: usize = 262144;

/**
 * A CSV file (RFC 4180) as a list of cells over the file's own bytes: no cell is copied, a quoted one is unescaped in place.
 * The first record is the header. Lines end in LF or CRLF; a cell that holds a quote, a line break or the delimiter is quoted.
 */
export class Csv {
  /** What was wrong, naming row and line; null after a good parse. */
  problem: string | null = null;
  columns: i32 = 0;
  /** Records after the header. */
  rows: i32 = 0;
  private cells: usize = 0;
  private used: usize = 0;
  private capacity: usize = 0;
  private at: usize = 0;
  private line: i32 = 1;
  private special: StaticArray<u8> = new StaticArray<u8>(256);

  /** `start` must have room for one more byte behind `length`. The delimiter is an ASCII byte. */
  constructor(start: usize, length: usize, private delimiter: u32) {
    this.special[LF] = 1;
    this.special[CR] = 1;
    this.special[QUOTE] = 1;
    this.special[delimiter] = 1;
    this.parse(start, start + length);
  }

  /** Address of a cell; row 0 is the header. */
  cellStart(row: i32, column: i32): usize {
    return <usize>load<u32>(this.slot(row, column));
  }

  /** Bytes of a cell. */
  cellLength(row: i32, column: i32): usize {
    return <usize>load<u32>(this.slot(row, column), 4);
  }

  // @ts-ignore: decorator
  @inline
  private slot(row: i32, column: i32): usize {
    return this.cells + ((<usize>row * <usize>this.columns + <usize>column) << 3);
  }

  private parse(start: usize, end: usize): void {
    // A line feed behind the last byte ends every scan, so the loops need no bounds check.
    store<u8>(end, LF);
    this.at = start;
    if (end - start >= 3 && load<u16>(start) == 0xbbef && load<u8>(start, 2) == 0xbf) this.at += 3;
    if (this.at == end) return this.refuse("the file is empty, a header row is needed");
    for (let row = 0; this.at < end; row++) {
      const line = this.line;
      const fields = this.record(end);
      if (this.problem !== null) return;
      if (row == 0) this.columns = fields;
      else if (fields != this.columns) return this.refuseRow(row, line, fields);
      this.rows = row;
    }
  }

  /** Reads one record with its line end and returns its number of fields. */
  private record(end: usize): i32 {
    let fields = 0;
    while (true) {
      fields++;
      if (load<u8>(this.at) == QUOTE) {
        if (!this.quoted(end)) return fields;
      } else {
        const from = this.at;
        let at = from;
        while (unchecked(this.special[load<u8>(at)]) == 0) at++;
        this.at = at;
        this.push(from, at - from);
      }
      const c = <u32>load<u8>(this.at);
      if (c == this.delimiter) {
        this.at++;
        continue;
      }
      if (c == CR && this.at + 1 < end && load<u8>(this.at, 1) == LF) this.at++;
      else if (c == CR) this.refuseLine("a carriage return without a line feed");
      else if (c == QUOTE) this.refuseLine("a quote inside an unquoted field");
      this.at++;
      this.line++;
      return fields;
    }
  }

  /** Reads a quoted field up to what follows the closing quote, and moves its content together where "" stood for ". */
  private quoted(end: usize): bool {
    const from = ++this.at;
    let to = from;
    let at = from;
    const line = this.line;
    while (true) {
      if (at >= end) {
        this.line = line;
        this.refuseLine("a quoted field without a closing quote");
        return false;
      }
      const c = <u32>load<u8>(at++);
      if (c == QUOTE) {
        if (load<u8>(at) != QUOTE) break;
        at++;
      } else if (c == LF) this.line++;
      store<u8>(to++, c);
    }
    this.at = at;
    this.push(from, to - from);
    const c = <u32>load<u8>(at);
    if (c == this.delimiter || c == LF || c == CR) return true;
    this.refuseLine("text after a closing quote");
    return false;
  }

  private push(start: usize, length: usize): void {
    if (this.used == this.capacity) {
      this.capacity += STEP;
      this.cells = this.cells == 0 ? heap.alloc(this.capacity) : heap.realloc(this.cells, this.capacity);
    }
    store<u32>(this.cells + this.used, <u32>start);
    store<u32>(this.cells + this.used, <u32>length, 4);
    this.used += 8;
  }

  private refuseRow(row: i32, line: i32, fields: i32): void {
    const found = fields.toString() + (fields == 1 ? " field" : " fields");
    this.refuse("row " + row.toString() + " (line " + line.toString() + ") has " + found + ", the header has " + this.columns.toString());
  }

  private refuseLine(what: string): void {
    if (this.problem === null) this.refuse("line " + this.line.toString() + ": " + what);
  }

  private refuse(what: string): void {
    this.problem = what;
  }
}
