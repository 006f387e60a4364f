//! Functions and their versions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::package::Packages;
use super::{not_found, now};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Function, FunctionConfig, FunctionId, FunctionName, FunctionRef, FunctionSelector, Namespace,
    Page, Qualifier, RevisionId,
};
use crate::store::{CreateFunction, FunctionCursor, ListFunctions, UpdateFunction};

#[derive(Default)]
pub(super) struct Functions {
    by_id: BTreeMap<FunctionId, History>,
    names: HashMap<(Namespace, FunctionName), FunctionId>,
}

struct History {
    current: Function,
    /// Version `n` at `n - 1`. Their names are those that the function had then.
    versions: Vec<Function>,
}

impl Functions {
    pub(super) fn create(
        &mut self,
        packages: &mut Packages,
        request: CreateFunction,
    ) -> Result<Function> {
        const OPERATION: &str = "function_create";
        let key = (request.namespace.clone(), request.name.clone());
        if self.names.contains_key(&key) {
            return Err(name_taken(OPERATION));
        }
        packages.check(OPERATION, &request.code)?;
        packages.reference(&request.code);
        let function = Function::first_version(
            request.namespace,
            FunctionId::new(),
            request.name,
            to_microsecond(request.config),
            request.code,
            now(),
        );
        self.names.insert(key, function.id);
        let history = History {
            current: function.clone(),
            versions: vec![function.clone()],
        };
        self.by_id.insert(function.id, history);
        Ok(function)
    }

    pub(super) fn get(&self, selector: &FunctionSelector) -> Result<Function> {
        let id = match &selector.function {
            FunctionRef::Id(id) => Some(*id),
            FunctionRef::Name(name) => {
                let key = (selector.namespace.clone(), name.clone());
                self.names.get(&key).copied()
            }
        };
        let entry = id
            .and_then(|id| self.by_id.get(&id))
            .filter(|entry| entry.current.namespace == selector.namespace)
            .ok_or_else(|| no_function("function_get"))?;
        match selector.qualifier {
            Qualifier::Current => Ok(entry.current.clone()),
            Qualifier::Version(number) => {
                let version = (number as usize)
                    .checked_sub(1)
                    .and_then(|index| entry.versions.get(index))
                    .ok_or_else(|| {
                        not_found("function_get", "The function has no such version.")
                    })?;
                Ok(Function {
                    name: entry.current.name.clone(),
                    ..version.clone()
                })
            }
        }
    }

    pub(super) fn list(&self, request: &ListFunctions) -> Result<Page<Function>> {
        let after = request.after()?;
        let items: Vec<_> = match after {
            Some(FunctionCursor(id)) => self.by_id.range(..id),
            None => self.by_id.range(..),
        }
        .rev()
        .map(|(_, entry)| &entry.current)
        .filter(|function| function.namespace == request.namespace)
        // One more than asked for tells whether there is another page.
        .take(request.limit as usize + 1)
        .cloned()
        .collect();
        Ok(Page::of(items, request.limit, FunctionCursor::after))
    }

    pub(super) fn update(
        &mut self,
        packages: &mut Packages,
        request: UpdateFunction,
    ) -> Result<Function> {
        const OPERATION: &str = "function_update";
        let entry = self
            .by_id
            .get_mut(&request.id)
            .filter(|entry| entry.current.namespace == request.namespace)
            .ok_or_else(|| no_function(OPERATION))?;
        if entry.current.revision != request.expected {
            return Err(Error::new(
                ErrorKind::PreconditionFailed,
                OPERATION,
                "The function has changed since it was read.",
            )
            .hint("Read the function again, then repeat the change."));
        }
        let key = (request.namespace, request.name);
        if self.names.get(&key).is_some_and(|id| *id != request.id) {
            return Err(name_taken(OPERATION));
        }
        packages.check(OPERATION, &request.code)?;

        packages.reference(&request.code);
        let old_key = (key.0.clone(), entry.current.name.clone());
        let function = Function {
            name: key.1.clone(),
            version: entry.current.version + 1,
            revision: RevisionId::new(),
            updated_at: now(),
            config: to_microsecond(request.config),
            code: request.code,
            ..entry.current.clone()
        };
        entry.versions.push(function.clone());
        entry.current = function.clone();
        self.names.remove(&old_key);
        self.names.insert(key, function.id);
        Ok(function)
    }

    pub(super) fn delete(
        &mut self,
        packages: &mut Packages,
        namespace: &Namespace,
        id: FunctionId,
    ) -> Result<()> {
        let Entry::Occupied(entry) = self.by_id.entry(id) else {
            return Err(no_function("function_delete"));
        };
        if entry.get().current.namespace != *namespace {
            return Err(no_function("function_delete"));
        }
        let History { current, versions } = entry.remove();
        self.names.remove(&(namespace.clone(), current.name));
        for version in &versions {
            packages.release(&version.code);
        }
        packages.sweep(Instant::now());
        Ok(())
    }
}

fn to_microsecond(mut config: FunctionConfig) -> FunctionConfig {
    let finer = Duration::from_nanos(u64::from(config.timeout.subsec_nanos() % 1_000));
    config.timeout -= finer;
    config
}

fn no_function(operation: &'static str) -> Error {
    not_found(operation, "The function does not exist.")
        .hint("List the functions to see which there are.")
}

fn name_taken(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "There is a function with this name.",
    )
    .hint("Choose another name, or update the function that has it.")
}
