//! JSON of Python's values.

use std::io::Write as _;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::{Irregular, Regular};

/// Appends the JSON of `value`, nested no deeper than `depth`.
pub(super) fn append(json: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Regular<()> {
    if let Ok(string) = value.cast_exact::<PyString>() {
        return text(json, string);
    }
    if let Ok(number) = value.cast_exact::<PyInt>() {
        return integer(json, number);
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return real(json, number);
    }
    if let Some(word) = constant(value) {
        json.extend_from_slice(word);
        return Ok(());
    }
    let depth = depth.checked_sub(1).ok_or(Irregular)?;
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        return object(json, dict, depth);
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        return array(json, list.iter(), depth);
    }
    let tuple = value.cast_exact::<PyTuple>().map_err(|_| Irregular)?;
    array(json, tuple.iter(), depth)
}

fn constant(value: &Bound<'_, PyAny>) -> Option<&'static [u8]> {
    if value.is_none() {
        return Some(b"null");
    }
    let value = value.cast_exact::<PyBool>().ok()?;
    Some(if value.is_true() { b"true" } else { b"false" })
}

fn array<'py>(
    json: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> Regular<()> {
    json.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        append(json, &item, depth)?;
    }
    json.push(b']');
    Ok(())
}

/// Nothing that is called here runs code of Python's, so the dictionary stays as it is.
fn object(json: &mut Vec<u8>, dict: &Bound<'_, PyDict>, depth: usize) -> Regular<()> {
    json.push(b'{');
    for (index, (key, value)) in dict.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        member(json, &key)?;
        json.push(b':');
        append(json, &value, depth)?;
    }
    json.push(b'}');
    Ok(())
}

/// A key; numbers and constants are keys as the text that they would be as values.
fn member(json: &mut Vec<u8>, key: &Bound<'_, PyAny>) -> Regular<()> {
    if let Ok(string) = key.cast_exact::<PyString>() {
        return text(json, string);
    }
    json.push(b'"');
    if let Ok(number) = key.cast_exact::<PyInt>() {
        integer(json, number)?;
    } else if let Ok(number) = key.cast_exact::<PyFloat>() {
        real(json, number)?;
    } else {
        json.extend_from_slice(constant(key).ok_or(Irregular)?);
    }
    json.push(b'"');
    Ok(())
}

fn integer(json: &mut Vec<u8>, number: &Bound<'_, PyInt>) -> Regular<()> {
    let number: i64 = number.extract().map_err(|_| Irregular)?;
    // Writing to a vector does not fail.
    write!(json, "{number}").map_err(|_| Irregular)
}

fn real(json: &mut Vec<u8>, number: &Bound<'_, PyFloat>) -> Regular<()> {
    if !number.value().is_finite() {
        return Err(Irregular);
    }
    // Of several shortest forms Python's and Rust's are not always the same one.
    let repr = number.repr().map_err(|_| Irregular)?;
    json.extend_from_slice(repr.to_str().map_err(|_| Irregular)?.as_bytes());
    Ok(())
}

/// A text with surrogates is no text of Unicode's.
fn text(json: &mut Vec<u8>, string: &Bound<'_, PyString>) -> Regular<()> {
    let string = string.to_str().map_err(|_| Irregular)?;
    json.push(b'"');
    let mut rest = string.as_bytes();
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
        json.extend_from_slice(&rest[..at]);
        escape(json, rest[at]);
        rest = &rest[at + 1..];
    }
    json.extend_from_slice(rest);
    json.push(b'"');
    Ok(())
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escape(json: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            json.extend_from_slice(b"\\u00");
            json.push(DIGITS[usize::from(byte >> 4)]);
            json.push(DIGITS[usize::from(byte & 0xf)]);
            return;
        }
    };
    json.extend_from_slice(&[b'\\', short]);
}
