//! What the pool looks after by the clock: deadlines, idle times, deaths, CPU time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::manager::{Pool, Shared, now};

/// How often waiters' deadlines, idle times and idle sandboxes' health are looked at.
const TICK: Duration = Duration::from_millis(250);

/// How often while somebody waits: it bounds how late a refusal comes, and how long a
/// function's use of CPU stays unknown. Also how long what was taken is not replaced yet:
/// creating a sandbox beside it would slow its first call down.
const TICK_WHILE_WAITING: Duration = Duration::from_millis(25);

/// Ends with the pool: it holds no strong reference while it sleeps. `hurry` wakes it.
pub(super) async fn tick_forever(shared: Weak<Shared>, hurry: Arc<Notify>) {
    let mut examined_at: Option<Instant> = None;
    loop {
        let Some(pool) = shared.upgrade().map(Pool) else {
            return;
        };
        if examined_at.is_none_or(|at| at.elapsed() >= TICK) {
            bury_dead(&pool);
            report(&pool);
            examined_at = Some(Instant::now());
        }
        sample(&pool);
        pool.event(|state, now| state.tick(now));
        let is_waited_for = {
            let mut inner = pool.0.lock();
            inner.forget_plans();
            inner.state.is_waited_for()
        };
        drop(pool);
        if !is_waited_for {
            tokio::select! {
                biased;
                () = hurry.notified() => {}
                () = tokio::time::sleep(TICK) => continue,
            }
        }
        tokio::time::sleep(TICK_WHILE_WAITING).await;
    }
}

/// Tells other processes what is amiss.
fn report(pool: &Pool) {
    let stats = pool.stats();
    // Out of the lock while it is written to.
    let file = pool.0.lock().status_file.take();
    if let Some(mut file) = file {
        file.write(&stats);
        pool.0.lock().status_file = Some(file);
    }
}

/// Notices idle sandboxes that have died.
fn bury_dead(pool: &Pool) {
    let idle: Vec<_> = {
        let inner = pool.0.lock();
        let slots = inner.state.idle_sandboxes().into_iter();
        slots
            .filter_map(|slot| Some((slot, inner.sandboxes.get(&slot)?.sandbox.clone())))
            .collect()
    };
    for (slot, sandbox) in idle {
        if !sandbox.is_alive() {
            tracing::info!(sandbox = %sandbox.id(), "an idle sandbox has died");
            pool.event(|state, _| state.died(slot));
        }
    }
}

/// Reads the CPU time of the sandboxes where it matters.
fn sample(pool: &Pool) {
    let serving: Vec<_> = {
        let inner = pool.0.lock();
        let slots = inner.state.to_sample().into_iter();
        slots
            .filter_map(|slot| Some((slot, inner.sandboxes.get(&slot)?.sandbox.clone())))
            .collect()
    };
    if serving.is_empty() {
        return;
    }
    let samples: Vec<_> = serving
        .iter()
        .map(|(slot, sandbox)| (*slot, sandbox.cpu_time()))
        .collect();
    pool.0.lock().state.sampled(now(), &samples);
}
