//! A history of invocations, made up, and the questions that are asked about it.

mod history;
mod questions;

pub use history::History;
pub use questions::Questions;
