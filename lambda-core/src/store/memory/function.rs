//! Functions and their versions.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::now;
use super::package::Packages;
use crate::error::Result;
use crate::model::limits::ALIASES_MAX;
use crate::model::{
    Alias, AliasName, Function, FunctionConfig, FunctionId, FunctionName, FunctionRef,
    FunctionSelector, Namespace, Page, Qualifier, RevisionId,
};
use crate::store::refusal::{
    current_stays, name_taken, no_alias, no_function, no_version, revision_changed,
    too_many_aliases,
};
use crate::store::{
    CreateFunction, DeleteAlias, FunctionCursor, ListFunctions, ListVersions, SetAlias,
    UpdateFunction, VersionCursor,
};

#[derive(Default)]
pub(super) struct Functions {
    by_id: BTreeMap<FunctionId, History>,
    names: HashMap<(Namespace, FunctionName), FunctionId>,
}

struct History {
    namespace: Namespace,
    name: FunctionName,
    /// Renewed by every change.
    revision: RevisionId,
    /// Version `n` at `n - 1`. Their names are those that the function had then.
    versions: Vec<Function>,
    /// `current` among them.
    aliases: BTreeMap<AliasName, u32>,
}

impl History {
    /// A version, under the name that the function has now.
    fn version(&self, number: u32) -> Option<Function> {
        let index = (number as usize).checked_sub(1)?;
        let version = self.versions.get(index)?;
        Some(Function {
            name: self.name.clone(),
            ..version.clone()
        })
    }

    fn at(&self, qualifier: &Qualifier) -> Option<Function> {
        match qualifier {
            Qualifier::Version(number) => self.version(*number),
            Qualifier::Current => self.at_alias(&AliasName::current()),
            Qualifier::Alias(name) => self.at_alias(name),
        }
    }

    fn at_alias(&self, name: &AliasName) -> Option<Function> {
        let mut function = self.version(*self.aliases.get(name)?)?;
        if name.is_current() {
            function.revision = self.revision;
        }
        Some(function)
    }

    fn expect_revision(&self, operation: &'static str, expected: RevisionId) -> Result<()> {
        if self.revision == expected {
            return Ok(());
        }
        Err(revision_changed(operation))
    }
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
            namespace: function.namespace.clone(),
            name: function.name.clone(),
            revision: function.revision,
            versions: vec![function.clone()],
            aliases: BTreeMap::from([(AliasName::current(), 1)]),
        };
        self.by_id.insert(function.id, history);
        Ok(function)
    }

    fn history(
        &self,
        operation: &'static str,
        namespace: &Namespace,
        id: FunctionId,
    ) -> Result<&History> {
        let history = self.by_id.get(&id);
        let own = history.filter(|history| history.namespace == *namespace);
        own.ok_or_else(|| no_function(operation))
    }

    fn history_mut(
        &mut self,
        operation: &'static str,
        namespace: &Namespace,
        id: FunctionId,
    ) -> Result<&mut History> {
        let history = self.by_id.get_mut(&id);
        let own = history.filter(|history| history.namespace == *namespace);
        own.ok_or_else(|| no_function(operation))
    }

    pub(super) fn get(&self, selector: &FunctionSelector) -> Result<Function> {
        const OPERATION: &str = "function_get";
        let namespace = &selector.namespace;
        let id = match &selector.function {
            FunctionRef::Id(id) => Some(*id),
            FunctionRef::Name(name) => {
                let key = (namespace.clone(), name.clone());
                self.names.get(&key).copied()
            }
        };
        let id = id.ok_or_else(|| no_function(OPERATION))?;
        let history = self.history(OPERATION, namespace, id)?;
        let function = history.at(&selector.qualifier);
        function.ok_or_else(|| no_version(OPERATION))
    }

    pub(super) fn list(&self, request: &ListFunctions) -> Result<Page<Function>> {
        let after = request.after()?;
        let items: Vec<_> = match after {
            Some(FunctionCursor(id)) => self.by_id.range(..id),
            None => self.by_id.range(..),
        }
        .rev()
        .map(|(_, history)| history)
        .filter(|history| history.namespace == request.namespace)
        .filter_map(|history| history.at(&Qualifier::Current))
        // One more than asked for tells whether there is another page.
        .take(request.limit as usize + 1)
        .collect();
        Ok(Page::of(items, request.limit, FunctionCursor::after))
    }

    pub(super) fn versions(&self, request: &ListVersions) -> Result<Page<Function>> {
        let below = request.below()?;
        let history = self.history("version_list", &request.namespace, request.id)?;
        let last = u32::try_from(history.versions.len()).unwrap_or(u32::MAX);
        let below = below.map_or(last + 1, |VersionCursor(below)| below.min(last + 1));
        let items: Vec<_> = (1..below)
            .rev()
            .filter_map(|number| history.version(number))
            .take(request.limit as usize + 1)
            .collect();
        Ok(Page::of(items, request.limit, VersionCursor::after))
    }

    pub(super) fn update(
        &mut self,
        packages: &mut Packages,
        request: UpdateFunction,
    ) -> Result<Function> {
        const OPERATION: &str = "function_update";
        let key = (request.namespace, request.name);
        let taken = self.names.get(&key).is_some_and(|id| *id != request.id);
        let history = self.history_mut(OPERATION, &key.0, request.id)?;
        history.expect_revision(OPERATION, request.expected)?;
        if taken {
            return Err(name_taken(OPERATION));
        }
        packages.check(OPERATION, &request.code)?;

        packages.reference(&request.code);
        let last = history.versions.last();
        let last = last.ok_or_else(|| no_version(OPERATION))?;
        let mut function = Function::first_version(
            key.0.clone(),
            request.id,
            key.1.clone(),
            to_microsecond(request.config),
            request.code,
            last.created_at,
        );
        function.version = last.version + 1;
        function.updated_at = now();
        history.versions.push(function.clone());
        history.revision = function.revision;
        history
            .aliases
            .insert(AliasName::current(), function.version);
        let old_name = std::mem::replace(&mut history.name, key.1.clone());
        self.names.remove(&(key.0.clone(), old_name));
        self.names.insert(key, function.id);
        Ok(function)
    }

    pub(super) fn set_alias(&mut self, request: SetAlias) -> Result<Function> {
        const OPERATION: &str = "alias_set";
        let history = self.history_mut(OPERATION, &request.namespace, request.id)?;
        if let Some(expected) = request.expected {
            history.expect_revision(OPERATION, expected)?;
        }
        if history.version(request.version).is_none() {
            return Err(no_version(OPERATION));
        }
        if !history.aliases.contains_key(&request.alias)
            && history.aliases.len() >= ALIASES_MAX as usize
        {
            return Err(too_many_aliases(OPERATION));
        }
        history.revision = RevisionId::new();
        history
            .aliases
            .insert(request.alias.clone(), request.version);
        let function = history.at_alias(&request.alias);
        function.ok_or_else(|| no_version(OPERATION))
    }

    pub(super) fn aliases(&self, namespace: &Namespace, id: FunctionId) -> Result<Vec<Alias>> {
        let history = self.history("alias_list", namespace, id)?;
        let aliases = history.aliases.iter();
        Ok(aliases
            .map(|(name, version)| Alias::new(name.clone(), *version))
            .collect())
    }

    pub(super) fn delete_alias(&mut self, request: &DeleteAlias) -> Result<()> {
        const OPERATION: &str = "alias_delete";
        let history = self.history_mut(OPERATION, &request.namespace, request.id)?;
        if request.alias.is_current() {
            return Err(current_stays(OPERATION));
        }
        if history.aliases.remove(&request.alias).is_none() {
            return Err(no_alias(OPERATION));
        }
        history.revision = RevisionId::new();
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        packages: &mut Packages,
        namespace: &Namespace,
        id: FunctionId,
    ) -> Result<()> {
        self.history("function_delete", namespace, id)?;
        if let Some(history) = self.by_id.remove(&id) {
            self.names.remove(&(namespace.clone(), history.name));
            for version in &history.versions {
                packages.release(&version.code);
            }
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
