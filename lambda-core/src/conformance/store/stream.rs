//! Code packages on their way in and out, slow ones and lying ones among them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;

use super::fixture::{append, create, every_record, expect_kind, package, put, record};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{FunctionId, PackageDigest};
use crate::store::{PACKAGE_CHUNK_BYTES_MAX, PutPackage, Store};

/// Several chunks, none like another.
fn long(seed: u8) -> Bytes {
    let length = 2 * PACKAGE_CHUNK_BYTES_MAX + 77_777;
    (0..length)
        .map(|at| (at % 251).to_le_bytes()[0].wrapping_add((at >> 16).to_le_bytes()[0] ^ seed))
        .collect()
}

/// The other end of an upload.
struct Sender(mpsc::Sender<Result<Bytes>>);

impl Sender {
    /// Returns once the store has taken the bytes.
    async fn send(&self, bytes: Result<Bytes>) {
        self.0.send(bytes).await.expect("the store reads on");
        // There is room for one.
        _ = self.0.reserve().await;
    }
}

/// An upload of `digest` whose bytes are sent by the case.
fn upload(digest: PackageDigest, size: usize) -> (Sender, PutPackage) {
    let (sender, receiver) = mpsc::channel(1);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    (
        Sender(sender),
        PutPackage::streamed(digest, size as u64, chunks.boxed()),
    )
}

/// Work that waits for nobody's upload.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(10), work).await;
    done.expect("it waited for a slow stream")
}

/// A writer that is slow keeps nobody else from writing, reading, or putting.
pub(super) async fn a_slow_upload_blocks_nobody(store: Arc<dyn Store>) {
    let bytes = long(0);
    let digest = PackageDigest::of(&bytes);
    let (sender, request) = upload(digest, bytes.len());
    let uploading = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.package_put(request).await })
    };
    let half = bytes.len() / 2;
    sender.send(Ok(bytes.slice(..half))).await;
    soon(async {
        create(&*store, "a").await;
        append(&*store, &[record(FunctionId::new(), 0)])
            .await
            .expect("append");
        assert_eq!(every_record(&*store).await.len(), 1);
        let other = put(&*store, long(1)).await;
        assert!(package(&*store, other.digest).await == long(1));
        let found = store.package_get(digest).await;
        expect_kind(found, ErrorKind::NotFound, "half a package");
        store.check().await.expect("check");
    })
    .await;
    sender.send(Ok(bytes.slice(half..))).await;
    drop(sender);
    uploading.await.expect("no panic").expect("put");
    assert!(package(&*store, digest).await == bytes);
}

/// Two uploads of one digest, of which one lies, whichever ends first.
pub(super) async fn a_lie_disturbs_no_honest_upload(store: Arc<dyn Store>) {
    for (round, liar_ends_first) in [(0, true), (1, false)] {
        let honest = long(10 + round);
        let lie = long(20 + round);
        let digest = PackageDigest::of(&honest);
        let (of_honest, honest_put) = upload(digest, honest.len());
        let (of_liar, lying_put) = upload(digest, lie.len());
        let [honest_put, lying_put] = [honest_put, lying_put].map(|request| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.package_put(request).await })
        });
        for piece in 0..5 {
            let from = piece * 120_000;
            let to = match piece {
                4 => honest.len(),
                _ => from + 120_000,
            };
            of_liar.send(Ok(lie.slice(from..to))).await;
            of_honest.send(Ok(honest.slice(from..to))).await;
        }
        let put = match liar_ends_first {
            true => {
                drop(of_liar);
                let lied = lying_put.await.expect("no panic");
                expect_kind(lied, ErrorKind::InvalidParameter, "the lie");
                let found = store.package_get(digest).await;
                expect_kind(found, ErrorKind::NotFound, "nothing is there yet");
                drop(of_honest);
                honest_put.await.expect("no panic")
            }
            false => {
                drop(of_honest);
                let put = honest_put.await.expect("no panic");
                drop(of_liar);
                let lied = lying_put.await.expect("no panic");
                expect_kind(lied, ErrorKind::InvalidParameter, "the lie");
                put
            }
        };
        put.expect("the honest upload");
        assert!(package(&*store, digest).await == honest, "round {round}");
    }
}

pub(super) async fn a_dropped_upload_leaves_nothing(store: Arc<dyn Store>) {
    let bytes = long(0);
    let digest = PackageDigest::of(&bytes);
    for sent in [0, 1, PACKAGE_CHUNK_BYTES_MAX, bytes.len() - 1] {
        let (sender, request) = upload(digest, bytes.len());
        let putting = store.package_put(request);
        let sending = async {
            sender.send(Ok(bytes.slice(..sent))).await;
            // What was sent is worked on until there is nothing more to do.
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        tokio::select! {
            biased;
            done = putting => panic!("it ended before its bytes: {done:?}"),
            () = sending => {}
        }
        let found = store.package_get(digest).await;
        expect_kind(found, ErrorKind::NotFound, "a dropped upload");
    }
    let code = put(&*store, bytes.clone()).await;
    assert!(package(&*store, code.digest).await == bytes);
}

pub(super) async fn an_error_of_the_bytes_is_the_error(store: Arc<dyn Store>) {
    let bytes = long(0);
    let digest = PackageDigest::of(&bytes);
    let (sender, request) = upload(digest, bytes.len());
    let sending = async move {
        sender.send(Ok(bytes.slice(..300_000))).await;
        let error = Error::new(ErrorKind::PayloadTooLarge, "upload", "Too large.");
        sender.send(Err(error)).await;
    };
    let (put, ()) = tokio::join!(store.package_put(request), sending);
    expect_kind(put, ErrorKind::PayloadTooLarge, "put");
    let found = store.package_get(digest).await;
    expect_kind(found, ErrorKind::NotFound, "get");
}

pub(super) async fn wrong_sizes_are_refused(store: Arc<dyn Store>) {
    for bytes in [Bytes::from_static(b"short"), long(0)] {
        let digest = PackageDigest::of(&bytes);
        let length = bytes.len() as u64;
        for size_bytes in [0, length - 1, length + 1, u64::MAX] {
            let mut request = PutPackage::new(bytes.clone());
            request.size_bytes = size_bytes;
            let put = store.package_put(request).await;
            expect_kind(put, ErrorKind::InvalidParameter, "put");
            let found = store.package_get(digest).await;
            expect_kind(found, ErrorKind::NotFound, "get");
        }
        // What is there already is no reason to believe a lie about it.
        put(&*store, bytes.clone()).await;
        let mut request = PutPackage::new(bytes.clone());
        request.size_bytes += 1;
        let again = store.package_put(request).await;
        expect_kind(again, ErrorKind::InvalidParameter, "put again");
        assert!(package(&*store, digest).await == bytes);
    }
}

pub(super) async fn read_in_pieces(store: Arc<dyn Store>) {
    for bytes in [Bytes::new(), Bytes::from_static(b"short"), long(0)] {
        let code = put(&*store, bytes.clone()).await;
        let found = store.package_get(code.digest).await.expect("get");
        assert_eq!(found.size_bytes, bytes.len() as u64);
        let pieces: Vec<Bytes> = found.chunks.try_collect().await.expect("the bytes");
        for piece in &pieces {
            assert!(piece.len() <= PACKAGE_CHUNK_BYTES_MAX, "{}", piece.len());
        }
        assert!(pieces.concat() == bytes, "a package came back changed");
    }
}

/// A reader that is slow keeps nobody else from anything, and goes on afterwards.
pub(super) async fn a_slow_reader_blocks_nobody(store: Arc<dyn Store>) {
    let bytes = long(0);
    let code = put(&*store, bytes.clone()).await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut reader = store.package_get(code.digest).await.expect("get");
        let first = reader.chunks.try_next().await.expect("a piece");
        readers.push((reader, first.expect("a piece")));
    }
    // Some go away half-way.
    readers.truncate(10);
    soon(async {
        create(&*store, "a").await;
        append(&*store, &[record(FunctionId::new(), 0)])
            .await
            .expect("append");
        assert!(package(&*store, code.digest).await == bytes);
    })
    .await;
    for (reader, first) in readers {
        let rest: Vec<Bytes> = reader.chunks.try_collect().await.expect("the rest");
        assert!([first, rest.concat().into()].concat() == bytes);
    }
}
