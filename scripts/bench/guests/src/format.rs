//! core::fmt: numbers of every kind written to text and read back; dynamic dispatch through Formatter and Write.
use std::fmt::{self, Write};

struct Record {
    id: u32,
    score: f64,
    name: &'static str,
    flags: [bool; 3],
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}|{:<10}|{:.3}|{:08x}|{:?}", self.id, self.name, self.score, self.id ^ 0xbeef, self.flags)
    }
}

#[no_mangle]
pub extern "C" fn run() -> u64 {
    let names = ["fuel", "depth", "memory", "transcript", "guest"];
    let mut text = String::new();
    let mut state: u32 = 9;
    for id in 0..14_000u32 {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        let score = f64::from(state >> 8) / 1000.0;
        let record = Record { id, score, name: names[(state >> 9) as usize % 5], flags: [id & 1 == 0, id & 2 == 0, id & 4 == 0] };
        writeln!(text, "{}", record).unwrap();
    }
    let mut sum: u64 = 0;
    for line in text.lines() {
        let mut fields = line.split('|').map(str::trim);
        let id: u32 = fields.next().unwrap().parse().unwrap();
        let name = fields.next().unwrap();
        let score: f64 = fields.next().unwrap().parse().unwrap();
        let mixed = u32::from_str_radix(fields.next().unwrap(), 16).unwrap();
        sum = sum.wrapping_mul(31).wrapping_add(u64::from(id ^ mixed) + name.len() as u64 + score.to_bits());
    }
    sum
}
