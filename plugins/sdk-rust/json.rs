//! JSON values.

use super::map::Map;

/// A JSON value. A number literal without point and exponent that fits is an `Integer`, every other a `Number`.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Map<String, Json>),
}

impl Json {
    /// Reads one document (RFC 8259) strictly; otherwise says what is wrong and where: `expected a value at byte 0`.
    pub fn read(bytes: &[u8]) -> Result<Json, String> {
        super::json_reader::read(bytes)
    }

    /// The member of an object; `None` when it is absent or this is no object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.get(name),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, also one that was written with a point or an exponent.
    pub fn as_integer(&self) -> Option<i64> {
        match *self {
            Json::Integer(integer) => Some(integer),
            Json::Number(number) if number.trunc() == number && number.abs() <= 9_007_199_254_740_991.0 => {
                Some(number as i64)
            }
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<f64> {
        match *self {
            Json::Integer(integer) => Some(integer as f64),
            Json::Number(number) => Some(number),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The kind in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Integer(_) | Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

/// An object of these members; of two with one name the first counts.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

impl From<bool> for Json {
    fn from(flag: bool) -> Json {
        Json::Bool(flag)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_string())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl From<f64> for Json {
    fn from(number: f64) -> Json {
        Json::Number(number)
    }
}

impl From<i64> for Json {
    fn from(integer: i64) -> Json {
        Json::Integer(integer)
    }
}

impl From<i32> for Json {
    fn from(integer: i32) -> Json {
        Json::Integer(i64::from(integer))
    }
}

impl From<u32> for Json {
    fn from(integer: u32) -> Json {
        Json::Integer(i64::from(integer))
    }
}

/// Beyond 2^63 - 1 the decimal digits as a text, which is how the writer puts every integer beyond 2^53 - 1.
impl From<u64> for Json {
    fn from(integer: u64) -> Json {
        i64::try_from(integer).map_or_else(|_| Json::Text(integer.to_string()), Json::Integer)
    }
}

impl From<usize> for Json {
    fn from(integer: usize) -> Json {
        Json::from(integer as u64)
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Json {
        Json::Array(items)
    }
}

impl FromIterator<Json> for Json {
    fn from_iter<I: IntoIterator<Item = Json>>(items: I) -> Json {
        Json::Array(items.into_iter().collect())
    }
}
