//! Code packages.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{by_name, create, expect_kind, package, put};
use crate::error::ErrorKind;
use crate::model::{Namespace, PackageDigest};
use crate::store::{PutPackage, Store};

/// Bytes that differ from chunk to chunk, whatever a chunk is.
fn bytes(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect()
}

pub(super) async fn sizes(store: Arc<dyn Store>) {
    const CHUNK: usize = 256 * 1024;
    for length in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        5 * 1024 * 1024,
    ] {
        let bytes = bytes(length);
        let code = put(&*store, bytes.clone()).await;
        let found = package(&*store, code.digest).await;
        assert!(
            found == bytes,
            "a package of {length} bytes came back changed"
        );
    }
}

pub(super) async fn put_is_idempotent(store: Arc<dyn Store>) {
    let large = bytes(300_000);
    let mut putting = Vec::new();
    for _ in 0..8 {
        let request = PutPackage::new(large.clone());
        let store = Arc::clone(&store);
        putting.push(tokio::spawn(
            async move { store.package_put(request).await },
        ));
    }
    for put in putting {
        put.await.expect("no panic").expect("put");
    }
    let code = put(&*store, large.clone()).await;
    let found = package(&*store, code.digest).await;
    assert!(
        found == large,
        "a package that was put often came back changed"
    );
}

pub(super) async fn unknown_is_not_found(store: Arc<dyn Store>) {
    let found = store.package_get(PackageDigest::of(b"never put")).await;
    expect_kind(found, ErrorKind::NotFound, "get");
}

pub(super) async fn wrong_digest_is_refused(store: Arc<dyn Store>) {
    let mut request = PutPackage::new(Bytes::from_static(b"one"));
    request.digest = PackageDigest::of(b"two");
    let put = store.package_put(request).await;
    expect_kind(put, ErrorKind::InvalidParameter, "put");
    let found = store.package_get(PackageDigest::of(b"two")).await;
    expect_kind(found, ErrorKind::NotFound, "get");
}

/// Within the time of grace nothing is removed at all, so this looks at what deleting does
/// at once.
pub(super) async fn shared_by_functions(store: Arc<dyn Store>) {
    let first = create(&*store, "a").await;
    let mut request = super::fixture::creation(&*store, "b").await;
    request.code.clone_from(&first.code);
    store.function_create(request).await.expect("create");
    store
        .function_delete(&Namespace::default(), first.id)
        .await
        .expect("delete");
    let other = store.function_get(&by_name("b")).await.expect("get");
    assert_eq!(other.code, first.code);
    store
        .package_get(first.code[0].digest)
        .await
        .expect("the package of the function that is left");
}
