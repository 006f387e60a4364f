//! Hands a batch of records to a store, and finds those that it will never take.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{InvocationEntry, Retention};
use crate::store::{AppendInvocations, Store};

/// Attempts at finding a record that the store takes, where it is not clear whose fault the
/// refusal is.
const ATTEMPTS: u32 = 64;

/// Whose fault it is that a batch was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The store's: it will take the records later.
    Store,
    /// A record's: it will never be taken.
    Record,
    /// A record's if the store takes others, otherwise its own.
    Unclear,
}

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Throttled
            | ErrorKind::RuntimeUnavailable
            | ErrorKind::StoreUnavailable
            | ErrorKind::Unauthenticated
            | ErrorKind::PermissionDenied
            | ErrorKind::Closed => Self::Store,
            ErrorKind::InvalidParameter
            | ErrorKind::InvalidRequestContent
            | ErrorKind::UnsupportedMediaType
            | ErrorKind::InvalidZipFile
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::PreconditionFailed
            | ErrorKind::PayloadTooLarge => Self::Record,
            ErrorKind::Internal => Self::Unclear,
        }
    }
}

/// A store, and how it is called.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) retention: &'a Retention,
    pub(super) timeout: Duration,
}

impl Batches<'_> {
    /// Appends `entries`. Bounded in time, whatever the store does.
    pub(super) async fn append(&self, entries: Vec<InvocationEntry>) -> Result<()> {
        let request = AppendInvocations::new(entries).retention(self.retention, Timestamp::now());
        let append = AssertUnwindSafe(self.store.invocation_append(request)).catch_unwind();
        match tokio::time::timeout(self.timeout, append).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::internal(
                "invocation_append",
                "The store panicked over records of invocations.",
            )),
            Err(_) => Err(Error::new(
                ErrorKind::StoreUnavailable,
                "invocation_append",
                format!(
                    "The store did not answer within {} s.",
                    self.timeout.as_secs_f32()
                ),
            )),
        }
    }

    /// Appends those of `entries` that the store takes, after it has refused them together.
    /// Returns the others, by their place, with the reasons.
    ///
    /// # Errors
    /// The store cannot be used, as far as one can tell: none is condemned.
    pub(super) async fn sift(&self, entries: &[InvocationEntry]) -> Result<Vec<(usize, Error)>> {
        let mut refused = Vec::new();
        let (mut has_taken, mut attempts) = (false, 0);
        let mut parts = vec![0..entries.len()];
        while let Some(part) = parts.pop() {
            attempts += 1;
            let Err(error) = self.append(entries[part.clone()].to_vec()).await else {
                has_taken = true;
                continue;
            };
            let fault = Fault::of(&error);
            let is_hopeless = fault == Fault::Unclear && !has_taken && attempts >= ATTEMPTS;
            if fault == Fault::Store || is_hopeless {
                return Err(error);
            }
            if part.len() == 1 {
                refused.push((part.start, error));
            } else {
                let middle = part.start + part.len() / 2;
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
        }
        if !has_taken {
            let unclear = |(_, error): &(usize, Error)| Fault::of(error) == Fault::Unclear;
            if let Some(at) = refused.iter().position(unclear) {
                return Err(refused.swap_remove(at).1);
            }
        }
        Ok(refused)
    }
}
