//! Writing JSON: members sorted, no spaces, numbers in the shortest form as ECMAScript writes them. So one value has one
//! text, in the form of canonical JSON (spec/canonical-bytes.md) unless two keys need UTF-16 order to be sorted.

use std::fmt::{self, Display, Formatter, Write};

use super::json::Json;

const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

impl Display for Json {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(flag) => write!(out, "{flag}"),
            Json::Integer(integer) => write_integer(out, *integer),
            Json::Number(number) => write_number(out, *number),
            Json::Text(text) => write_text(out, text),
            Json::Array(items) => {
                out.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    separate(out, index)?;
                    item.fmt(out)?;
                }
                out.write_char(']')
            }
            Json::Object(members) => {
                out.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    separate(out, index)?;
                    write_text(out, name)?;
                    out.write_char(':')?;
                    value.fmt(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

fn separate(out: &mut Formatter, index: usize) -> fmt::Result {
    if index > 0 {
        out.write_char(',')
    } else {
        Ok(())
    }
}

/// Beyond 2^53 - 1 the digits as a text: canonical JSON refuses the literal.
fn write_integer(out: &mut Formatter, integer: i64) -> fmt::Result {
    if integer.unsigned_abs() > MAX_SAFE_INTEGER {
        write!(out, "\"{integer}\"")
    } else {
        write!(out, "{integer}")
    }
}

/// A number that is not finite is null; one whose form is an integer literal beyond 2^53 - 1 is a text.
fn write_number(out: &mut Formatter, number: f64) -> fmt::Result {
    if !number.is_finite() {
        return out.write_str("null");
    }
    if number == 0.0 {
        return out.write_char('0');
    }
    let shortest = shortest(number);
    if number.abs() > MAX_SAFE_INTEGER as f64 && number.abs() < 1e21 {
        write!(out, "\"{shortest}\"")
    } else {
        out.write_str(&shortest)
    }
}

/// The shortest decimal that reads back as the number, laid out as in ECMAScript's Number::toString.
fn shortest(number: f64) -> String {
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    // The decimal point stands after so many digits.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = digits.len() as i32;
    let layout = match point {
        1..=21 if point >= count => format!("{digits}{}", "0".repeat((point - count) as usize)),
        1..=21 => format!("{}.{}", &digits[..point as usize], &digits[point as usize..]),
        -5..=0 => format!("0.{}{digits}", "0".repeat(-point as usize)),
        _ => {
            let fraction = if count > 1 { format!(".{}", &digits[1..]) } else { String::new() };
            format!("{}{fraction}e{:+}", &digits[..1], point - 1)
        }
    };
    if number < 0.0 {
        format!("-{layout}")
    } else {
        layout
    }
}

fn write_text(out: &mut Formatter, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.write_str(&text[written..at])?;
        written = at + 1;
        match byte {
            b'"' | b'\\' => {
                out.write_char('\\')?;
                out.write_char(char::from(byte))?;
            }
            0x08 => out.write_str("\\b")?,
            0x0c => out.write_str("\\f")?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            _ => write!(out, "\\u{byte:04x}")?,
        }
    }
    out.write_str(&text[written..])?;
    out.write_char('"')
}
