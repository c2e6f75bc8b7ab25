//! The msgpack profile of the host-guest ABI (spec/abi.md, Documents): nil, booleans, integers within 2^53 - 1, float64,
//! UTF-8 texts, binary, arrays, maps with text keys. What is outside of it is refused, reading and writing.

use super::map::Map;

/// Nesting of a document: a bare scalar has depth 0.
const MAX_DEPTH: usize = 32;

/// 2^53 - 1, the greatest integer either way.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;
const MIN_INTEGER: i64 = -MAX_INTEGER;

/// A document. Texts and bytes point into the memory it was read from, or into what is to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Nil,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Array(Vec<Value<'a>>),
    Map(Map<&'a str, Value<'a>>),
}

impl Value<'_> {
    /// A whole number from 0 to 2^53 - 1, in either of the forms it may travel in.
    pub fn as_count(&self) -> Option<u64> {
        match *self {
            Value::Integer(count) if count >= 0 => Some(count as u64),
            Value::Number(count) if count >= 0.0 && count <= MAX_INTEGER as f64 && count.trunc() == count => {
                Some(count as u64)
            }
            _ => None,
        }
    }
}

/// A count; one beyond 2^53 - 1 is refused when it is written.
impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// Encodes a document, every item in its shortest form, the keys of maps sorted. Says what the profile lacks.
pub fn encode(value: &Value) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::new();
    write(&mut out, value, 0)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), &'static str> {
    match value {
        Value::Nil => out.push(0xc0),
        Value::Bool(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
        Value::Integer(integer) => write_integer(out, *integer)?,
        Value::Number(number) => write_number(out, *number)?,
        Value::Text(text) => {
            write_head(out, text.len(), Some((0xa0, 31)), [Some(0xd9), Some(0xda), Some(0xdb)])?;
            out.extend_from_slice(text.as_bytes());
        }
        Value::Bytes(bytes) => {
            write_head(out, bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)])?;
            out.extend_from_slice(bytes);
        }
        Value::Array(_) | Value::Map(_) if depth >= MAX_DEPTH => return Err("nests deeper than 32 levels"),
        Value::Array(items) => {
            write_head(out, items.len(), Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)])?;
            for item in items {
                write(out, item, depth + 1)?;
            }
        }
        Value::Map(members) => {
            write_head(out, members.len(), Some((0x80, 15)), [None, Some(0xde), Some(0xdf)])?;
            for (key, value) in members.iter() {
                if *key == "__proto__" {
                    return Err("has the key __proto__");
                }
                write(out, &Value::Text(key), depth + 1)?;
                write(out, value, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn write_integer(out: &mut Vec<u8>, integer: i64) -> Result<(), &'static str> {
    match integer {
        0..=0x7f | -32..=-1 => out.push(integer as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, integer as u8]),
        0x100..=0xffff => tagged(out, 0xcd, &(integer as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => tagged(out, 0xce, &(integer as u32).to_be_bytes()),
        0x1_0000_0000..=MAX_INTEGER => tagged(out, 0xcf, &integer.to_be_bytes()),
        -0x80..=-33 => out.extend_from_slice(&[0xd0, integer as u8]),
        -0x8000..=-0x81 => tagged(out, 0xd1, &(integer as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => tagged(out, 0xd2, &(integer as i32).to_be_bytes()),
        MIN_INTEGER..=-0x8000_0001 => tagged(out, 0xd3, &integer.to_be_bytes()),
        _ => return Err("has an integer beyond 2^53-1"),
    }
    Ok(())
}

fn write_number(out: &mut Vec<u8>, number: f64) -> Result<(), &'static str> {
    if !is_number(number) {
        return Err("has a number that is -0, not finite, or an integer beyond 2^53-1");
    }
    tagged(out, 0xcb, &number.to_bits().to_be_bytes());
    Ok(())
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// A length in the shortest head there is: inside the tag, or after it in one, two or four bytes.
fn write_head(
    out: &mut Vec<u8>,
    length: usize,
    short: Option<(u8, usize)>,
    tags: [Option<u8>; 3],
) -> Result<(), &'static str> {
    match (short, tags) {
        (Some((tag, most)), _) if length <= most => out.push(tag | length as u8),
        (_, [Some(tag), _, _]) if length <= 0xff => out.extend_from_slice(&[tag, length as u8]),
        (_, [_, Some(tag), _]) if length <= 0xffff => tagged(out, tag, &(length as u16).to_be_bytes()),
        (_, [_, _, Some(tag)]) => {
            tagged(out, tag, &u32::try_from(length).map_err(|_| "is too large")?.to_be_bytes());
        }
        _ => return Err("is too large"),
    }
    Ok(())
}

/// A float64 of the profile, which is one that canonical JSON has: finite, not -0, no integer from 2^53 up to 1e21.
fn is_number(number: f64) -> bool {
    let beyond = number.abs() > MAX_INTEGER as f64 && number.abs() < 1e21 && number.trunc() == number;
    number.is_finite() && !beyond && (number != 0.0 || number.is_sign_positive())
}

/// Decodes one document; otherwise says what is wrong and where, such as `truncated at byte 3`.
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, String> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0).map_err(|what| format!("{what} at byte {}", reader.at))?;
    if reader.at != bytes.len() {
        return Err(format!("bytes after the document at byte {}", reader.at));
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, &'static str> {
        let tag = self.take(1)?[0];
        match tag {
            0x00..=0x7f => Ok(Value::Integer(i64::from(tag))),
            0x80..=0x8f => self.map(u64::from(tag & 15), depth),
            0x90..=0x9f => self.array(u64::from(tag & 15), depth),
            0xa0..=0xbf => self.text(u64::from(tag & 31)).map(Value::Text),
            0xc0 => Ok(Value::Nil),
            0xc2 | 0xc3 => Ok(Value::Bool(tag == 0xc3)),
            0xc4..=0xc6 => {
                let length = self.unsigned(1 << (tag - 0xc4))?;
                self.bytes(length).map(Value::Bytes)
            }
            0xcb => self.number(),
            0xcc..=0xcf => {
                let integer = self.unsigned(1 << (tag - 0xcc))?;
                i64::try_from(integer).map_or(Err("an integer beyond 2^53-1"), checked)
            }
            0xd0..=0xd3 => {
                let width = 1 << (tag - 0xd0);
                let unused = 64 - 8 * width as u32;
                checked(((self.unsigned(width)? << unused) as i64) >> unused)
            }
            0xd9..=0xdb => {
                let length = self.unsigned(1 << (tag - 0xd9))?;
                self.text(length).map(Value::Text)
            }
            0xdc | 0xdd => {
                let length = self.unsigned(2 << (tag - 0xdc))?;
                self.array(length, depth)
            }
            0xde | 0xdf => {
                let length = self.unsigned(2 << (tag - 0xde))?;
                self.map(length, depth)
            }
            0xe0..=0xff => Ok(Value::Integer(i64::from(tag as i8))),
            // 0xc1 is never used; 0xca is float32; the rest are extension types.
            _ => Err("a type outside the profile"),
        }
    }

    fn array(&mut self, length: u64, depth: usize) -> Result<Value<'a>, &'static str> {
        self.enter(length, depth)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, length: u64, depth: usize) -> Result<Value<'a>, &'static str> {
        self.enter(length, depth)?;
        let mut members = Map::new();
        for _ in 0..length {
            let key = match self.value(depth + 1)? {
                Value::Text(key) => key,
                _ => return Err("a key that is no text"),
            };
            if key == "__proto__" {
                return Err("the key __proto__");
            }
            let value = self.value(depth + 1)?;
            if !members.insert(key, value) {
                return Err("a key that occurs twice");
            }
        }
        Ok(Value::Map(members))
    }

    /// A container's items take a byte each at least: a length beyond what is left is refused before anything is made.
    fn enter(&self, length: u64, depth: usize) -> Result<(), &'static str> {
        if depth >= MAX_DEPTH {
            return Err("nested too deep");
        }
        if length > (self.bytes.len() - self.at) as u64 {
            Err("truncated")
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Value<'a>, &'static str> {
        let number = f64::from_bits(self.unsigned(8)?);
        if is_number(number) {
            Ok(Value::Number(number))
        } else {
            Err("a number outside the profile")
        }
    }

    fn text(&mut self, length: u64) -> Result<&'a str, &'static str> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| "a text that is not UTF-8")
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        self.take(usize::try_from(length).map_err(|_| "truncated")?)
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, &'static str> {
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let rest = &self.bytes[self.at..];
        if length > rest.len() {
            return Err("truncated");
        }
        self.at += length;
        Ok(&rest[..length])
    }
}

fn checked<'a>(integer: i64) -> Result<Value<'a>, &'static str> {
    if (MIN_INTEGER..=MAX_INTEGER).contains(&integer) {
        Ok(Value::Integer(integer))
    } else {
        Err("an integer beyond 2^53-1")
    }
}
