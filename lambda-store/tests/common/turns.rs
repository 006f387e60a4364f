//! What holds in every database for several stores that share one.

use std::sync::Arc;

use lambda_store::model::Namespace;
use lambda_store::store::{SummarizeInvocations, UpdateFunction};
use lambda_store::{ErrorKind, Store};

use super::{append, by_id, create, record};

/// Neither of two stores on one database ever sees that the other has a lock.
pub(crate) async fn two_stores_never_see_a_lock<S: Store>(stores: [Arc<S>; 2]) {
    let function = create(&*stores[0], "a").await;
    let mut working = Vec::new();
    for store in stores.iter().cycle().take(8) {
        let store = Arc::clone(store);
        working.push(tokio::spawn(async move {
            for _ in 0..40 {
                // Reads before it writes: begun as a reader it could not go on as a writer.
                let current = store.function_get(&by_id(function.id)).await.unwrap();
                match store.function_update(UpdateFunction::of(&current)).await {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed),
                }
                append(&*store, &[record(function.id)]).await.unwrap();
                store.function_get(&by_id(function.id)).await.unwrap();
            }
        }));
    }
    for work in working {
        work.await.unwrap();
    }
    let summary = stores[1]
        .invocation_summary(SummarizeInvocations::all(Namespace::default()))
        .await;
    assert_eq!(summary.unwrap().totals.calls, 320);
}
