//! The shortest edit script (E. W. Myers, An O(ND) Difference Algorithm and Its Variations, 1986, section 4b): the middle
//! of a shortest path is searched from both ends at once, and both halves are then compared in the same way. Memory is
//! linear in the number of lines.

use super::lines::Numbered;

/// Greatest number of edits searched from either end. A stretch that needs more is taken as replaced as a whole, which is
/// right but not shortest: its cost is bounded, and the answer says so.
const MAX_EDITS: i32 = 600;

/// Which lines go and which come; the others are the same in the same order.
pub struct Changes {
    pub removed: Vec<bool>,
    pub added: Vec<bool>,
    /// Whether no shorter script exists.
    pub minimal: bool,
}

/// Compares two numbered texts.
pub fn compare(lines: &Numbered) -> Changes {
    let mut changes =
        Changes { removed: vec![false; lines.before.len()], added: vec![false; lines.after.len()], minimal: true };
    // A line that the other text lacks is part of every script; without such lines fewer edits are left to search.
    let before = shared(&lines.before, &lines.after, lines.count, &mut changes.removed);
    let after = shared(&lines.after, &lines.before, lines.count, &mut changes.added);
    let size = before.len() + after.len() + 3;
    let mut search = Search {
        before: &before,
        after: &after,
        forward: vec![NOWHERE; size],
        backward: vec![NOWHERE_BACK; size],
        base: after.len() as i32 + 1,
        changes,
    };
    search.compare(Area { x0: 0, x1: before.len() as i32, y0: 0, y1: after.len() as i32 });
    search.changes
}

/// The lines of one text that the other has too, as (number, place); the rest is marked.
fn shared(own: &[u32], other: &[u32], count: usize, marked: &mut [bool]) -> Vec<(u32, usize)> {
    let mut there = vec![false; count];
    for number in other {
        there[*number as usize] = true;
    }
    let mut kept = Vec::new();
    for (place, number) in own.iter().enumerate() {
        if there[*number as usize] {
            kept.push((*number, place));
        } else {
            marked[place] = true;
        }
    }
    kept
}

/// Not reached by so many edits.
const NOWHERE: i32 = -1;
const NOWHERE_BACK: i32 = i32::MAX;

struct Search<'a> {
    before: &'a [(u32, usize)],
    after: &'a [(u32, usize)],
    /// Furthest place in `before` on each diagonal, from the start and from the end. A diagonal is x - y plus `base`.
    forward: Vec<i32>,
    backward: Vec<i32>,
    base: i32,
    changes: Changes,
}

/// before[x0..x1] against after[y0..y1]
#[derive(Clone, Copy)]
struct Area {
    x0: i32,
    x1: i32,
    y0: i32,
    y1: i32,
}

impl Area {
    /// The least and the greatest diagonal.
    fn diagonals(&self, base: i32) -> (i32, i32) {
        (self.x0 - self.y1 + base, self.x1 - self.y0 + base)
    }

    /// Whether so many edits can lead from one diagonal to another without leaving the area.
    fn has(&self, k: i32, from: i32, edits: i32, base: i32) -> bool {
        let (least, most) = self.diagonals(base);
        (k - from).abs() <= edits && least <= k && k <= most
    }
}

impl Search<'_> {
    fn same(&self, x: i32, y: i32) -> bool {
        self.before[x as usize].0 == self.after[y as usize].0
    }

    /// Marks the edits of an area.
    fn compare(&mut self, mut area: Area) {
        while area.x0 < area.x1 && area.y0 < area.y1 && self.same(area.x0, area.y0) {
            area.x0 += 1;
            area.y0 += 1;
        }
        while area.x0 < area.x1 && area.y0 < area.y1 && self.same(area.x1 - 1, area.y1 - 1) {
            area.x1 -= 1;
            area.y1 -= 1;
        }
        if area.x0 < area.x1 && area.y0 < area.y1 {
            if let Some((x, y)) = self.middle(area) {
                self.compare(Area { x1: x, y1: y, ..area });
                return self.compare(Area { x0: x, y0: y, ..area });
            }
            self.changes.minimal = false;
        }
        for (_, place) in &self.before[area.x0 as usize..area.x1 as usize] {
            self.changes.removed[*place] = true;
        }
        for (_, place) in &self.after[area.y0 as usize..area.y1 as usize] {
            self.changes.added[*place] = true;
        }
    }

    /// A point in the middle of a shortest path through an area whose corners begin and end no common run. None when the
    /// path takes more than MAX_EDITS from each corner.
    fn middle(&mut self, area: Area) -> Option<(i32, i32)> {
        let (start, end) = (area.x0 - area.y0 + self.base, area.x1 - area.y1 + self.base);
        let odd = (start - end) % 2 != 0;
        self.forward[start as usize] = area.x0;
        self.backward[end as usize] = area.x1;
        for edits in 1..=MAX_EDITS {
            for k in self.diagonals(area, start, edits) {
                let x = self.step_forward(area, k, start, edits);
                if odd && (k - end).abs() < edits && self.backward[k as usize] <= x {
                    return Some((x, x + self.base - k));
                }
            }
            for k in self.diagonals(area, end, edits) {
                let x = self.step_backward(area, k, end, edits);
                if !odd && (k - start).abs() <= edits && x <= self.forward[k as usize] {
                    return Some((x, x + self.base - k));
                }
            }
        }
        None
    }

    /// The diagonals that so many edits lead to from one: every other, as far as they are in the area.
    fn diagonals(&self, area: Area, from: i32, edits: i32) -> impl Iterator<Item = i32> {
        let (least, most) = area.diagonals(self.base);
        let over = (least - (from - edits)).max(0);
        (from - edits + over + over % 2..=(from + edits).min(most)).step_by(2)
    }

    /// The furthest place on diagonal `k` with one edit more: a line of `before` dropped or one of `after` taken in, if that
    /// stays in the area, or what two edits fewer came to. Then along the lines that are the same.
    fn step_forward(&mut self, area: Area, k: i32, start: i32, edits: i32) -> i32 {
        let known = |k, edits| if area.has(k, start, edits, self.base) { self.forward[k as usize] } else { NOWHERE };
        let (dropped, taken) = (known(k - 1, edits - 1), known(k + 1, edits - 1));
        let mut x = known(k, edits - 2);
        if dropped != NOWHERE && dropped < area.x1 {
            x = x.max(dropped + 1);
        }
        if taken != NOWHERE && taken + self.base - (k + 1) < area.y1 {
            x = x.max(taken);
        }
        if x != NOWHERE {
            let mut y = x + self.base - k;
            while x < area.x1 && y < area.y1 && self.same(x, y) {
                x += 1;
                y += 1;
            }
        }
        self.forward[k as usize] = x;
        x
    }

    /// The same from the other end, where the furthest place is the least.
    fn step_backward(&mut self, area: Area, k: i32, end: i32, edits: i32) -> i32 {
        let known =
            |k, edits| if area.has(k, end, edits, self.base) { self.backward[k as usize] } else { NOWHERE_BACK };
        let (dropped, taken) = (known(k + 1, edits - 1), known(k - 1, edits - 1));
        let mut x = known(k, edits - 2);
        if dropped != NOWHERE_BACK && dropped > area.x0 {
            x = x.min(dropped - 1);
        }
        if taken != NOWHERE_BACK && taken + self.base - (k - 1) > area.y0 {
            x = x.min(taken);
        }
        if x != NOWHERE_BACK {
            let mut y = x + self.base - k;
            while x > area.x0 && y > area.y0 && self.same(x - 1, y - 1) {
                x -= 1;
                y -= 1;
            }
        }
        self.backward[k as usize] = x;
        x
    }
}
