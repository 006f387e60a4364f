//! What holds for code packages in every database: what is removed, and what is never handed out.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_store::model::{Namespace, PackageDigest};
use lambda_store::store::PutPackage;
use lambda_store::{ErrorKind, Store};

use super::{create, package, put};

/// A database, and what another program does to it.
#[async_trait::async_trait]
pub(crate) trait Bed: Sync {
    fn store(&self) -> &dyn Store;

    /// Runs a statement whose only parameter is `parameter`.
    async fn change(&self, sql: &'static str, parameter: i64);

    /// The number that a query gives.
    async fn count(&self, sql: &'static str) -> i64;

    /// Lets time pass for packages and uploads.
    async fn age(&self, us: i64) {
        for sql in [
            "UPDATE package SET last_put_us = last_put_us - ?",
            "UPDATE package_upload SET last_chunk_us = last_chunk_us - ?",
        ] {
            self.change(sql, us).await;
        }
    }
}

const HOUR_US: i64 = 3_600_000_000;
const CHUNKS: &str = "SELECT COUNT(*) FROM upload_chunk";
const UPLOADS: &str = "SELECT COUNT(*) FROM package_upload";

pub(crate) async fn packages_are_removed_an_hour_after_their_last_put(bed: &impl Bed) {
    let store = bed.store();
    let default = Namespace::default();
    let (kept, doomed) = (create(store, "kept").await, create(store, "doomed").await);
    let orphan = put(store, "orphan").await;
    bed.age(HOUR_US - 100_000_000).await;
    let fresh = put(store, "fresh").await;
    store.function_delete(&default, doomed.id).await.unwrap();
    for code in [kept.code[0], doomed.code[0], orphan, fresh] {
        package(store, code).await.unwrap();
    }
    bed.age(200_000_000).await;
    put(store, "this sweeps").await;
    for code in [doomed.code[0], orphan] {
        let found = store.package_get(code.digest).await;
        assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
    }
    for code in [kept.code[0], fresh] {
        package(store, code).await.unwrap();
    }
    assert_eq!(bed.count(CHUNKS).await, 3);
    assert_eq!(bed.count(UPLOADS).await, 3);
}

pub(crate) async fn a_damaged_package_is_not_handed_out(bed: &impl Bed) {
    let code = put(bed.store(), "print('hello')").await;
    // print('hallo')
    let damage = "UPDATE upload_chunk SET bytes = x'7072696e74282768616c6c6f2729' WHERE seq = ?";
    bed.change(damage, 0).await;
    let error = package(bed.store(), code).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(!format!("{error:?}").contains("hallo"));
}

/// More than a sweep removes at a time.
fn large(seed: u8) -> Bytes {
    (0..3_000_000)
        .map(|at: u32| at.to_le_bytes()[1] ^ seed)
        .collect()
}

pub(crate) async fn an_upload_that_nobody_goes_on_with_is_removed(bed: &impl Bed) {
    let store = bed.store();
    let bytes = large(0);
    let start = stream::iter([Ok(bytes.slice(..2_500_000))]);
    let endless = start.chain(stream::pending()).boxed();
    let digest = PackageDigest::of(&bytes);
    let request = PutPackage::streamed(digest, bytes.len() as u64, endless);
    let upload = store.package_put(request);
    let dropped = tokio::time::timeout(Duration::from_millis(500), upload).await;
    assert!(dropped.is_err());
    assert!(bed.count(CHUNKS).await > 1);

    bed.age(HOUR_US - 10_000_000).await;
    put(store, "this sweeps").await;
    assert!(bed.count(CHUNKS).await > 1, "it may still go on");
    bed.age(20_000_000).await;
    put(store, "this sweeps").await;
    assert_eq!(bed.count(CHUNKS).await, 1);
    assert_eq!(bed.count(UPLOADS).await, 1);
}

pub(crate) async fn a_package_that_is_removed_while_it_is_read_ends_in_an_error(bed: &impl Bed) {
    let store = bed.store();
    let bytes = large(1);
    let request = PutPackage::new(bytes.clone());
    let digest = request.digest;
    store.package_put(request).await.unwrap();
    let mut reading = store.package_get(digest).await.unwrap().chunks;
    assert!(reading.try_next().await.unwrap().is_some());
    bed.age(2 * HOUR_US).await;
    put(store, "this sweeps").await;
    // Also where it has been put again meanwhile: those bytes are another upload's.
    store.package_put(PutPackage::new(bytes)).await.unwrap();
    let error = reading.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

pub(crate) async fn a_package_that_was_cut_is_damaged(bed: &impl Bed) {
    let request = PutPackage::new(large(2));
    let digest = request.digest;
    bed.store().package_put(request).await.unwrap();
    bed.change("DELETE FROM upload_chunk WHERE seq = ?", 5)
        .await;
    let found = bed.store().package_get(digest).await.unwrap();
    assert_eq!(
        found.collect().await.unwrap_err().kind(),
        ErrorKind::Internal
    );
}
