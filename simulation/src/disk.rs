//! A disk: a kernel that keeps what was written, and what lies beneath it, which keeps what was
//! synced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_core::simulation::{Disk, ReadFile, SegmentFile};

use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::world::World;

/// Bytes that a full disk still takes, so that writes are torn.
const LAST_ROOM: usize = 100;

/// What is on the disk, whichever process lives. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Platter {
    world: World,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
    /// Removed files whose removal is not durable.
    removed: Vec<(PathBuf, Arc<Mutex<Content>>)>,
    room: Option<usize>,
    busy: Duration,
    /// When something did not become durable that should have.
    troubles: Vec<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    /// How much of it is durable, and how much will be and when.
    synced: usize,
    syncing: Option<(usize, Duration)>,
    is_named: bool,
    /// A sync failed: what was not durable then never will be.
    has_dropped: bool,
}

impl Platter {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            state: Arc::default(),
        }
    }

    /// The disk as process `life` sees it.
    pub(crate) fn mount(&self, life: u32) -> SimDisk {
        SimDisk {
            platter: self.clone(),
            life,
        }
    }

    /// Whether something did not become durable in time from `from` to `to`.
    pub(crate) fn had_trouble(&self, from: Duration, to: Duration) -> bool {
        let state = self.lock();
        state.troubles.iter().any(|at| (from..=to).contains(at))
    }

    /// A process is killed: the kernel keeps what it wrote.
    pub(crate) fn process_killed(&self) {
        if self.world.has(Mutant::KillLosesPages) {
            self.power_cut();
        }
        self.lock().busy = Duration::ZERO;
    }

    /// Takes what a power failure takes.
    pub(crate) fn power_cut(&self) {
        let now = self.world.now();
        let mut state = self.lock();
        state.busy = Duration::ZERO;
        state.room = None;
        for (path, content) in std::mem::take(&mut state.removed) {
            if self.world.draw(|rng| rng.percent(50)) {
                state.files.entry(path).or_insert(content);
            }
        }
        let world = &self.world;
        state.files.retain(|_, content| {
            let mut content = lock(content);
            content.settle(now);
            content.syncing = None;
            content.has_dropped = false;
            let is_left = content.is_named || world.draw(|rng| rng.percent(50));
            let tail = content.bytes.len() - content.synced;
            let kept = world.draw(|rng| rng.between(0, tail as u64));
            let kept = content.synced + usize::try_from(kept).unwrap_or(0);
            content.bytes.truncate(kept);
            let fill = world.draw(|rng| rng.pick(&[None, Some(0), Some(0x5a)]));
            if let Some(fill) = fill {
                let synced = content.synced;
                content.bytes[synced..].fill(fill);
            }
            content.synced = content.bytes.len();
            content.is_named = true;
            is_left
        });
    }

    /// Bytes in files that are not empty.
    pub(crate) fn bytes_left(&self) -> usize {
        let state = self.lock();
        state
            .files
            .values()
            .map(|file| lock(file).bytes.len())
            .sum()
    }

    fn trouble(&self) {
        let now = self.world.now();
        self.lock().troubles.push(now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn settle(&mut self, now: Duration) {
        if let Some((len, at)) = self.syncing
            && at <= now
        {
            self.synced = self.synced.max(len.min(self.bytes.len()));
            self.syncing = None;
        }
    }
}

fn lock(content: &Mutex<Content>) -> MutexGuard<'_, Content> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk as one process sees it.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk {
    platter: Platter,
    life: u32,
}

impl SimDisk {
    fn step(&self, what: &'static str, about: u64) -> io::Result<()> {
        match self.platter.world.step(self.life, what, about) {
            true => Ok(()),
            false => Err(io::Error::other("the process is dead")),
        }
    }

    fn file(&self, path: &Path) -> io::Result<SimFile> {
        let content = self.platter.lock().files.get(path).map(Arc::clone);
        Ok(SimFile {
            disk: self.clone(),
            content: content.ok_or(io::ErrorKind::NotFound)?,
        })
    }

    /// How many of `bytes` the disk takes.
    fn room_for(&self, bytes: usize) -> usize {
        let is_full = self.platter.world.weather().is_disk_full;
        let mut state = self.platter.lock();
        if !is_full {
            state.room = None;
            return bytes;
        }
        let room = state.room.get_or_insert(LAST_ROOM);
        let taken = bytes.min(*room);
        *room -= taken;
        taken
    }
}

impl Disk for SimDisk {
    fn make_directory(&self, _: &Path) -> io::Result<()> {
        self.step("disk: directory", 0)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.step("disk: list", 0)?;
        let state = self.platter.lock();
        let files = state.files.iter();
        Ok(files
            .filter(|(path, _)| path.parent() == Some(directory))
            .map(|(path, content)| (path.clone(), lock(content).bytes.len() as u64))
            .collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.step("disk: open", 0)?;
        Ok(Arc::new(self.file(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("disk: rename", 0)?;
        let mut state = self.platter.lock();
        let content = state.files.remove(from);
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        self.step("disk: create", 0)?;
        if self.platter.world.weather().is_disk_full {
            self.platter.trouble();
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content: Arc<Mutex<Content>> = Arc::default();
        let mut state = self.platter.lock();
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.to_owned(), Arc::clone(&content));
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            content,
        }))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.platter.world.has(Mutant::EarlierUnsynced) {
            return Ok(());
        }
        SegmentFile::sync(&self.file(path)?)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        SegmentFile::truncate(&self.file(path)?, len)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.step("disk: sync directory", 0)?;
        if self.platter.world.weather().sync_fails {
            self.platter.trouble();
            return Err(io::Error::other("it cannot be synced"));
        }
        let mut state = self.platter.lock();
        for content in state.files.values() {
            lock(content).is_named = true;
        }
        state.removed.clear();
        Ok(())
    }

    fn was_busy(&self) -> Duration {
        std::mem::take(&mut self.platter.lock().busy)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("disk: remove", 0)?;
        let mut state = self.platter.lock();
        let content = state.files.remove(path);
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        state.removed.push((path.to_owned(), content));
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    content: Arc<Mutex<Content>>,
}

impl ReadFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.content).bytes.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = lock(&self.content);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = content.bytes.get(offset..).unwrap_or_default();
        let read = there.len().min(bytes.len());
        bytes[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }
}

impl SegmentFile for SimFile {
    fn reserve(&self, _: u64) {}

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let world = &self.disk.platter.world;
        if !world.lives(self.disk.life) {
            return Err(io::Error::other("the process is dead"));
        }
        let mut room = self.disk.room_for(bytes.len());
        if world.strikes(Fault::WriteTorn) {
            room = room.min(1.max(bytes.len() / 2));
        }
        if room == 0 {
            self.disk.platter.trouble();
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Killed in the middle of it: a part is there.
        let is_dead = !world.step(self.disk.life, "disk: append", room as u64);
        let kept = match is_dead {
            true => usize::try_from(world.draw(|rng| rng.between(0, room as u64))).unwrap_or(0),
            false => room,
        };
        lock(&self.content).bytes.extend_from_slice(&bytes[..kept]);
        match is_dead {
            true => Err(io::Error::other("the process is dead")),
            false => Ok(kept),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.step("disk: truncate", len)?;
        if self.disk.platter.world.weather().truncate_fails {
            return Err(io::Error::other("it cannot be cut"));
        }
        let mut content = lock(&self.content);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        content.bytes.truncate(len);
        content.synced = content.synced.min(len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let platter = &self.disk.platter;
        let world = &platter.world;
        self.disk.step("disk: sync", 0)?;
        if world.weather().sync_fails || world.strikes(Fault::SyncFails) {
            lock(&self.content).has_dropped = true;
            platter.trouble();
            return Err(io::Error::other("it cannot be synced"));
        }
        let takes = match world.strikes(Fault::SyncSlow) {
            true => world.millis(5, 20),
            false => Duration::from_micros(world.draw(|rng| rng.between(50, 900))),
        };
        let done_at = {
            let mut state = platter.lock();
            state.busy += takes;
            world.now() + state.busy
        };
        let mut content = lock(&self.content);
        content.settle(world.now());
        let is_durable = !content.has_dropped && !world.has(Mutant::SyncLies);
        content.syncing = is_durable.then_some((content.bytes.len(), done_at));
        Ok(())
    }
}
