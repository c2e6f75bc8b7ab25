//! How a call begins and ends: input, output, failure, panics.

use super::call::HostError;
use super::json::Json;
use super::json_reader;
use super::kernel::{self, Block};
use super::parameters::Parameters;

/// What an executor's function comes to.
pub type Outcome = Result<Json, Failure>;

/// Why a function fails: the error text that the caller gets to see. Made of a text or of a host's refusal by `?`.
#[derive(Debug)]
pub struct Failure(pub String);

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure(message.to_string())
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Failure {
        Failure(error.to_string())
    }
}

/// The call's input: canonical JSON of the intent's parameters unless the manifest says otherwise.
pub fn input() -> Vec<u8> {
    kernel::input()
}

/// The input as JSON; otherwise why it is none, such as `expected a value at byte 0`.
pub fn input_json() -> Result<Json, String> {
    json_reader::read(&input())
}

/// Sets the output and returns 0, an exported function's success code. The last output counts.
pub fn output(bytes: &[u8]) -> i32 {
    Block::from(bytes).into_output();
    0
}

/// Sets the output to JSON; returns 0.
pub fn output_json(value: &Json) -> i32 {
    output(value.to_string().as_bytes())
}

/// Sets the error text and returns 1, an exported function's failure code.
pub fn fail(message: &str) -> i32 {
    Block::from(message.as_bytes()).into_error();
    1
}

/// Runs one call of a function with JSON in and out. What `executor!` puts around every function.
pub fn run(function: fn(&mut Parameters) -> Outcome) -> i32 {
    report_panics();
    match Parameters::from_input().and_then(|mut parameters| function(&mut parameters)) {
        Ok(value) => output_json(&value),
        Err(Failure(message)) => fail(&message),
    }
}

/// A panic sets its message as the error text, then traps: panics are broken invariants, never a way to answer.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        fail(&panic.to_string());
    }));
}
