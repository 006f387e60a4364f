//! Who waits for a sandbox: a line for each function, and whose turn it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::key::{PoolKey, SandboxClass};
use crate::model::FunctionId;

/// Someone who waits for a sandbox. Numbered in the order of arrival.
pub type WaiterId = u64;

/// What a waiter needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand {
    /// What its sandbox is like before it has code.
    pub class: Arc<SandboxClass>,
    /// The code is mounted, so that no other sandbox than one made for the key will do.
    pub is_mounted: bool,
    /// Most sandboxes of the function.
    pub concurrency: u32,
}

impl Demand {
    /// A sandbox of `class`, for a function that may have `concurrency` of them.
    #[must_use]
    pub fn new(class: Arc<SandboxClass>, is_mounted: bool, concurrency: u32) -> Self {
        Self {
            class,
            is_mounted,
            concurrency,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) key: Arc<PoolKey>,
    pub(super) demand: Demand,
    pub(super) since: Instant,
    pub(super) deadline: Instant,
}

/// Those who wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: HashMap<FunctionId, Line>,
    functions: HashMap<WaiterId, FunctionId>,
    turns: u64,
}

/// Those who wait for one function, in the order of arrival.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiters: BTreeMap<WaiterId, Waiter>,
    /// When the function last had its turn; the lowest is next.
    turn: u64,
}

impl Line {
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// In the order of arrival.
    pub(super) fn iter(&self) -> impl Iterator<Item = (WaiterId, &Waiter)> {
        self.waiters.iter().map(|(id, waiter)| (*id, waiter))
    }

    /// Who has waited longest.
    pub(super) fn first(&self) -> Option<&Waiter> {
        self.waiters.first_key_value().map(|(_, waiter)| waiter)
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.functions.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    pub(super) fn push(&mut self, id: WaiterId, waiter: Waiter) {
        let function = waiter.key.function;
        self.functions.insert(id, function);
        let turn = self.turns;
        let line = self.lines.entry(function).or_insert_with(|| Line {
            waiters: BTreeMap::new(),
            turn,
        });
        self.turns += 1;
        line.waiters.insert(id, waiter);
    }

    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Waiter> {
        let function = self.functions.remove(&id)?;
        let line = self.lines.get_mut(&function)?;
        let waiter = line.waiters.remove(&id);
        if line.waiters.is_empty() {
            self.lines.remove(&function);
        }
        waiter
    }

    /// A function has got something: others are next.
    pub(super) fn had_turn(&mut self, function: FunctionId) {
        if let Some(line) = self.lines.get_mut(&function) {
            line.turn = self.turns;
            self.turns += 1;
        }
    }

    pub(super) fn line(&self, function: FunctionId) -> Option<&Line> {
        self.lines.get(&function)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (FunctionId, &Line)> {
        self.lines.iter().map(|(function, line)| (*function, line))
    }

    pub(super) fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.lines.values().flat_map(|line| line.waiters.values())
    }

    /// Who has waited longest for a sandbox of `key`.
    pub(super) fn first_of(&self, key: &PoolKey) -> Option<WaiterId> {
        let line = self.lines.get(&key.function)?;
        line.iter()
            .find(|(_, waiter)| *waiter.key == *key)
            .map(|(id, _)| id)
    }

    /// Of the longest line, if it is longer than `than`, the one who came last: who overfills
    /// the queue pays for it.
    pub(super) fn last_of_longest(&self, than: usize) -> Option<WaiterId> {
        let longest = self
            .lines
            .values()
            .max_by_key(|line| (line.waiters.len(), line.turn))?;
        let (last, _) = longest.waiters.last_key_value()?;
        (longest.waiters.len() > than).then_some(*last)
    }

    /// In the order of arrival.
    pub(super) fn matching(&self, matches: impl Fn(&Waiter) -> bool) -> Vec<WaiterId> {
        let mut found: Vec<_> = self
            .lines
            .values()
            .flat_map(Line::iter)
            .filter(|(_, waiter)| matches(waiter))
            .map(|(id, _)| id)
            .collect();
        found.sort_unstable();
        found
    }
}
