/** Rows and how they are printed. */

/**
 * A row. `value` is the figure and `unit` its unit, `p99` and `rate` further figures of the same run, `ratio` how it
 * compares with `peer`, `target` in words and `reached` whether it was met; null where there is nothing to say.
 */
export function row(name, facts) {
  const empty = {
    value: null,
    unit: "",
    p99: null,
    rate: null,
    ratio: null,
    peer: null,
    target: null,
    reached: null,
    note: null,
  };
  return { name, ...empty, ...facts };
}

/** A number in three significant digits or more. */
export function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return Number(value.toPrecision(3)).toString();
}

/** Columns as [head, what to show of a row, "right" to align numbers]. A column with nothing to show is left out. */
const columns = [
  ["", (one) => one.name],
  ["value", (one) => (one.value === null ? "" : `${figure(one.value)} ${one.unit}`), "right"],
  ["p99", (one) => figure(one.p99), "right"],
  ["a second", (one) => figure(one.rate), "right"],
  ["ratio", (one) => (one.ratio === null ? "" : `${figure(one.ratio)}x ${one.peer ?? ""}`)],
  ["target", (one) => one.target ?? ""],
  ["", (one) => (one.reached === null ? "" : one.reached ? "reached" : "MISSED")],
  ["", (one) => one.note ?? ""],
];

/** A section as text; `shown` are its columns, if it has its own. */
export function render(title, rows, shown = columns) {
  const cells = rows.map((one) => shown.map(([, show]) => show(one)));
  const used = shown.map((_column, at) => cells.some((line) => line[at] !== ""));
  const lines = [shown.map(([head]) => head), ...cells].map((line) => line.filter((_cell, at) => used[at]));
  const right = shown.filter((_column, at) => used[at]).map(([, , align]) => align === "right");
  const widths = right.map((_right, at) => Math.max(...lines.map((line) => line[at].length)));
  const pad = (cell, at) => (right[at] ? cell.padStart(widths[at]) : cell.padEnd(widths[at]));
  return `\n${title}\n${lines.map((line) => `  ${line.map(pad).join("  ").trimEnd()}`).join("\n")}`;
}
