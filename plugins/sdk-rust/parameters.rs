//! The call's parameters, read strictly.

use super::json::Json;
use super::map::Map;
use super::run::{input_json, Failure};

/// The members of the input object. Take every parameter by name, then call `finish`: whatever was not asked for is refused.
/// Messages are the same in every SDK: `parameter "path" is missing`.
pub struct Parameters(Map<String, Json>);

impl Parameters {
    /// The input, which must be a JSON object.
    pub fn from_input() -> Result<Parameters, Failure> {
        match input_json() {
            Ok(Json::Object(members)) => Ok(Parameters(members)),
            Ok(other) => Err(format!("parameters must be an object, not {}", other.kind()).into()),
            Err(problem) => Err(format!("parameters are not JSON: {problem}").into()),
        }
    }

    /// A required string.
    pub fn text(&mut self, name: &str) -> Result<String, Failure> {
        let value = self.optional_text(name)?;
        required(name, value)
    }

    /// A string that may be absent.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        self.typed(name, "a string", |value| value.as_text().map(str::to_string))
    }

    /// A required whole number within 2^53 - 1.
    pub fn integer(&mut self, name: &str) -> Result<i64, Failure> {
        let value = self.optional_integer(name)?;
        required(name, value)
    }

    /// A whole number that may be absent.
    pub fn optional_integer(&mut self, name: &str) -> Result<Option<i64>, Failure> {
        self.typed(name, "a whole number", Json::as_integer)
    }

    /// A number that may be absent.
    pub fn optional_number(&mut self, name: &str) -> Result<Option<f64>, Failure> {
        self.typed(name, "a number", Json::as_number)
    }

    /// A boolean that may be absent.
    pub fn optional_bool(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        self.typed(name, "a boolean", Json::as_bool)
    }

    /// The place of a string among these words; 0 when it is absent.
    pub fn choice(&mut self, name: &str, words: &[&str]) -> Result<usize, Failure> {
        let text = match self.optional_text(name)? {
            Some(text) => text,
            None => return Ok(0),
        };
        words.iter().position(|word| *word == text).ok_or_else(|| {
            let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            format!("parameter \"{name}\" must be {}", list.join(" or ")).into()
        })
    }

    /// A parameter of any kind that may be absent.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name)
    }

    /// Refuses a parameter that nobody asked for.
    pub fn finish(&self) -> Result<(), Failure> {
        match self.0.iter().next() {
            Some((name, _)) => Err(format!("parameter \"{name}\" is not known").into()),
            None => Ok(()),
        }
    }

    fn typed<T>(&mut self, name: &str, kind: &str, read: impl Fn(&Json) -> Option<T>) -> Result<Option<T>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match read(&value) {
                None => Err(format!("parameter \"{name}\" must be {kind}, not {}", value.kind()).into()),
                found => Ok(found),
            },
        }
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| format!("parameter \"{name}\" is missing").into())
}
