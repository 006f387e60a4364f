//! Who calls functions, waits, gives up, or goes away.

use std::time::Duration;

use lambda_core::model::{FunctionName, FunctionRef, Namespace, RequestId, Status};
use lambda_core::{ErrorKind, ExecuteRequest, Executor as _, Invocation};

use crate::process::Process;
use crate::store::ANSWERS_WITHIN;

/// What the platform may take for itself beside the waits that are bounded by name.
const SLACK: Duration = Duration::from_secs(5);

pub(crate) fn name(function: usize) -> FunctionName {
    FunctionName::new(format!("f{function}")).expect("it is short and plain")
}

/// Calls functions until it has had enough.
pub(crate) async fn call(process: Process, calls: u64) {
    for _ in 0..calls {
        let world = &process.world;
        let pause = match world.draw(|rng| rng.percent(20)) {
            true => world.millis(0, 2_000),
            false => world.millis(0, 50),
        };
        tokio::time::sleep(pause).await;
        call_once(&process).await;
    }
}

async fn call_once(process: &Process) {
    let world = &process.world;
    let function = world.draw(|rng| rng.between(0, world.plan().functions as u64 - 1));
    let function = usize::try_from(function).unwrap_or_default();
    let id = process.ledger.start(function, process.life);
    let mut request = ExecuteRequest::new(FunctionRef::Name(name(function))).event("{}");
    request.request_id = id;
    let start = process.executor.start(request);
    let Ok(started) = tokio::time::timeout(ANSWERS_WITHIN + SLACK, start).await else {
        world.broken("a call is neither begun nor refused");
        return;
    };
    match started {
        Ok(invocation) => {
            world.note("call: begun", function as u64);
            process.ledger.runs(id);
            await_it(process, id, invocation).await;
        }
        Err(error) => {
            world.note("call: refused", error.kind() as u64);
            process.ledger.refused(id, error.kind());
        }
    }
}

async fn await_it(process: &Process, id: RequestId, invocation: Invocation) {
    let world = &process.world;
    let what = world.draw(|rng| rng.between(0, 99));
    if what < 8 {
        // It goes away; the run goes on, and is recorded.
        process.ledger.ended(id);
        return;
    }
    if what < 20 {
        tokio::time::sleep(world.millis(0, 200)).await;
        if what < 14 {
            invocation.cancel();
        } else {
            let _ = process.executor.cancel(&Namespace::default(), id).await;
        }
        world.note("call: cancelled", 0);
    }
    outcome(process, id, invocation).await;
}

async fn outcome(process: &Process, id: RequestId, invocation: Invocation) {
    let world = &process.world;
    let plan = world.plan();
    let bound = plan.pool.queue_timeout + crate::operator::TIMEOUT_MAX + ANSWERS_WITHIN + SLACK;
    let Ok(ended) = tokio::time::timeout(bound, invocation.outcome()).await else {
        world.broken(format!("a call does not end within {bound:?}"));
        return;
    };
    process.ledger.ended(id);
    match ended {
        Ok(outcome) => {
            world.note("call: ended", outcome.status as u64);
            if outcome.status == Status::Success && outcome.output.is_none() {
                world.broken("a success has no output");
            }
        }
        Err(error) => {
            world.note("call: not run", error.kind() as u64);
            if error.kind() == ErrorKind::Internal {
                world.broken(format!("a call is not run: {error:?}"));
            }
        }
    }
}
