//! Rust's standard library on WASI: a map keyed at random, the clock, both print macros, files and panics.
use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

mod env {
    #[link(wasm_import_module = "extism:host/env")]
    extern "C" {
        pub fn input_length() -> u64;
        pub fn alloc(length: u64) -> u64;
        pub fn store_u8(address: u64, byte: u32);
        pub fn output_set(address: u64, length: u64);
    }
}

fn output(text: &str) {
    unsafe {
        let block = env::alloc(text.len() as u64);
        for (i, byte) in text.bytes().enumerate() {
            env::store_u8(block + i as u64, byte.into());
        }
        env::output_set(block, text.len() as u64);
    }
}

#[no_mangle]
pub extern "C" fn stamp() -> i32 {
    let begun = Instant::now();
    let words: HashMap<String, usize> = ["one", "two", "three", "four", "five"]
        .iter()
        .map(|word| (word.to_string(), word.len()))
        .collect();
    let order: Vec<&str> = words.keys().map(String::as_str).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    println!("{} words", words.len());
    eprintln!("waited {:?}", begun.elapsed());
    output(&format!("{now} {}", order.join(",")));
    0
}

#[no_mangle]
pub extern "C" fn outside() -> i32 {
    let file = std::fs::read("/etc/passwd").is_err();
    let vars = std::env::vars().count();
    let args = std::env::args().count();
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap();
    output(&format!("file:{file} vars:{vars} args:{args} read:{read} input:{}", unsafe { env::input_length() }));
    0
}

#[no_mangle]
pub extern "C" fn fail() -> i32 {
    panic!("on purpose");
}
