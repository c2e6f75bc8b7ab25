//! Hash maps of the standard library with SipHash: inserts, look-ups, removals, with number and text keys.
use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

#[no_mangle]
pub extern "C" fn run() -> u64 {
    let mut numbers: HashMap<u32, u64, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    let mut state: u32 = 11;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        state >> 8
    };
    let mut sum: u64 = 0;
    for round in 0..110_000u64 {
        let key = next() % 6000;
        *numbers.entry(key).or_insert(round) += 1;
        if let Some(value) = numbers.get(&(next() % 9000)) {
            sum = sum.wrapping_mul(31).wrapping_add(*value);
        }
        if round % 5 == 0 {
            numbers.remove(&(next() % 6000));
        }
    }
    let mut words: HashMap<String, u32, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    for _ in 0..30_000 {
        let mut word = String::new();
        let mut left = next() % 700;
        while left > 0 {
            word.push((b'a' + (left % 7) as u8) as char);
            left /= 7;
        }
        *words.entry(word).or_default() += 1;
    }
    for (word, count) in &words {
        sum = sum.wrapping_add(word.len() as u64 * *count as u64);
    }
    sum.wrapping_add(numbers.len() as u64)
}
