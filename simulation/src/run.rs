//! A run: lives of a process on one machine, and what must be true at the end.

use std::time::Duration;

use lambda_core::model::Namespace;
use lambda_core::store::{ListInvocations, SummarizeInvocations};
use lambda_core::{Executor as _, Store as _};
use tokio::runtime::{Builder, Handle};

use crate::mutant::Mutant;
use crate::plan::{Ending, Life, Plan};
use crate::process::{Outside, Process};
use crate::rng::Rng;
use crate::world::{Report, World};
use crate::{caller, operator, weather};

/// How long callers may take in all before a process that is not killed is closed.
const CALLERS_TAKE: Duration = Duration::from_secs(20);

/// How long a process that closes lets its runs go on, and waits for its store.
const DRAIN: Duration = Duration::from_secs(30);

/// Run `number` under `seed`: the same every time.
///
/// # Panics
/// If tokio cannot start.
#[must_use]
pub fn run(seed: u64, number: u64, mutant: Option<Mutant>, is_traced: bool) -> Report {
    let mut rng = Rng::of_run(seed, number);
    let plan = Plan::of(&mut rng);
    let world = World::new(plan.clone(), rng, mutant, is_traced);
    let outside = Outside::new(world.clone());
    let mut number = 0;
    for life in &plan.lives {
        number += 1;
        one_life(&outside, number, Some(*life));
        if world.is_broken() {
            return world.report();
        }
    }
    world.calm();
    one_life(&outside, number + 1, None);
    world.report()
}

/// None: the last one, in which nothing fails any more.
fn one_life(outside: &Outside, number: u32, life: Option<Life>) {
    let world = &outside.world;
    let mut builder = Builder::new_current_thread();
    let tokio = builder.enable_time().start_paused(true).build();
    let tokio = tokio.expect("a runtime without threads and files");
    tokio.block_on(async {
        world.begin_life(number);
        let ending = life.map_or(Ending::Close, |life| life.ending);
        if let Some(life) = life
            && ending != Ending::Close
        {
            world.kill_after(life.steps);
            tokio::select! {
                biased;
                () = world.killed() => {}
                () = tokio::time::sleep(life.lasts) => {}
                () = live(outside, number, life.ending, false) => {}
            }
        } else {
            live(outside, number, ending, life.is_none()).await;
        }
        world.note("life has ended", number.into());
        world.end_life();
        match ending {
            Ending::Close => {}
            Ending::Kill => outside.disk.process_killed(),
            Ending::PowerCut => {
                outside.disk.power_cut();
                outside.machine.clear();
                outside.ledger.power_cut(number);
            }
        }
    });
}

async fn live(outside: &Outside, number: u32, ending: Ending, is_last: bool) {
    let world = &outside.world;
    let Ok(process) = Process::start(outside, number).await else {
        world.note("it does not start", 0);
        if is_last {
            world.broken("it does not start although all is well");
        }
        return;
    };
    let weather = tokio::spawn(weather::change(world.clone()));
    let operator = tokio::spawn(operator::operate(process.clone()));
    let plan = world.plan();
    let calls = if is_last { 1 } else { plan.calls };
    let callers: Vec<_> = (0..plan.callers)
        .map(|_| tokio::spawn(caller::call(process.clone(), calls)))
        .collect();
    let all = async {
        for caller in callers {
            let _ = caller.await;
        }
    };
    let _ = tokio::time::timeout(CALLERS_TAKE, all).await;
    weather.abort();
    operator.abort();
    if ending == Ending::Close {
        close(outside, process, is_last).await;
    }
}

async fn close(outside: &Outside, process: Process, is_last: bool) {
    let world = &outside.world;
    let life = process.life;
    world.note("closing", u64::from(is_last));
    process.executor.close(DRAIN).await;
    let running = process.ledger.running(life);
    // Who waits for the answers is told within the same moment.
    tokio::time::sleep(Duration::from_millis(1)).await;
    if process.ledger.running(life) > 0 {
        world.broken(format!("{running} runs have not ended when all is closed"));
    }
    let stats = process.executor.pool().stats();
    if is_last && (stats.sandboxes() > 0 || stats.waiting > 0) {
        world.broken(format!("the pool is closed and has: {stats:?}"));
    }
    process.recorder.close(DRAIN).await;
    if !is_last {
        return;
    }
    let left = outside.machine.left();
    if left > 0 {
        world.broken(format!("{left} sandboxes are left"));
    }
    if let Some(status) = process.recorder.status()
        && status.pending_records > 0
    {
        world.broken(format!("records are left in the journal: {status:?}"));
    }
    drop(process);
    let bytes = outside.disk.bytes_left();
    if bytes > 0 {
        world.broken(format!("{bytes} bytes are left in the journal"));
    }
    audit(outside).await;
    await_tasks(world).await;
}

async fn audit(outside: &Outside) {
    let mut records = Vec::new();
    let mut request = ListInvocations::first(Namespace::default(), 1_000);
    loop {
        let Ok(page) = outside.kept.invocation_list(request.clone()).await else {
            return outside.world.broken("the store cannot be read");
        };
        records.extend(page.items);
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    let all = SummarizeInvocations::all(Namespace::default());
    let Ok(summary) = outside.kept.invocation_summary(all).await else {
        return outside.world.broken("the store cannot be read");
    };
    let total = summary.totals.calls;
    outside.ledger.audit(&records, total, &outside.disk);
}

/// All tasks end with what they belong to.
async fn await_tasks(world: &World) {
    let alive = || Handle::current().metrics().num_alive_tasks();
    for _ in 0..600 {
        if alive() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.broken(format!("{} tasks are left", alive()));
}
