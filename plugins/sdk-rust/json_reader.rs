//! Reading JSON (RFC 8259): one document, no repeated keys, no lone surrogates, no number out of range, nesting up to 128.

use super::json::Json;
use super::map::Map;

/// Deepest nesting accepted, as in canonical JSON (spec/canonical-bytes.md).
const MAX_DEPTH: usize = 128;

/// The document, or what is wrong and at which byte.
pub fn read(bytes: &[u8]) -> Result<Json, String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(format!("not UTF-8 at byte {}", error.valid_up_to())),
    };
    let mut reader = Reader { text, at: 0 };
    let problem = match reader.value(0) {
        Ok(value) => {
            reader.skip_space();
            if reader.at == text.len() {
                return Ok(value);
            }
            "text after the document"
        }
        Err(problem) => problem,
    };
    Err(format!("{problem} at byte {}", reader.at))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Read<Json> {
        if depth > MAX_DEPTH {
            return Err("nested too deep");
        }
        self.skip_space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Json::Text),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Read<Json> {
        let mut members = Map::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != b'"' {
                return Err("expected a key");
            }
            let key = self.string()?;
            if members.get(&key).is_some() {
                return Err("a key occurs twice");
            }
            self.skip_space();
            if !self.take(b':') {
                return Err("expected ':'");
            }
            members.insert(key, self.value(depth + 1)?);
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return Err("expected ',' or '}'");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Read<Json> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err("expected ',' or ']'");
            }
        }
    }

    fn string(&mut self) -> Read<String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let start = self.at;
            while self.at < self.text.len() && !matches!(self.peek(), b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            string.push_str(&self.text[start..self.at]);
            if self.at == self.text.len() {
                return Err("a string without an end");
            }
            if self.take(b'"') {
                return Ok(string);
            }
            if !self.take(b'\\') {
                return Err("control character in a string");
            }
            string.push(self.escape().ok_or("malformed escape")?);
        }
    }

    /// The character of the escape after a backslash; `None` for a lone surrogate and for what is no escape.
    fn escape(&mut self) -> Option<char> {
        let kind = self.peek();
        self.at += usize::from(self.at < self.text.len() && kind.is_ascii());
        match kind {
            b'"' | b'\\' | b'/' => Some(char::from(kind)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            b'u' => self.escaped_unit(),
            _ => None,
        }
    }

    fn escaped_unit(&mut self) -> Option<char> {
        let unit = self.hex4()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit);
        }
        if !(self.take(b'\\') && self.take(b'u')) {
            return None;
        }
        let low = self.hex4()?;
        if !(0xdc00..0xe000).contains(&low) {
            return None;
        }
        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
    }

    fn hex4(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | char::from(self.peek()).to_digit(16)?;
            self.at += 1;
        }
        Some(unit)
    }

    fn number(&mut self) -> Read<Json> {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits();
        if whole == 0 {
            return Err("expected a value");
        }
        if whole > 1 && self.text.as_bytes()[self.at - whole] == b'0' {
            return Err("a number starts with 0");
        }
        let mut integer = true;
        if self.take(b'.') {
            integer = false;
            if self.digits() == 0 {
                return Err("expected a digit");
            }
        }
        if self.take(b'e') || self.take(b'E') {
            integer = false;
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err("expected a digit");
            }
        }
        let literal = &self.text[start..self.at];
        if integer {
            if let Ok(integer) = literal.parse() {
                return Ok(Json::Integer(integer));
            }
        }
        match literal.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::Number(number)),
            _ => Err("a number is out of range"),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &str, value: Json) -> Read<Json> {
        if !self.text[self.at..].starts_with(word) {
            return Err("expected a value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.at < self.text.len() && self.peek() == byte;
        self.at += usize::from(there);
        there
    }

    /// The next byte, 0 at the end: no place where it is asked for accepts a 0.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}
