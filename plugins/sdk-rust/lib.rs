//! SDK for executors in Rust: typed calls of every capability, JSON in and out, nothing beyond the standard library.
//!
//! It is a module, not a crate: a plugin says `#[path = "../sdk/lib.rs"] mod exoarmur;` at its root, under that name.
//! What a plugin does not reach is not in its module, so the import section is a true list of what it can ask for.
//!
//! ```ignore
//! use exoarmur::{executor, fs, object, Outcome, Parameters};
//!
//! executor! { size }
//!
//! /// {path} -> {size}
//! fn size(parameters: &mut Parameters) -> Outcome {
//!     let path = parameters.text("path")?;
//!     parameters.finish()?;
//!     let size = fs::stat(&path)?.size;
//!     Ok(object([("size", size.into())]))
//! }
//! ```
#![allow(dead_code, unused_imports, unused_macros)]

pub mod clock;
pub mod fs;
pub mod http;
pub mod json;
pub mod kv;
pub mod log;
pub mod msgpack;
pub mod random;

mod call;
mod json_reader;
mod json_writer;
mod kernel;
mod map;
mod parameters;
mod run;

pub use call::{Bytes, HostError};
pub use json::{object, Json};
pub use map::Map;
pub use parameters::Parameters;
pub use run::{fail, input, input_json, output, output_json, run, Failure, Outcome};

/// Exports functions of the type `fn(&mut Parameters) -> Outcome` under their own names.
macro_rules! executor {
    ($($name:ident),+ $(,)?) => {
        mod exports {
            $(
                #[no_mangle]
                pub extern "C" fn $name() -> i32 {
                    $crate::exoarmur::run(super::$name)
                }
            )+
        }
    };
}
pub(crate) use executor;
