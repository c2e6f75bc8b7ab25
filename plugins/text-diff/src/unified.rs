//! The unified format: `--- before`, `+++ after`, and hunks of changed lines with lines around them.

use super::myers::Changes;

/// A run of lines that are the same, or of lines that go and come.
struct Run {
    changed: bool,
    /// Places in both texts, from and up to.
    before: (usize, usize),
    after: (usize, usize),
}

/// The number of hunks, and their text; no text when nothing differs.
pub fn write(
    before: &[&str],
    after: &[&str],
    changes: &Changes,
    context: usize,
    before_name: &str,
    after_name: &str,
) -> (usize, String) {
    let runs = runs(changes);
    let hunks = hunks(&runs, context);
    let mut out = String::new();
    if !hunks.is_empty() {
        out.push_str(&format!("--- {before_name}\n+++ {after_name}\n"));
    }
    for hunk in &hunks {
        let (first, last) = (&hunk[0], &hunk[hunk.len() - 1]);
        let (old, new) = ((first.before.0, last.before.1), (first.after.0, last.after.1));
        out.push_str(&format!("@@ -{} +{} @@\n", range(old), range(new)));
        for run in hunk {
            let old = &before[run.before.0..run.before.1];
            if run.changed {
                put(&mut out, '-', old);
                put(&mut out, '+', &after[run.after.0..run.after.1]);
            } else {
                put(&mut out, ' ', old);
            }
        }
    }
    (hunks.len(), out)
}

/// All lines as runs, by turns the same and changed.
fn runs(changes: &Changes) -> Vec<Run> {
    let (removed, added) = (&changes.removed, &changes.added);
    let mut runs = Vec::new();
    let (mut x, mut y) = (0, 0);
    while x < removed.len() || y < added.len() {
        let (x0, y0) = (x, y);
        while x < removed.len() && y < added.len() && !removed[x] && !added[y] {
            x += 1;
            y += 1;
        }
        if x > x0 {
            runs.push(Run { changed: false, before: (x0, x), after: (y0, y) });
        }
        let (x0, y0) = (x, y);
        while x < removed.len() && removed[x] {
            x += 1;
        }
        while y < added.len() && added[y] {
            y += 1;
        }
        if x > x0 || y > y0 {
            runs.push(Run { changed: true, before: (x0, x), after: (y0, y) });
        }
    }
    runs
}

/// Changed runs with up to `context` lines around them; what lies no further apart than twice that is one hunk.
fn hunks(runs: &[Run], context: usize) -> Vec<Vec<Run>> {
    let mut hunks: Vec<Vec<Run>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let length = run.before.1 - run.before.0;
        if run.changed {
            if hunks.is_empty() {
                hunks.push(Vec::new());
            }
            let last = hunks.len() - 1;
            hunks[last].push(Run { changed: true, ..*run });
            continue;
        }
        let inner = index > 0 && index + 1 < runs.len();
        if inner && length <= 2 * context {
            let last = hunks.len() - 1;
            hunks[last].push(Run { changed: false, ..*run });
            continue;
        }
        let kept = length.min(context);
        if index > 0 && kept > 0 {
            let last = hunks.len() - 1;
            let (x, y) = (run.before.0, run.after.0);
            hunks[last].push(Run { changed: false, before: (x, x + kept), after: (y, y + kept) });
        }
        if index + 1 < runs.len() {
            let (x, y) = (run.before.1, run.after.1);
            let before = Run { changed: false, before: (x - kept, x), after: (y - kept, y) };
            hunks.push(if kept > 0 { vec![before] } else { Vec::new() });
        }
    }
    hunks
}

/// First line and count as the format has them: a count of 1 is left out, an empty range names the line before it.
fn range((from, to): (usize, usize)) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        count => format!("{},{count}", from + 1),
    }
}

fn put(out: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}
