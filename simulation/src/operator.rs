//! Who deploys, rolls back and deletes functions, as a platform does it for them.

use std::time::Duration;

use bytes::Bytes;
use lambda_core::executor::FunctionChange;
use lambda_core::model::{
    AliasName, CodeFormat, CodeRef, Function, FunctionConfig, FunctionRef, FunctionSelector,
    Language, Namespace,
};
use lambda_core::store::{CreateFunction, PutPackage, SetAlias, UpdateFunction};
use lambda_core::{ErrorKind, Executor as _, Result};

use crate::caller::name;
use crate::mutant::Mutant;
use crate::process::Process;

/// The longest timeout of a function.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_secs(3);

/// Changes functions for as long as the process lives.
pub(crate) async fn operate(process: Process) {
    let world = &process.world;
    for function in 0..world.plan().functions {
        let _ = deploy(&process, function).await;
    }
    let deploys = world.plan().deploys;
    if deploys == 0 {
        return;
    }
    loop {
        tokio::time::sleep(world.millis(1, 20 * (110 - deploys))).await;
        let function = world.draw(|rng| rng.between(0, world.plan().functions as u64 - 1));
        let function = usize::try_from(function).unwrap_or_default();
        let result = match world.draw(|rng| rng.between(0, 9)) {
            0..6 => deploy(&process, function).await,
            6..8 => roll_back(&process, function).await,
            _ => delete(&process, function).await,
        };
        world.note("operator: done", u64::from(result.is_ok()));
    }
}

async fn current(process: &Process, function: usize) -> Result<Function> {
    let name = FunctionRef::Name(name(function));
    let selector = FunctionSelector::current(Namespace::default(), name);
    process.store.function_get(&selector).await
}

async fn deploy(process: &Process, function: usize) -> Result<()> {
    let world = &process.world;
    world.note("operator: deploy", function as u64);
    let (code, bytes) = process.new_code();
    let put = PutPackage::new(bytes);
    let reference = put.code_ref(CodeFormat::Inline);
    process.store.package_put(put).await?;
    let config = config(process);
    let change = process.ledger.may_become(function, Some(code));
    let deployed = match current(process, function).await {
        Ok(current) => {
            let mut update = UpdateFunction::of(&current);
            update.config = config;
            update.code = vec![reference];
            process.store.function_update(update).await?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(process, function, config, reference).await?
        }
        Err(error) => return Err(error),
    };
    tell_current(process, &deployed);
    process.ledger.became(function, change);
    Ok(())
}

async fn create(
    process: &Process,
    function: usize,
    config: FunctionConfig,
    code: CodeRef,
) -> Result<Function> {
    let request = CreateFunction::new(Namespace::default(), name(function), config, vec![code]);
    process.store.function_create(request).await
}

async fn roll_back(process: &Process, function: usize) -> Result<()> {
    let world = &process.world;
    world.note("operator: roll back", function as u64);
    let now = current(process, function).await?;
    let version = world.draw(|rng| rng.between_u32(1, now.version));
    let at = FunctionSelector {
        namespace: Namespace::default(),
        function: FunctionRef::Id(now.id),
        qualifier: lambda_core::model::Qualifier::Version(version),
    };
    let then = process.store.function_get(&at).await?;
    let change = process.ledger.may_become(function, process.code_of(&then));
    let request = SetAlias::new(Namespace::default(), now.id, AliasName::current(), version);
    let current = process.store.alias_set(request).await?;
    tell_current(process, &current);
    process.ledger.became(function, change);
    Ok(())
}

async fn delete(process: &Process, function: usize) -> Result<()> {
    process.world.note("operator: delete", function as u64);
    let id = current(process, function).await?.id;
    let change = process.ledger.may_become(function, None);
    let deleted = process
        .store
        .function_delete(&Namespace::default(), id)
        .await;
    if !process.world.has(Mutant::ChangeUntold) {
        process
            .executor
            .function_changed(id, FunctionChange::Deleted);
    }
    deleted?;
    process.ledger.became(function, change);
    Ok(())
}

fn tell_current(process: &Process, function: &Function) {
    if process.world.has(Mutant::ChangeUntold) {
        return;
    }
    let change = FunctionChange::Current(function.version);
    process.executor.function_changed(function.id, change);
    process.executor.keep_warm(function);
}

fn config(process: &Process) -> FunctionConfig {
    let concurrency = process.world.plan().concurrency;
    process.world.draw(|rng| {
        let mut config = FunctionConfig::new(Language::Python);
        config.handler = Some("main.handler".to_owned());
        config.timeout = rng.pick(&[
            Duration::from_millis(50),
            Duration::from_millis(500),
            TIMEOUT_MAX,
        ]);
        config.memory_mib = rng.pick(&[128, 128, 256]);
        config.concurrency = concurrency;
        if rng.percent(15) {
            config.min_warm = rng.between_u32(1, 2);
        }
        config
    })
}

/// Code is a number.
pub(crate) fn code(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}
