/**
 * What foreign software says of this software's evidence, as rows. A checker is
 * `{ name, needs, checks, lacking(), start() }`: `needs` says what it is, `checks` names the kinds of input it judges,
 * `lacking()` gives what to install (nothing when all is there), `start()` gives a function from inputs to verdicts
 * `{ accepted, says }` in their order. Cases are `{ CHECK: { accept: [{ what, input }], refuse: [{ what, input }] } }`.
 */

/** One row for every check of every checker, each passed, failed or missing. A checker that breaks fails its rows. */
export async function judge(checkers, cases) {
  const rows = [];
  for (const checker of checkers) {
    const lacking = await checker.lacking();
    const begin = lacking.length > 0 ? undefined : once(() => checker.start());
    for (const check of checker.checks) {
      if (cases[check] === undefined) throw new Error(`no inputs for ${check}`);
      const facts = { checker: checker.name, needs: checker.needs, check };
      const outcome =
        begin === undefined
          ? { state: "missing", detail: `install ${lacking.join(" ")}` }
          : await judgeCheck(begin, cases[check]);
      rows.push({ ...facts, ...outcome });
    }
  }
  return rows;
}

/** Exit code and closing lines. With `noSkip` what is missing counts as failed. A table without rows has failed. */
export function summary(rows, noSkip) {
  const count = (state) => rows.filter((row) => row.state === state).length;
  const missing = count("missing");
  const failed = count("fail") + (noSkip ? missing : 0) + (rows.length === 0 ? 1 : 0);
  const packages = [...new Set(rows.filter((row) => row.state === "missing").map((row) => row.detail))];
  const lines = missing > 0 ? [`${missing} not checked here: ${packages.join("; ")}`] : [];
  return { exitCode: failed > 0 ? 1 : 0, lines: [...lines, `${count("pass")} passed, ${failed} failed`] };
}

/** The rows as aligned text, one line each. */
export function format(rows) {
  const cells = rows.map(({ state, checker, check, needs, detail }) => [state, checker, check, needs, detail]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...cells.map((line) => line[column].length)));
  return cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

async function judgeCheck(begin, { accept, refuse }) {
  if (accept.length === 0 || refuse.length === 0) return { state: "fail", detail: "nothing to accept or to refuse" };
  const all = [...accept, ...refuse];
  try {
    const run = await begin();
    const verdicts = await run(all.map(({ input }) => input));
    if (verdicts.length !== all.length) throw new Error(`${verdicts.length} verdicts for ${all.length} inputs`);
    const wrong = all.findIndex((_, at) => verdicts[at].accepted !== at < accept.length);
    if (wrong < 0) return { state: "pass", detail: `${accept.length} accepted, ${refuse.length} altered refused` };
    const { accepted, says } = verdicts[wrong];
    return { state: "fail", detail: line(`${accepted ? "accepted" : "refused"} ${all[wrong].what}: ${says}`) };
  } catch (error) {
    return { state: "fail", detail: line(`broke: ${error instanceof Error ? error.message : error}`) };
  }
}

/** What programs say can be long; the first of it, on one line. */
function line(text) {
  return text.replace(/\s+/g, " ").slice(0, 300);
}

function once(make) {
  let made;
  return () => {
    made ??= make();
    return made;
  };
}
