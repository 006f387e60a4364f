//! One test for each rule of warm sandboxes that a function always has.

use std::time::Duration;

use super::desk::{Pool, calls, creates, destroys, hands, options, refusals};
use crate::model::StartKind;
use crate::pool::PoolOptions;
use crate::pool::state::{Action, Slot};

const MS: Duration = Duration::from_millis(1);

fn loads(actions: &[Action]) -> Vec<Slot> {
    let slots = actions.iter().filter_map(|action| match action {
        Action::Load { slot, .. } => Some(*slot),
        _ => None,
    });
    slots.collect()
}

impl Pool {
    fn loaded(&mut self, slot: Slot) -> Vec<Action> {
        self.state.loaded(self.now, slot, 5 * MS)
    }
}

#[test]
fn they_are_made_before_anybody_calls_and_made_again_when_they_are_gone() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 4);
    let slots = creates(&pool.provision(&calls, 2));
    assert_eq!(slots.len(), 2);
    for slot in &slots {
        assert_eq!(loads(&pool.created(*slot)), [*slot]);
        assert_eq!(pool.loaded(*slot), []);
    }
    let stats = pool.state.stats(pool.now);
    let own = &stats.provisioned[0];
    assert_eq!((own.min_warm, own.warm, own.coming), (2, 2, 0));
    assert_eq!((stats.idle, stats.memory_mib), (2, 256), "they are charged");
    assert_eq!(hands(&pool.call(&calls)), [(slots[1], StartKind::Warm)]);
    assert_eq!(pool.tick_after(MS), [], "one that serves is one");

    assert_eq!(destroys(&pool.state.died(slots[0])), [slots[0]]);
    let gone = pool.state.removed(pool.now, slots[0]);
    assert_eq!(creates(&gone).len(), 1, "{gone:?}");
    let counters = pool.state.stats(pool.now).counters;
    assert_eq!(counters.provisioned_starts, 2);
    assert_eq!((counters.warm_starts, counters.deaths), (1, 1));
}

#[test]
fn what_is_prewarmed_is_used_for_them_and_replaced() {
    let mut pool = Pool::new(PoolOptions {
        prewarmed: 1,
        ..options()
    });
    let first = calls(128, 4);
    let slot = creates(&pool.call(&first))[0];
    let spare = creates(&pool.created(slot))[0];
    pool.created(spare);
    let always = calls(128, 4);
    let actions = pool.provision(&always, 1);
    assert_eq!(loads(&actions), [spare]);
    assert_eq!(creates(&actions).len(), 1, "{actions:?}");
}

#[test]
fn code_that_is_mounted_has_a_sandbox_of_its_own() {
    let mut pool = Pool::new(options());
    let mut calls = calls(128, 4);
    calls.demand.is_mounted = true;
    let actions = pool.provision(&calls, 1);
    let [Action::Create { slot, key, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(key.as_deref(), Some(&calls.key));
    assert_eq!(loads(&pool.created(*slot)), [*slot]);
}

#[test]
fn whoever_waits_comes_first() {
    let mut pool = Pool::new(PoolOptions {
        creating_max: 1,
        ..options()
    });
    let (always, waiting) = (calls(128, 4), calls(256, 4));
    let own = creates(&pool.call(&waiting))[0];
    assert_eq!(creates(&pool.provision(&always, 1)), []);
    let actions = pool.created(own);
    assert_eq!(hands(&actions), [(own, StartKind::Cold)]);
    assert_eq!(creates(&actions).len(), 1);
}

#[test]
fn one_who_calls_while_the_code_is_loaded_is_next() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 1);
    let slot = creates(&pool.provision(&calls, 1))[0];
    assert_eq!(loads(&pool.created(slot)), [slot]);
    assert_eq!(pool.call(&calls), [], "more than one is beyond its cap");
    assert_eq!(hands(&pool.loaded(slot)), [(slot, StartKind::Warm)]);
}

#[test]
fn they_take_the_room_of_what_idles_and_nobody_takes_theirs() {
    let mut pool = Pool::new(PoolOptions {
        sandboxes_max: 2,
        ..options()
    });
    let (old, always, late) = (calls(128, 4), calls(128, 4), calls(128, 4));
    let (a, b) = (pool.started(&old), pool.started(&old));
    assert_eq!(pool.provision(&always, 2), [], "not under a running call");
    pool.released(a);
    assert_eq!(destroys(&pool.tick_after(MS)), [a]);
    let slot = creates(&pool.state.removed(pool.now, a))[0];
    pool.created(slot);
    pool.loaded(slot);
    assert_eq!(pool.call(&late), [], "there is nothing to evict");
    assert_eq!(destroys(&pool.released(b)), [b], "this is for who waits");
    let c = creates(&pool.state.removed(pool.now, b))[0];
    assert_eq!(hands(&pool.created(c)), [(c, StartKind::Cold)]);
    pool.released(c);
    assert_eq!(
        destroys(&pool.tick_after(MS)),
        [c],
        "and then comes the minimum"
    );
    let second = creates(&pool.state.removed(pool.now, c))[0];
    pool.created(second);
    pool.loaded(second);
    let timeout = pool.state.options().idle_timeout;
    assert_eq!(destroys(&pool.tick_after(timeout)), []);
    assert_eq!(pool.call(&late), [], "nobody takes them");
    pool.state.cancel(pool.waiters);
    assert_eq!(destroys(&pool.provision(&always, 0)), []);
    assert_eq!(destroys(&pool.tick_after(timeout)), [slot, second]);
}

#[test]
fn a_new_version_takes_over_and_the_old_one_goes() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 2);
    let slot = creates(&pool.provision(&calls, 1))[0];
    pool.created(slot);
    let mut next = calls.clone();
    next.key.version = 2;
    // While it loads: it goes as soon as it has.
    assert_eq!(pool.state.function_changed(calls.key.function, Some(2)), []);
    let new = creates(&pool.provision(&next, 1))[0];
    assert_eq!(destroys(&pool.loaded(slot)), [slot]);
    assert_eq!(loads(&pool.created(new)), [new]);
    pool.loaded(new);
    assert_eq!(
        destroys(&pool.state.function_changed(calls.key.function, None)),
        [new],
        "deleted"
    );
    assert_eq!(pool.state.stats(pool.now).provisioned, []);
}

#[test]
fn code_that_does_not_load_is_tried_again_after_pauses() {
    let mut pool = Pool::new(options());
    let calls = calls(128, 4);
    let mut slots = creates(&pool.provision(&calls, 1));
    let mut attempts = 0;
    for _ in 0..240 {
        for slot in std::mem::take(&mut slots) {
            assert_eq!(loads(&pool.created(slot)), [slot]);
            assert_eq!(destroys(&pool.state.load_failed(pool.now, slot)), [slot]);
            slots.extend(creates(&pool.state.removed(pool.now, slot)));
            attempts += 1;
        }
        slots.extend(creates(&pool.tick_after(250 * MS)));
    }
    // In a minute: pauses of 0.1, 0.2, 0.4 ... 30 s.
    assert!((7..=11).contains(&attempts), "{attempts}");
    assert_eq!(pool.state.stats(pool.now).provisioned[0].failures, attempts);
    assert_eq!(refusals(&pool.call(&calls)), [], "whoever calls hears why");
}
