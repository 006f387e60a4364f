//! The suite for [`Store`]: every promise of its documentation, as a case with a name.
//!
//! ```
//! use std::sync::Arc;
//!
//! use lambda_core::conformance::store::{self, StoreBuilder};
//! use lambda_core::store::{MemoryStore, Store};
//!
//! struct Memory;
//!
//! #[async_trait::async_trait]
//! impl StoreBuilder for Memory {
//!     type Guard = ();
//!     async fn build(&self) -> lambda_core::Result<((), Arc<dyn Store>)> {
//!         Ok(((), Arc::new(MemoryStore::new())))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! # async fn main() {
//! store::run(&Memory, "package::sizes").await.assert_passed(); // or store::run_all(&Memory)
//! # }
//! ```
//!
//! Run it on a runtime with several threads: some cases are about concurrency.

mod fixture;
mod function;
mod hostile;
mod invocation;
mod lifecycle;
mod package;
mod page;
mod summary;
mod token;
mod version;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Report;
use crate::error::Result;
use crate::store::Store;

/// Makes the stores that the suite is run on.
#[async_trait]
pub trait StoreBuilder: Send + Sync {
    /// Is dropped after the case, and the store with it: a directory, a database, a server.
    type Guard: Send + 'static;

    /// A new, empty store for one case.
    ///
    /// # Errors
    /// Fails the case.
    async fn build(&self) -> Result<(Self::Guard, Arc<dyn Store>)>;
}

/// Far more than a case takes; one that hangs is reported and does not stop the suite.
const CASE_LIMIT: Duration = Duration::from_secs(120);

type CaseFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Case {
    name: &'static str,
    run: fn(Arc<dyn Store>) -> CaseFuture,
}

macro_rules! cases {
    ($($module:ident: [$($case:ident),+ $(,)?],)+) => {
        &[$($(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            run: |store| Box::pin($module::$case(store)),
        },)+)+]
    };
}

const CASES: &[Case] = cases! {
    function: [
        found_by_id_and_by_name,
        every_field_is_kept,
        times_are_kept_to_the_microsecond,
        code_keeps_its_order,
        names_are_unique_in_a_namespace,
        namespaces_are_apart,
        one_of_many_creators_wins,
        missing_package_is_refused,
        wrong_size_is_refused,
        delete_frees_the_name,
        recreated_function_is_not_the_old_one,
        rename_moves_the_name,
    ],
    version: [
        update_appends_and_moves_current,
        versions_never_change,
        stale_revision_is_refused,
        refused_update_changes_nothing,
        concurrent_updaters_lose_nothing,
    ],
    page: [
        limits_are_checked,
        foreign_cursors_are_refused,
        functions_newest_first,
        functions_that_come_and_go,
        records_newest_first,
        records_of_one_function,
        records_that_come,
    ],
    package: [
        sizes,
        put_is_idempotent,
        unknown_is_not_found,
        wrong_digest_is_refused,
        shared_by_functions,
    ],
    invocation: [
        every_field_is_kept,
        extremes,
        same_id_is_kept_once,
        large_batch,
        concurrent_batches_that_overlap,
        records_outlive_the_function,
    ],
    summary: [
        nothing,
        figures_are_exact,
        name_is_the_latest,
        namespaces_are_apart,
        large_durations,
    ],
    token: [found_by_digest, oldest_first, unique, scopes],
    hostile: [text_of_functions, text_of_records, text_of_tokens, names_that_look_alike, largest_environment],
    lifecycle: [
        check_passes,
        closed_store_refuses,
        close_during_work,
        dropped_creations,
        dropped_updates,
        dropped_batches,
        debug_shows_no_secrets,
    ],
};

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs every case, each on a store of its own.
pub async fn run_all<B: StoreBuilder>(builder: &B) -> Report {
    run_where(builder, |_| true).await
}

/// Runs one case by its name. A name that is none runs nothing, which
/// [`Report::assert_passed`] does not let pass.
pub async fn run<B: StoreBuilder>(builder: &B, name: &str) -> Report {
    run_where(builder, |case| case == name).await
}

async fn run_where<B: StoreBuilder>(builder: &B, wanted: impl Fn(&str) -> bool) -> Report {
    let mut report = Report::default();
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        let built = builder.build().await;
        let work = async {
            let (guard, store) = built.expect("the builder gives a store");
            (case.run)(Arc::clone(&store)).await;
            store.close().await;
            drop(guard);
        };
        report.run(case.name, CASE_LIMIT, work).await;
    }
    report
}
