//! Blocks of host memory that guest and host pass by address (spec/abi.md); address 0 is no block.

mod env {
    #[link(wasm_import_module = "extism:host/env")]
    extern "C" {
        pub fn alloc(length: u64) -> u64;
        pub fn free(address: u64);
        pub fn length(address: u64) -> u64;
        pub fn load_u8(address: u64) -> u32;
        pub fn load_u64(address: u64) -> u64;
        pub fn store_u8(address: u64, byte: u32);
        pub fn store_u64(address: u64, bytes: u64);
        pub fn input_length() -> u64;
        pub fn input_load_u8(offset: u64) -> u32;
        pub fn input_load_u64(offset: u64) -> u64;
        pub fn output_set(address: u64, length: u64);
        pub fn error_set(address: u64);
    }
}

/// A block that this guest owns. The host checks every access, so nothing here can reach outside it.
pub struct Block(u64);

impl Block {
    /// A new block with a copy of the bytes. No bytes are no block.
    pub fn from(bytes: &[u8]) -> Block {
        let address = unsafe { env::alloc(bytes.len() as u64) };
        let words = bytes.chunks_exact(8);
        let rest = words.remainder();
        let mut at = address;
        // A crossing costs the same for one byte as for eight.
        for word in words {
            unsafe { env::store_u64(at, u64::from_le_bytes(word.try_into().unwrap())) };
            at += 8;
        }
        for byte in rest {
            unsafe { env::store_u8(at, u32::from(*byte)) };
            at += 1;
        }
        Block(address)
    }

    /// Takes over the block that a host function returned.
    pub fn own(address: u64) -> Block {
        Block(address)
    }

    pub fn address(&self) -> u64 {
        self.0
    }

    /// A copy of its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let length = unsafe { env::length(self.0) } as usize;
        copy(length, |at| unsafe { env::load_u64(self.0 + at) }, |at| unsafe { env::load_u8(self.0 + at) })
    }

    /// Makes it the output; it stays the host's.
    pub fn into_output(self) {
        unsafe { env::output_set(self.0, env::length(self.0)) };
        std::mem::forget(self);
    }

    /// Makes its text the error message; it stays the host's.
    pub fn into_error(self) {
        unsafe { env::error_set(self.0) };
        std::mem::forget(self);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        unsafe { env::free(self.0) };
    }
}

/// The call's input.
pub fn input() -> Vec<u8> {
    let length = unsafe { env::input_length() } as usize;
    copy(length, |at| unsafe { env::input_load_u64(at) }, |at| unsafe { env::input_load_u8(at) })
}

fn copy(length: usize, load_u64: impl Fn(u64) -> u64, load_u8: impl Fn(u64) -> u32) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut at = 0;
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        word.copy_from_slice(&load_u64(at).to_le_bytes());
        at += 8;
    }
    for byte in words.into_remainder() {
        *byte = load_u8(at) as u8;
        at += 1;
    }
    bytes
}
