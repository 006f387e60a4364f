//! Python's values of JSON.

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::{DEPTH_MAX, Irregular, Regular};

type Value<'py> = Bound<'py, PyAny>;

/// The value of a whole text.
pub(super) fn document<'py>(py: Python<'py>, text: &str) -> Regular<Value<'py>> {
    let mut reader = Reader { py, text, at: 0 };
    let value = reader.value(DEPTH_MAX)?;
    reader.skip_space();
    if reader.at == text.len() {
        return Ok(value);
    }
    Err(Irregular)
}

struct Reader<'py, 'text> {
    py: Python<'py>,
    text: &'text str,
    /// Always between two characters.
    at: usize,
}

impl<'py, 'text> Reader<'py, 'text> {
    fn value(&mut self, depth: usize) -> Regular<Value<'py>> {
        self.skip_space();
        match self.peek().ok_or(Irregular)? {
            b'"' => Ok(self.string()?.into_any()),
            b'{' => self.object(depth.checked_sub(1).ok_or(Irregular)?),
            b'[' => self.array(depth.checked_sub(1).ok_or(Irregular)?),
            b't' => self.constant("true", true),
            b'f' => self.constant("false", false),
            b'n' => self.constant("null", self.py.None()),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Regular<Value<'py>> {
        let dict = PyDict::new(self.py);
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(dict.into_any());
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            let value = self.value(depth)?;
            dict.set_item(key, value).map_err(|_| Irregular)?;
            self.skip_space();
            if self.take(b'}') {
                return Ok(dict.into_any());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Regular<Value<'py>> {
        let list = PyList::empty(self.py);
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(list.into_any());
        }
        loop {
            let item = self.value(depth)?;
            list.append(item).map_err(|_| Irregular)?;
            self.skip_space();
            if self.take(b']') {
                return Ok(list.into_any());
            }
            self.expect(b',')?;
        }
    }

    fn string(&mut self) -> Regular<Bound<'py, PyString>> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.take(b'"') {
            return Ok(PyString::new(self.py, plain));
        }
        let mut string = plain.to_owned();
        while !self.take(b'"') {
            string.push(self.escape()?);
            string.push_str(self.plain()?);
        }
        Ok(PyString::new(self.py, &string))
    }

    /// What comes before the next quotation mark or backslash.
    fn plain(&mut self) -> Regular<&'text str> {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let length = rest.bytes().position(ends).ok_or(Irregular)?;
        self.at += length;
        Ok(&rest[..length])
    }

    /// Anything but a backslash is a control character, which does not belong here.
    fn escape(&mut self) -> Regular<char> {
        self.expect(b'\\')?;
        let byte = self.peek().ok_or(Irregular)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            // Maybe the first byte of a character; nobody reads on from here.
            _ => return Err(Irregular),
        })
    }

    fn unicode(&mut self) -> Regular<char> {
        let first = self.unit()?;
        let units = if (0xd800..0xdc00).contains(&first) {
            self.expect(b'\\')?;
            self.expect(b'u')?;
            [first, self.unit()?]
        } else {
            [first, 0]
        };
        // A surrogate without its other half is an error.
        let character = char::decode_utf16(units).next().ok_or(Irregular)?;
        character.map_err(|_| Irregular)
    }

    fn unit(&mut self) -> Regular<u16> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Irregular)?;
        // The number parser would take a sign as well.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Irregular);
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).map_err(|_| Irregular)
    }

    fn number(&mut self) -> Regular<Value<'py>> {
        let began = self.at;
        self.take(b'-');
        let is_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && is_zero {
            return Err(Irregular);
        }
        let mut is_whole = true;
        if self.take(b'.') {
            is_whole = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            is_whole = false;
            if !self.take(b'-') {
                self.take(b'+');
            }
            self.digits()?;
        }
        let number = &self.text[began..self.at];
        if is_whole {
            let number: i64 = number.parse().map_err(|_| Irregular)?;
            return self.object_of(number);
        }
        let number: f64 = number.parse().map_err(|_| Irregular)?;
        self.object_of(number)
    }

    /// At least one.
    fn digits(&mut self) -> Regular<usize> {
        let rest = self.text[self.at..].bytes();
        let count = rest.take_while(u8::is_ascii_digit).count();
        self.at += count;
        (count > 0).then_some(count).ok_or(Irregular)
    }

    fn constant(&mut self, word: &str, value: impl IntoPyObject<'py>) -> Regular<Value<'py>> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Irregular);
        }
        self.at += word.len();
        self.object_of(value)
    }

    fn object_of(&self, value: impl IntoPyObject<'py>) -> Regular<Value<'py>> {
        value.into_bound_py_any(self.py).map_err(|_| Irregular)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes over `byte`, an ASCII character, if it is what comes next.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Regular<()> {
        self.take(byte).then_some(()).ok_or(Irregular)
    }
}
