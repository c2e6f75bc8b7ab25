//! Lines, and numbers in their place.

use std::collections::HashMap;

/// The lines of a text, each with its line feed; the last may have none.
pub fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Two texts as numbers: equal lines, and they alone, have equal ones.
pub struct Numbered {
    pub before: Vec<u32>,
    pub after: Vec<u32>,
    /// How many different lines there are; the numbers are below it.
    pub count: usize,
}

/// Numbers lines in the order in which they first occur.
pub fn number<'a>(before: &[&'a str], after: &[&'a str]) -> Numbered {
    let mut known: HashMap<&'a str, u32> = HashMap::new();
    let mut numbers = |lines: &[&'a str]| -> Vec<u32> {
        lines
            .iter()
            .map(|line| {
                let next = known.len() as u32;
                *known.entry(line).or_insert(next)
            })
            .collect()
    };
    let (before, after) = (numbers(before), numbers(after));
    Numbered { before, after, count: known.len() }
}
