//! What this machine has.

use std::sync::LazyLock;

/// Its cores, as far as this process may use them; counted once, because that opens files.
pub(crate) fn cores() -> u32 {
    static CORES: LazyLock<u32> = LazyLock::new(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u32::try_from(cores).unwrap_or(u32::MAX)
    });
    *CORES
}
