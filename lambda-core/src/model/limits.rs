//! Limits and defaults. Where AWS Lambda has the same limit, its value is taken.

use std::time::Duration;

/// Longest name of a function, in characters (AWS: 64).
pub const NAME_CHARS_MAX: usize = 64;
/// Longest description, in characters (AWS: 256).
pub const DESCRIPTION_CHARS_MAX: usize = 256;
/// Longest `handler`, in characters (AWS: 128).
pub const HANDLER_CHARS_MAX: usize = 128;

/// Timeout of a function that names none (AWS: 3 s).
pub const TIMEOUT_DEFAULT: Duration = Duration::from_millis(3_000);
/// Longest timeout (AWS: 900 s).
pub const TIMEOUT_MAX_MS: u64 = 900_000;

/// Memory of a function that names none, in MiB (AWS: 128 MB).
pub const MEMORY_MIB_DEFAULT: u32 = 128;
/// Least memory, in MiB. Node starts in 32 MiB and does useful work from 64 on.
pub const MEMORY_MIB_MIN: u32 = 64;
/// Most memory, in MiB (AWS: 10,240 MB).
pub const MEMORY_MIB_MAX: u32 = 10_240;

/// CPUs of a function that names none. AWS derives it from the memory; a share in
/// proportion to 128 MB would make gVisor start eight times slower.
pub const CPUS_DEFAULT: f64 = 1.0;
/// Least share of a CPU. Below it booting a language takes seconds.
pub const CPUS_MIN: f64 = 0.1;
/// Most CPUs.
pub const CPUS_MAX: f64 = 64.0;

/// Least /tmp, in MiB.
pub const TMP_MIB_MIN: u32 = 1;

/// All environment variables together, names and values, in bytes (AWS: 4 KB).
pub const ENV_BYTES_MAX: usize = 4_096;

/// Largest event, in bytes (AWS: 6 MB).
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Largest result, in bytes (AWS: 6 MB and 100 bytes).
pub const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;

/// Largest source file given inline, in bytes (AWS: 4 MB through its API's request).
pub const INLINE_CODE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest zip archive, in bytes (AWS: 50 MB).
pub const ZIP_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Largest code once unpacked, in bytes (AWS: 250 MB).
pub const UNZIPPED_BYTES_MAX: u64 = 250 * 1024 * 1024;
/// Most files in a zip archive.
pub const ZIP_ENTRIES_MAX: usize = 10_000;
/// A package larger than this is mounted into a sandbox instead of being sent to it.
pub const SENT_PACKAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A package that unpacks to more than this is mounted, too: what is sent is unpacked into
/// a tmpfs, which counts as the function's own memory.
pub const SENT_UNPACKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What is kept of each of stdout and stderr, in bytes, per invocation.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// What a store keeps of the end of each of stdout and stderr, in bytes, per invocation (AWS's
/// log tail: 4 KB).
pub const OUTPUT_KEPT_BYTES_MAX: usize = 4 * 1024;

/// What a record keeps of an error's type, in bytes: the names of exceptions are short, and a page
/// of records holds a thousand of them.
pub const ERROR_TYPE_KEPT_BYTES_MAX: usize = 256;

/// Most args of a script function, and their size in bytes all together.
pub const ARGS_MAX: usize = 1_024;
/// Size of all args together, in bytes. The kernel's limit for one arg is 128 KiB.
pub const ARGS_BYTES_MAX: usize = 128 * 1024 - 1;

/// Most aliases of a function, `current` included.
pub const ALIASES_MAX: u32 = 100;

/// Open files and processes per sandbox (AWS: 1,024 each; see docs/SECURITY.md for why
/// processes are fewer).
pub const OPEN_FILES_MAX: u64 = 1_024;

/// Longest name of an access token, in characters.
pub const TOKEN_NAME_CHARS_MAX: usize = 100;

/// Most sandboxes of a function that are kept warm.
pub const MIN_WARM_MAX: u32 = 1_000;

/// Page size of a listing that names none.
pub const PAGE_DEFAULT: u32 = 50;
/// Largest page of a listing.
pub const PAGE_MAX: u32 = 1_000;
