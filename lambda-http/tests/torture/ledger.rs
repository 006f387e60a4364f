//! What was answered, to be compared with what the store says in the end.

use std::collections::{HashMap, HashSet};

use lambda_store::Store;
use lambda_store::model::{Namespace, RequestId};
use lambda_store::store::ListFunctions;

use crate::support::{Kept, count};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) calls: HashSet<RequestId>,
    /// The version of each function that was deployed and that nobody has asked to delete.
    pub(crate) deployed: HashMap<String, u32>,
    pub(crate) deleted: HashSet<String>,
    /// Requests that the platform refused, as it may while something is away.
    pub(crate) refused: u64,
}

impl Ledger {
    pub(crate) fn add(&mut self, other: Self) {
        for id in other.calls {
            assert!(self.calls.insert(id), "{id} was answered twice");
        }
        self.deployed.extend(other.deployed);
        self.deleted.extend(other.deleted);
        self.refused += other.refused;
    }

    /// Fails unless the store has all of it, once.
    pub(crate) async fn compare(&self, store: &dyn Store) -> String {
        let kept = count(store, &self.calls).await;
        let versions = versions(store).await;
        let lost: Vec<_> = self
            .deployed
            .iter()
            // A later version whose answer never came may be there.
            .filter(|(id, version)| versions.get(*id).is_none_or(|kept| kept < *version))
            .collect();
        let undead: Vec<_> = self
            .deleted
            .iter()
            .filter(|id| versions.contains_key(*id))
            .collect();
        assert_eq!(kept, Kept::all(kept.records));
        assert!(lost.is_empty(), "deploys are lost: {lost:?}");
        assert!(undead.is_empty(), "deletes are lost: {undead:?}");
        assert!(!self.calls.is_empty() && !self.deployed.is_empty());
        format!(
            "{} calls, {} deploys and {} deletes answered, {} requests refused; {kept}; \
             0 deploys and 0 deletes lost",
            self.calls.len(),
            self.deployed.len(),
            self.deleted.len(),
            self.refused,
        )
    }
}

async fn versions(store: &dyn Store) -> HashMap<String, u32> {
    let mut request = ListFunctions::first(Namespace::default(), 1_000);
    let mut all = HashMap::new();
    loop {
        let page = store.function_list(request.clone()).await.unwrap();
        all.extend(
            page.items
                .iter()
                .map(|own| (own.id.to_string(), own.version)),
        );
        request.cursor = page.next;
        if request.cursor.is_none() {
            return all;
        }
    }
}
