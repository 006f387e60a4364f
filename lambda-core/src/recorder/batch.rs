//! Hands a batch of records to a store, and finds those that it will never take.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{InvocationEntry, Retention};
use crate::store::{AppendInvocations, Store, patiently};

const OPERATION: &str = "invocation_append";

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
        let append = async {
            append.await.unwrap_or_else(|_| {
                Err(Error::internal(
                    OPERATION,
                    "The store panicked over records of invocations.",
                ))
            })
        };
        patiently(self.timeout, OPERATION, append).await
    }

    /// Appends those of `entries` that the store takes, after it has refused them together.
    /// Returns the others, by their place, with the reasons.
    ///
    /// # Errors
    /// The store cannot be used, as far as one can tell: none is condemned.
    pub(super) async fn sift(&self, entries: &[InvocationEntry]) -> Result<Vec<(usize, Error)>> {
        let mut refused = Vec::new();
        let (mut taken, mut attempts) = (None, 0);
        let mut parts = vec![(0, entries.len())];
        while let Some((from, to)) = parts.pop() {
            attempts += 1;
            let Err(error) = self.append(entries[from..to].to_vec()).await else {
                taken = Some(from);
                continue;
            };
            let fault = Fault::of(&error);
            let is_hopeless = fault == Fault::Unclear && taken.is_none() && attempts >= ATTEMPTS;
            if fault == Fault::Store || is_hopeless {
                return Err(error);
            }
            if to - from == 1 {
                refused.push((from, error));
            } else {
                let middle = from.midpoint(to);
                parts.push((middle, to));
                parts.push((from, middle));
            }
        }
        let mut condemned = Vec::new();
        for (at, error) in refused {
            if Fault::of(&error) == Fault::Record {
                condemned.push((at, error));
            } else if let Some(error) = self.is_refused_still(entries, at, taken, error).await? {
                condemned.push((at, error));
            }
        }
        Ok(condemned)
    }

    /// Tries a record again whose refusal may have been a fault of the store that is over by
    /// now: it is the record's only if the store takes another one before and after.
    async fn is_refused_still(
        &self,
        entries: &[InvocationEntry],
        at: usize,
        taken: Option<usize>,
        error: Error,
    ) -> Result<Option<Error>> {
        let Some(taken) = taken else {
            return Err(error);
        };
        let one = |at: usize| self.append(vec![entries[at].clone()]);
        match one(at).await {
            Ok(()) => Ok(None),
            Err(error) if Fault::of(&error) == Fault::Store => Err(error),
            Err(error) => one(taken).await.map(|()| Some(error)),
        }
    }
}
