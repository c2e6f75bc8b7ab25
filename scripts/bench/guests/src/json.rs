//! A JSON reader into a tree of enums and a writer back: a tokenizer's matches, recursion, boxes, strings.
#[derive(Debug)]
enum Value {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.space();
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match *self.bytes.get(self.at)? {
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'"' => self.text().map(Value::Text),
            b'[' => self.list(),
            b'{' => self.object(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            value
        })
    }

    fn number(&mut self) -> Option<Value> {
        let negative = self.expect(b'-').is_some();
        let mut number: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
            self.at += 1;
        }
        Some(Value::Number(if negative { -number } else { number }))
    }

    fn text(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    text.push(match *self.bytes.get(self.at)? {
                        b'n' => '\n',
                        other => other as char,
                    });
                }
                other => text.push(other as char),
            }
            self.at += 1;
        }
        self.at += 1;
        Some(text)
    }

    fn list(&mut self) -> Option<Value> {
        self.expect(b'[')?;
        let mut list = Vec::new();
        if self.expect(b']').is_some() {
            return Some(Value::List(list));
        }
        loop {
            list.push(self.value()?);
            if self.expect(b']').is_some() {
                return Some(Value::List(list));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.expect(b'{')?;
        let mut members = Vec::new();
        if self.expect(b'}').is_some() {
            return Some(Value::Object(members));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.expect(b':')?;
            members.push((name, self.value()?));
            if self.expect(b'}').is_some() {
                return Some(Value::Object(members));
            }
            self.expect(b',')?;
        }
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(number.to_string().bytes()),
        Value::Text(text) => write_text(text, out),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, item)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[no_mangle]
pub extern "C" fn run() -> u64 {
    let mut text = String::from("[");
    for index in 0..1200 {
        text.push_str(if index > 0 { ",\n  " } else { "" });
        text.push_str("{\"id\": ");
        text.push_str(&(index * 7919 - 4000).to_string());
        text.push_str(", \"tags\": [\"sand\", \"box \\\"x\\\"\", null], \"ok\": true, \"in\": {\"a\": [1, [2, [3]]], \"b\": \"line\\n\"}}");
    }
    text.push(']');
    let mut sum: u64 = 0;
    let mut bytes = text.into_bytes();
    for _ in 0..6 {
        let value = Reader { bytes: &bytes, at: 0 }.value().unwrap();
        let mut out = Vec::new();
        write(&value, &mut out);
        sum = out.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        bytes = out;
    }
    sum
}
