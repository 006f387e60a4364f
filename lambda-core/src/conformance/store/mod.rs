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
//! store::run(&Memory, "package::sizes").await.unwrap(); // or store::run_all(&Memory)
//! # }
//! ```
//!
//! Run it on a runtime with several threads: some cases are about concurrency.

mod alias;
mod expire;
mod figures;
mod filter;
mod fixture;
mod function;
mod history;
mod hostile;
mod invocation;
mod lifecycle;
mod output;
mod package;
mod page;
mod stream;
mod summary;
mod sums;
mod token;
mod version;

use std::sync::Arc;

use async_trait::async_trait;

use super::suite::{CASE_LIMIT, Case, Failure, Failures, run_case};
use crate::error;
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
    async fn build(&self) -> error::Result<(Self::Guard, Arc<dyn Store>)>;
}

macro_rules! cases {
    ($($module:ident: [$($case:ident),+ $(,)?],)+) => {
        &[$($(Case::new(
            concat!(stringify!($module), "::", stringify!($case)),
            |store| Box::pin($module::$case(store)),
        ),)+)+]
    };
}

const CASES: &[Case<Arc<dyn Store>>] = cases! {
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
    history: [newest_first, as_read_by_number, bounds_are_checked],
    alias: [
        set_moved_and_deleted,
        listed_by_name,
        what_is_not_there_is_refused,
        rollback_renews_the_revision,
        every_change_renews_the_revision,
        expected_revision,
        one_of_many_setters_wins,
        there_are_only_so_many,
        of_a_deleted_function_never_answer,
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
    stream: [
        a_slow_upload_blocks_nobody,
        a_lie_disturbs_no_honest_upload,
        a_dropped_upload_leaves_nothing,
        an_error_of_the_bytes_is_the_error,
        wrong_sizes_are_refused,
        read_in_pieces,
        a_slow_reader_blocks_nobody,
    ],
    invocation: [
        every_field_is_kept,
        extremes,
        same_id_is_kept_once,
        large_batch,
        concurrent_batches_that_overlap,
        records_outlive_the_function,
    ],
    output: [kept_beside_the_record, nul_characters, the_first_is_kept, large_batch],
    filter: [all_combinations, page_by_page, edges_of_time],
    summary: [
        nothing,
        figures_are_exact,
        name_is_the_latest,
        namespaces_are_apart,
        large_durations,
    ],
    figures: [
        of_ranges,
        over_time,
        of_one_function_and_one_runtime,
        of_so_many_functions,
        of_leaders_that_changed,
        duplicates_count_once,
        bounds_are_checked,
    ],
    expire: [
        records_with_their_output,
        output_before_its_record,
        figures_outlive_their_records,
        figures_of_short_buckets,
        figures_that_come_late,
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
///
/// # Errors
/// The names of the cases that failed, each with its reason.
pub async fn run_all<B: StoreBuilder>(builder: &B) -> Result<(), Failures> {
    let mut failed = Vec::new();
    for case in CASES {
        failed.extend(run_on_new(builder, case).await);
    }
    Failures(failed).into_result()
}

/// Runs one case by its name.
///
/// # Errors
/// As [`run_all`].
///
/// # Panics
/// If there is no such case: a suite must not pass by a slip of the pen.
pub async fn run<B: StoreBuilder>(builder: &B, name: &str) -> Result<(), Failures> {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
    let failed = run_on_new(builder, case).await;
    Failures(failed.into_iter().collect()).into_result()
}

async fn run_on_new<B: StoreBuilder>(
    builder: &B,
    case: &'static Case<Arc<dyn Store>>,
) -> Option<Failure> {
    let built = builder.build().await;
    let work = async {
        let (guard, store) = built.expect("the builder gives a store");
        case.start(Arc::clone(&store)).await;
        store.close().await;
        drop(guard);
    };
    run_case(case.name, CASE_LIMIT, work).await
}
