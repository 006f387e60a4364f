//! Running code that is not deployed.

use std::io::{Cursor, Read as _};

use bytes::Bytes;

use super::Platform;
use super::code::{check_inline, checking, unreadable};
use crate::archive;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::{Invocation, TestRequest};
use crate::model::limits::{SENT_PACKAGE_BYTES_MAX, SENT_UNPACKED_BYTES_MAX};
use crate::model::{CodeSource, Outcome};

impl Platform {
    /// Starts code that is not deployed, once; see [`Executor::start_test`].
    ///
    /// # Errors
    /// As [`function_create`](Self::function_create), less `Conflict`, and as
    /// [`start`](Self::start).
    ///
    /// [`Executor::start_test`]: crate::Executor::start_test
    pub async fn start_test(&self, mut request: TestRequest) -> Result<Invocation> {
        request.namespace.clone_from(&self.inner.namespace);
        self.check_config(&request.config)?;
        request.code = test_code(request.code).await?;
        self.inner.executor.start_test(request).await
    }

    /// Runs code that is not deployed, once, and waits for the end.
    ///
    /// # Errors
    /// As [`start_test`](Self::start_test), and those of [`Invocation::outcome`].
    ///
    /// # Cancellation
    /// The run goes on and is recorded.
    pub async fn test(&self, request: TestRequest) -> Result<Outcome> {
        self.start_test(request).await?.outcome().await
    }
}

/// The code, checked and in memory.
async fn test_code(code: CodeSource) -> Result<CodeSource> {
    let read = match code {
        CodeSource::Inline(text) => {
            check_inline(&text)?;
            return Ok(CodeSource::Inline(text));
        }
        CodeSource::Zip(bytes) => Ok(bytes),
        CodeSource::ZipFile(file) => Err(file),
    };
    checking(move || {
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(file) => {
                // One byte more than is taken, so that a larger file is noticed.
                let mut bytes = Vec::new();
                let mut reader = file.reader().take(SENT_PACKAGE_BYTES_MAX as u64 + 1);
                reader.read_to_end(&mut bytes).map_err(unreadable)?;
                Bytes::from(bytes)
            }
        };
        if bytes.len() > SENT_PACKAGE_BYTES_MAX {
            return Err(too_large());
        }
        archive::check(Cursor::new(&bytes))?;
        if archive::unpacked_bytes(Cursor::new(&bytes))? > SENT_UNPACKED_BYTES_MAX {
            return Err(too_large());
        }
        Ok(CodeSource::Zip(bytes))
    })
    .await
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::PayloadTooLarge,
        "function_test",
        "A zip archive is tested up to 4 MiB, and 8 MiB unpacked.",
    )
    .hint("Deploy it, and execute that.")
}
