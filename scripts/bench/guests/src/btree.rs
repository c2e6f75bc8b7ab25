//! The ordered map of the standard library: inserts, removals, ranges. Node walks, allocation, memmove.
use std::collections::BTreeMap;

#[no_mangle]
pub extern "C" fn run() -> u64 {
    let mut map = BTreeMap::new();
    let mut state: u32 = 5;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        state >> 8
    };
    let mut sum: u64 = 0;
    for round in 0..90_000u64 {
        map.insert((next() % 5000, next() % 3), round);
        if round % 3 == 0 {
            let key = (next() % 5000, 1);
            if let Some(value) = map.remove(&key) {
                sum = sum.wrapping_mul(31).wrapping_add(value);
            }
        }
        if round % 16 == 0 {
            let from = next() % 5000;
            for ((a, b), value) in map.range((from, 0)..(from + 40, 0)) {
                sum = sum.wrapping_add(*a as u64 * 3 + *b as u64).rotate_left(5) ^ value;
            }
        }
    }
    sum.wrapping_add(map.len() as u64)
}
