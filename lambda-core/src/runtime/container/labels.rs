//! Which containers are ours, and whose.

use std::collections::HashMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::{OwnerId, RuntimeName, SandboxId};

/// On every sandbox of every platform; the value is the runtime's name.
pub(crate) const RUNTIME: &str = "lambda-platform.runtime";
/// The platform's data directory, as a digest: the owner's lock lies there.
pub(crate) const DATA_DIR: &str = "lambda-platform.data-dir";
pub(crate) const OWNER: &str = "lambda-platform.owner";
pub(crate) const SANDBOX: &str = "lambda-platform.sandbox";

/// The labels of one sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub(crate) runtime: RuntimeName,
    pub(crate) data_dir: String,
    pub(crate) owner: OwnerId,
    pub(crate) sandbox: SandboxId,
}

impl Labels {
    pub(crate) fn to_map(&self) -> HashMap<String, String> {
        [
            (RUNTIME, self.runtime.to_string()),
            (DATA_DIR, self.data_dir.clone()),
            (OWNER, self.owner.to_string()),
            (SANDBOX, self.sandbox.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

/// A short name of a data directory. Whoever uses another one knows nothing about our
/// owners' locks, and we know nothing about theirs.
pub(crate) fn data_dir_digest(data_dir: &Path) -> String {
    Sha256::digest(data_dir.as_os_str().as_encoded_bytes())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The name of a sandbox's container: known before Docker has answered, so that a container
/// can be removed even if the answer never came.
pub(crate) fn container_name(sandbox: SandboxId) -> String {
    format!("lambda-{sandbox}")
}
