//! What stores refuse, in the same words whichever store it is.

use crate::error::{Error, ErrorKind};
use crate::model::limits::ALIASES_MAX;

/// There is no such function in the namespace.
#[must_use]
pub fn no_function(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "The function does not exist.",
    )
    .hint("List the functions to see which there are.")
}

/// The function has no such version or alias.
#[must_use]
pub fn no_version(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "The function, or this version or alias of it, does not exist.",
    )
    .hint("List the function's versions and aliases to see which there are.")
}

/// The function has no such alias.
#[must_use]
pub fn no_alias(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "The function has no such alias.",
    )
    .hint("List the function's aliases to see which there are.")
}

/// Another function has the name.
#[must_use]
pub fn name_taken(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "There is a function with this name.",
    )
    .hint("Choose another name, or update the function that has it.")
}

/// The revision is no longer the expected one.
#[must_use]
pub fn revision_changed(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        operation,
        "The function has changed since it was read.",
    )
    .hint("Read the function again, then repeat the change.")
}

/// `current` was to be deleted.
#[must_use]
pub fn current_stays(operation: &'static str) -> Error {
    Error::invalid(operation, "The alias `current` cannot be deleted.")
        .hint("Point it at another version, or delete the function.")
}

/// One alias more than a function may have.
#[must_use]
pub fn too_many_aliases(operation: &'static str) -> Error {
    Error::invalid(
        operation,
        format!("A function has at most {ALIASES_MAX} aliases."),
    )
    .hint("Delete one that is no longer used.")
}

/// The package was not put, or not lately enough.
#[must_use]
pub fn no_package(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "A code package is not there.",
    )
    .hint("Put the package, then try again.")
}

/// The request names another size than the package has.
#[must_use]
pub fn package_size(operation: &'static str) -> Error {
    Error::invalid(
        operation,
        "A code package has another size than the one given.",
    )
}

/// There is no record with this id.
#[must_use]
pub fn no_invocation(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "There is no record of an invocation with this id.",
    )
    .hint("A run is recorded within a second of its end, and its record is removed in time.")
}

/// There is a token with this id or digest.
#[must_use]
pub fn token_taken(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "There is a token with this id or secret.",
    )
    .hint("Make a new token.")
}

/// There is no token with this id.
#[must_use]
pub fn no_token(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        operation,
        "There is no token with this id.",
    )
    .hint("List the tokens to see which there are.")
}

/// The store was closed.
#[must_use]
pub fn closed(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        operation,
        "The store is closed.",
    )
    .hint("Open the store again, or start the platform again.")
}
