//! One test for each rule of the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::{Pool, calls, creates, destroys, hands, options, refusals};
use crate::model::{Language, RuntimeName, StartKind};
use crate::pool::state::{Action, Refusal, Slot};
use crate::pool::{BreakerState, LeastRecentlyUsed, PoolOptions, SandboxClass};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_class_in_use_is_kept_prewarmed_for_any_function() {
    let mut pool = Pool::new(PoolOptions {
        prewarmed: 1,
        ..options()
    });
    let first = calls(128, 4);
    let slot = creates(&pool.call(&first))[0];
    assert_eq!(
        pool.tick_after(MS),
        [],
        "not while somebody waits for a start"
    );
    let spare = creates(&pool.created(slot));
    assert_eq!(spare.len(), 1);
    assert_eq!(pool.created(spare[0]), []);
    assert_eq!(pool.state.stats(pool.now).prewarmed, 1);

    let other = calls(128, 4);
    let actions = pool.call(&other);
    assert_eq!(hands(&actions), [(spare[0], StartKind::Prewarmed)]);
    assert_eq!(creates(&actions), [], "its first call is not slowed");
    assert_eq!(
        creates(&pool.tick_after(MS)).len(),
        1,
        "but then it is replaced"
    );
    pool.released(spare[0]);
    assert_eq!(hands(&pool.call(&other)), [(spare[0], StartKind::Warm)]);
    assert_eq!(hands(&pool.call(&calls(256, 4))), [], "another class");

    let mut mounted = calls(128, 4);
    mounted.demand.is_mounted = true;
    let mut pool = Pool::new(PoolOptions {
        prewarmed_classes: vec![((*mounted.demand.class).clone(), 2)],
        ..options()
    });
    let spares = creates(&pool.tick_after(MS));
    assert_eq!(spares.len(), 2, "before anybody has come");
    spares.into_iter().for_each(|spare| _ = pool.created(spare));
    assert_eq!(
        hands(&pool.call(&mounted)),
        [],
        "its code has to be mounted"
    );
}

#[test]
fn what_is_kept_ready_is_refilled_one_by_one_beside_invocations() {
    let mut options = PoolOptions {
        prewarmed_classes: vec![((*calls(128, 1).demand.class).clone(), 4)],
        ..options()
    };
    let mut pool = Pool::new(options.clone());
    let all = creates(&pool.tick_after(MS)).len();
    assert_eq!(all, options.creating_max as usize, "nothing runs");

    options.prewarmed_classes.clear();
    options.prewarmed = 4;
    let mut pool = Pool::new(options);
    let busy = creates(&pool.call(&calls(256, 1)))[0];
    let first = creates(&pool.created(busy));
    assert_eq!(first.len(), 1, "something runs");
    assert_eq!(creates(&pool.tick_after(MS)), []);
    pool.released(busy);
    assert_eq!(creates(&pool.created(first[0])).len(), 1, "and may again");
    assert_eq!(creates(&pool.tick_after(MS)), []);
    let calm = 200 * MS;
    assert_eq!(
        creates(&pool.tick_after(calm)).len(),
        1,
        "as many as may be"
    );
}

#[test]
fn a_dead_spare_is_replaced_and_a_class_out_of_use_is_let_go() {
    let mut pool = Pool::new(PoolOptions {
        prewarmed: 1,
        freeze_after: None,
        ..options()
    });
    let slot = creates(&pool.call(&calls(128, 4)))[0];
    let spare = creates(&pool.created(slot))[0];
    pool.created(spare);
    assert_eq!(destroys(&pool.state.died(spare)), [spare]);
    let next = creates(&pool.state.removed(pool.now, spare))[0];
    pool.created(next);
    pool.released(slot);
    let half = pool.state.options().idle_timeout / 2;
    assert_eq!(pool.tick_after(half), []);
    assert_eq!(destroys(&pool.tick_after(half)), [slot, next]);
}

#[test]
fn the_sandbox_used_last_is_used_first_and_the_others_expire() {
    let mut pool = Pool::new(PoolOptions {
        freeze_after: Some(10 * MS),
        ..options()
    });
    let calls = calls(128, 4);
    let (a, b) = (pool.started(&calls), pool.started(&calls));
    pool.released(b);
    pool.released(a);
    assert_eq!(hands(&pool.call(&calls)), [(a, StartKind::Warm)]);
    assert_eq!(pool.tick_after(10 * MS), [Action::Freeze { slot: b }]);
    assert_eq!(pool.tick_after(10 * MS), [], "frozen once");
    let taken = pool.state.take_idle(pool.now, &calls.key).unwrap();
    assert!(taken.is_frozen && taken.slot == b);
    pool.released(a);
    pool.released(b);
    pool.provision(&calls, 1);
    let timeout = pool.state.options().idle_timeout;
    assert_eq!(
        destroys(&pool.tick_after(timeout)).len(),
        1,
        "one is always kept"
    );
    pool.provision(&calls, 0);
    assert_eq!(destroys(&pool.tick_after(timeout)).len(), 1);
}

#[test]
fn a_burst_of_waiting_work_is_never_held_up_below_its_cap() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 16);
    let mut creating: Vec<(Instant, Slot)> = Vec::new();
    let mut busy: Vec<(Instant, Slot)> = Vec::new();
    let mut ready = 0;
    let mut todo = Vec::new();
    (0..200).for_each(|_| todo.extend(pool.call(&calls)));
    let began = pool.now;
    while ready < 16 {
        for action in std::mem::take(&mut todo) {
            match action {
                Action::Create { slot, .. } => creating.push((pool.now + 90 * MS, slot)),
                Action::Hand { slot, .. } => busy.push((pool.now + 50 * MS, slot)),
                other => panic!("{other:?}"),
            }
        }
        assert!(
            creating.len() == 2 || ready + creating.len() == 16,
            "{ready} are ready"
        );
        pool.now += MS;
        let now = pool.now;
        for (_, slot) in creating
            .extract_if(.., |(at, _)| *at <= now)
            .collect::<Vec<_>>()
        {
            ready += 1;
            todo.extend(pool.created(slot));
        }
        for (_, slot) in busy
            .extract_if(.., |(at, _)| *at <= now)
            .collect::<Vec<_>>()
        {
            todo.extend(pool.released(slot));
        }
        if now.duration_since(began).as_millis().is_multiple_of(25) {
            // A few milliseconds of CPU time each, for loading the code.
            let slots = pool.state.to_sample().into_iter();
            let samples: Vec<_> = slots.map(|slot| (slot, Some(5 * MS))).collect();
            pool.state.sampled(now, &samples);
            todo.extend(pool.state.tick(now));
        }
    }
    assert!(
        pool.now.duration_since(began) <= 8 * 91 * MS,
        "two at a time, without a gap"
    );
}

#[test]
fn work_that_burns_cpu_gets_as_many_sandboxes_as_cores() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 16);
    let mut coming = Vec::new();
    (0..50).for_each(|_| coming.extend(creates(&pool.call(&calls))));
    let mut cpu = Duration::ZERO;
    let mut all = Vec::new();
    for _ in 0..100 {
        for slot in std::mem::take(&mut coming) {
            coming.extend(creates(&pool.created(slot)));
            all.push(slot);
        }
        cpu += 25 * MS;
        pool.now += 25 * MS;
        let slots = pool.state.to_sample().into_iter();
        let samples: Vec<_> = slots.map(|slot| (slot, Some(cpu))).collect();
        pool.state.sampled(pool.now, &samples);
        coming.extend(creates(&pool.state.tick(pool.now)));
    }
    assert!(
        (2..=4).contains(&all.len()),
        "{} sandboxes for 2 cores",
        all.len()
    );
}

#[test]
fn where_all_is_in_use_the_next_that_is_freed_goes_to_who_has_less() {
    let mut pool = Pool::new(PoolOptions {
        sandboxes_max: 2,
        ..options()
    });
    let (noisy, quiet) = (calls(128, 16), calls(128, 16));
    let (a, b) = (pool.started(&noisy), pool.started(&noisy));
    (0..10).for_each(|_| _ = pool.call(&noisy));
    assert_eq!(pool.call(&quiet), []);
    assert_eq!(
        destroys(&pool.released(a)),
        [a],
        "though its own function wants it"
    );
    assert_eq!(hands(&pool.released(b)).len(), 1, "one is enough");
    let slot = creates(&pool.state.removed(pool.now, a))[0];
    assert_eq!(hands(&pool.created(slot)), [(slot, StartKind::Cold)]);
    let waiters_before = pool.waiters;
    pool.call(&quiet);
    assert_eq!(
        hands(&pool.released(slot)).len(),
        1,
        "each has one now, and keeps it"
    );
    assert_eq!(pool.waiters, waiters_before + 1);

    let third = calls(128, 16);
    pool.call(&third);
    assert_eq!(
        hands(&pool.released(b)).len(),
        1,
        "nobody has more than it would get"
    );
    pool.now += 1_001 * MS;
    assert_eq!(
        destroys(&pool.released(b)),
        [b],
        "until it has waited for long enough"
    );
}

#[test]
fn who_fills_the_queue_is_shed_from_it() {
    let mut pool = Pool::new(PoolOptions {
        sandboxes_max: 1,
        queue_max: 4,
        ..options()
    });
    let (noisy, quiet) = (calls(128, 1), calls(128, 1));
    pool.started(&noisy);
    for _ in 0..4 {
        assert_eq!(refusals(&pool.call(&noisy)), []);
    }
    let last = pool.waiters;
    assert_eq!(
        refusals(&pool.call(&noisy)),
        [(last + 1, Refusal::QueueFull)]
    );
    assert_eq!(refusals(&pool.call(&quiet)), [(last, Refusal::QueueFull)]);
    assert_eq!(
        refusals(&pool.call(&quiet)),
        [(last - 1, Refusal::QueueFull)]
    );
    let full = pool.waiters + 1;
    assert_eq!(
        refusals(&pool.call(&quiet)),
        [(full, Refusal::QueueFull)],
        "no more than half"
    );
    let timeout = pool.state.options().queue_timeout;
    let late = refusals(&pool.tick_after(timeout));
    assert_eq!(late.len(), 4);
    assert!(
        late.iter()
            .all(|(_, reason)| *reason == Refusal::QueueTimeout)
    );
}

#[test]
fn a_runtime_that_fails_is_left_alone_for_a_while() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 16);
    let mut slot = creates(&pool.call(&calls))[0];
    for _ in 0..3 {
        let failed = pool.state.create_failed(pool.now, slot, false);
        assert_eq!(refusals(&failed).len(), 1);
        assert_eq!(creates(&failed), []);
        if pool.state.stats(pool.now).runtimes[0].breaker == BreakerState::Open {
            break;
        }
        assert_eq!(creates(&pool.call(&calls)), [], "not at once");
        slot = creates(&pool.tick_after(1_000 * MS))[0];
    }
    let failing = pool.state.stats(pool.now).runtimes[0].clone();
    assert_eq!((failing.breaker, failing.failures), (BreakerState::Open, 3));
    assert!(failing.retry_after.is_some_and(|after| after <= 400 * MS));
    let refused = refusals(&pool.call(&calls));
    assert!(
        matches!(refused[..], [(_, Refusal::RuntimeFailing { .. })]),
        "{refused:?}"
    );
    let mut elsewhere = calls.clone();
    elsewhere.key.runtime = RuntimeName::gvisor();
    let class = SandboxClass::new(RuntimeName::gvisor(), Language::Python);
    elsewhere.demand.class = Arc::new(class);
    let other = creates(&pool.call(&elsewhere));
    assert_eq!(other.len(), 1, "others are not concerned");
    pool.created(other[0]);

    pool.now += 1_000 * MS;
    let slot = creates(&pool.call(&calls))[0];
    assert_eq!(refusals(&pool.call(&calls)).len(), 1, "one is tried");
    assert_eq!(hands(&pool.created(slot)).len(), 1);
    let well = pool.state.stats(pool.now).runtimes[0].clone();
    assert_eq!(
        (well.breaker, well.retry_after),
        (BreakerState::Closed, None)
    );
    let more = (0..2).map(|_| creates(&pool.call(&calls)).len());
    assert_eq!(more.sum::<usize>(), 2, "and then all is as before");
}

#[test]
fn what_cannot_be_created_at_all_is_refused_to_all_and_not_prewarmed() {
    let mut pool = Pool::new(PoolOptions {
        prewarmed: 1,
        ..options()
    });
    let calls = calls(128, 16);
    let slot = creates(&pool.call(&calls))[0];
    (0..2).for_each(|_| _ = pool.call(&calls));
    let failed = pool.state.create_failed(pool.now, slot, true);
    assert_eq!(refusals(&failed).len(), 3);
    assert_eq!(
        pool.state.stats(pool.now).runtimes,
        [],
        "the runtime is not to blame"
    );
    let other = pool.state.stats(pool.now).creating;
    assert_eq!(
        creates(&pool.tick_after(MS)),
        [],
        "{other} are still coming"
    );
}

#[test]
fn room_is_made_by_the_policy_all_or_nothing() {
    let mut pool = Pool::new(PoolOptions {
        memory_mib_max: 1_024,
        eviction: Arc::new(LeastRecentlyUsed),
        ..options()
    });
    let (old, kept, busy) = (calls(256, 1), calls(256, 1), calls(256, 1));
    let a = pool.warm(&old);
    pool.now += MS;
    let b = pool.warm(&kept);
    pool.started(&busy);
    assert_eq!(
        pool.call(&calls(1_024, 1)),
        [],
        "evicting would not be enough"
    );
    pool.state.cancel(pool.waiters);
    assert_eq!(destroys(&pool.call(&calls(512, 1))), [a]);
    assert_eq!(pool.tick_after(MS), [], "the room is on its way");
    assert_eq!(creates(&pool.state.removed(pool.now, a)).len(), 1);
    pool.provision(&kept, 1);
    assert_eq!(
        destroys(&pool.call(&calls(256, 1))),
        [],
        "{b} is always kept"
    );
}

#[test]
fn a_version_that_was_replaced_goes_once_it_has_served() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 4);
    let slot = pool.started(&calls);
    assert_eq!(pool.state.function_changed(calls.key.function, Some(2)), []);
    assert_eq!(destroys(&pool.released(slot)), [slot]);
}
