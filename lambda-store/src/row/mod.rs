//! Rows as structs: what is the same in every database.
//!
//! `sqlx::FromRow` is generic over the database, so that one struct fits all: ids are bytes,
//! points in time are microseconds, words are text, and every number is an `i64` or an `f64`.
//! Queries are each database's own; their columns have the names of the fields here.
//!
//! What a row holds is checked where it becomes a value of the model: what the platform did not
//! write is a decode error.

mod config;
pub(crate) mod figures;
mod function;
mod invocation;
mod token;
mod value;

pub(crate) use config::encode as encode_config;
pub(crate) use function::{
    AliasRow, FunctionRow, HeadRow, cut_to_microsecond, format_word, function_query,
};
pub(crate) use invocation::{EntryRow, InvocationRow, figures_of, normalised};
pub(crate) use token::{TokenRow, scope_words};
pub(crate) use value::{bounded, count, decode_error, encode_error, function_bytes, id, now};
