//! A disk that fails on demand, and that forgets at a power failure what was not synced.
//!
//! It writes real files. What a power failure would take is taken from them by
//! [`FaultyDisk::lose`]: bytes that were not synced, in whole or in part, or turned into
//! something else; files whose names were not synced; and removals that were not.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::recorder::journal::{Disk, SegmentFile};

#[derive(Debug, Default)]
pub(crate) struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_off: bool,
    /// Bytes that still fit; none: any number.
    room: Option<u64>,
    truncate_fails: bool,
    sync_fails: bool,
    create_fails: bool,
    /// How often that was in vain.
    created_in_vain: u32,
    is_slow: bool,
    files: HashMap<PathBuf, Content>,
    /// Removed files whose directory was not synced since, and where they are kept.
    removed: Vec<(PathBuf, PathBuf)>,
}

#[derive(Debug, Default)]
struct Content {
    len: u64,
    synced: u64,
    is_named: bool,
    /// A sync failed: the kernel has dropped what it should have written, and says so once.
    has_dropped: bool,
}

#[derive(Debug)]
struct FaultyFile {
    path: PathBuf,
    file: File,
    state: Arc<Mutex<State>>,
}

impl FaultyDisk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Every sync takes up to 20 ms.
    pub(crate) fn slow() -> Arc<Self> {
        let disk = Self::new();
        disk.state.lock().unwrap().is_slow = true;
        disk
    }

    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.state.lock().unwrap().room = bytes;
    }

    pub(crate) fn set_truncate_fails(&self, fails: bool) {
        self.state.lock().unwrap().truncate_fails = fails;
    }

    pub(crate) fn set_sync_fails(&self, fails: bool) {
        self.state.lock().unwrap().sync_fails = fails;
    }

    pub(crate) fn set_create_fails(&self, fails: bool) {
        self.state.lock().unwrap().create_fails = fails;
    }

    /// How often no file could be made.
    pub(crate) fn created_in_vain(&self) -> u32 {
        self.state.lock().unwrap().created_in_vain
    }

    /// Whether a power failure now would take nothing.
    pub(crate) fn is_synced(&self) -> bool {
        let state = self.state.lock().unwrap();
        let mut files = state.files.values();
        files.all(|content| content.synced == content.len)
    }

    /// From now on nothing reaches the disk.
    pub(crate) fn cut_power(&self) {
        self.state.lock().unwrap().is_off = true;
    }

    /// Takes from the files what the power failure took.
    pub(crate) fn lose(&self) {
        let state = self.state.lock().unwrap();
        for (path, content) in &state.files {
            // It may have been removed, and its removal synced.
            let Ok(file) = OpenOptions::new().write(true).open(path) else {
                continue;
            };
            if !content.is_named {
                std::fs::remove_file(path).unwrap();
                continue;
            }
            let unsynced = content.len - content.synced;
            let kept = rand::random_range(0..=unsynced);
            file.set_len(content.synced + kept).unwrap();
            let fill: Option<u8> = match rand::random_range(0..3) {
                0 => None,
                1 => Some(0),
                _ => Some(rand::random()),
            };
            if let Some(fill) = fill {
                let kept = usize::try_from(kept).unwrap();
                file.write_all_at(&vec![fill; kept], content.synced)
                    .unwrap();
            }
        }
        for (path, kept) in &state.removed {
            if rand::random() {
                std::fs::rename(kept, path).unwrap();
            }
        }
    }
}

impl State {
    fn usable(&mut self) -> io::Result<&mut Self> {
        match self.is_off {
            true => Err(io::Error::other("there is no power")),
            false => Ok(self),
        }
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let mut state = self.state.lock().unwrap();
        state.usable()?;
        if state.room == Some(0) || state.create_fails {
            state.created_in_vain += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        state.files.insert(path.to_owned(), Content::default());
        Ok(Arc::new(FaultyFile {
            path: path.to_owned(),
            file,
            state: Arc::clone(&self.state),
        }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        OpenOptions::new().write(true).open(path)?.set_len(len)?;
        if let Some(content) = state.usable()?.files.get_mut(path) {
            content.len = len;
            content.synced = content.synced.min(len);
        }
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let state = state.usable()?;
        if state.sync_fails {
            return Err(io::Error::other("it cannot be synced"));
        }
        // What was there before this disk is safe.
        if let Some(content) = state.files.get_mut(path).filter(|file| !file.has_dropped) {
            content.synced = content.len;
        }
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        for content in state.usable()?.files.values_mut() {
            content.is_named = true;
        }
        state.removed.clear();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.usable()?;
        let kept = path.with_extension("removed");
        std::fs::rename(path, &kept)?;
        state.removed.push((path.to_owned(), kept));
        Ok(())
    }
}

impl SegmentFile for FaultyFile {
    fn reserve(&self, _: u64) {}

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap();
        state.usable()?;
        let mut bytes = bytes;
        if let Some(room) = &mut state.room {
            if *room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let fits = bytes.len().min(usize::try_from(*room).unwrap());
            bytes = &bytes[..fits];
            *room -= fits as u64;
        }
        let written = (&self.file).write(bytes)?;
        state.files.get_mut(&self.path).unwrap().len += written as u64;
        Ok(written)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.usable()?.truncate_fails {
            return Err(io::Error::other("it cannot be truncated"));
        }
        self.file.set_len(len)?;
        state.files.get_mut(&self.path).unwrap().len = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (len, is_slow) = {
            let mut state = self.state.lock().unwrap();
            let fails = state.usable()?.sync_fails;
            let is_slow = state.is_slow;
            let content = state.files.get_mut(&self.path).unwrap();
            if fails {
                content.has_dropped = true;
                return Err(io::Error::other("it cannot be synced"));
            }
            (content.len, is_slow)
        };
        if is_slow {
            std::thread::sleep(Duration::from_micros(rand::random_range(0..20_000)));
        }
        let mut state = self.state.lock().unwrap();
        let content = state.usable()?.files.get_mut(&self.path).unwrap();
        if !content.has_dropped {
            content.synced = len;
        }
        Ok(())
    }
}
