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

const columns = [
  ["", (one) => one.name],
  ["value", (one) => (one.value === null ? "" : `${figure(one.value)} ${one.unit}`)],
  ["p99", (one) => figure(one.p99)],
  ["a second", (one) => figure(one.rate)],
  ["ratio", (one) => (one.ratio === null ? "" : `${figure(one.ratio)}x ${one.peer ?? ""}`)],
  ["target", (one) => one.target ?? ""],
  ["", (one) => (one.reached === null ? "" : one.reached ? "reached" : "MISSED")],
  ["", (one) => one.note ?? ""],
];

/** A section as text. */
export function render(title, rows) {
  const cells = [columns.map(([head]) => head), ...rows.map((one) => columns.map(([, show]) => show(one)))];
  const widths = columns.map((_column, at) => Math.max(...cells.map((line) => line[at].length)));
  const shown = widths.map((width) => width > 0);
  const lines = cells.map((line) =>
    line
      .map((cell, at) => (at > 0 && at < 4 ? cell.padStart(widths[at]) : cell.padEnd(widths[at])))
      .filter((_cell, at) => shown[at])
      .join("  ")
      .trimEnd(),
  );
  return `\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
