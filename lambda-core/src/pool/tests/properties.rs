//! Random lives of a pool.

use proptest::prelude::*;

use super::world::{Event, World};

const KEYS: usize = 6;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let which = any::<usize>;
    let event = prop_oneof![
        6 => (0..KEYS).prop_map(|key| Event::Acquire { key }),
        2 => (0..KEYS).prop_map(|key| Event::TakeIdle { key }),
        1 => which().prop_map(|which| Event::Cancel { which }),
        5 => which().prop_map(|which| Event::Created { which }),
        1 => (which(), prop::bool::weighted(0.3))
            .prop_map(|(which, permanent)| Event::CreateFailed { which, permanent }),
        5 => which().prop_map(|which| Event::Release { which }),
        2 => which().prop_map(|which| Event::Discard { which }),
        4 => which().prop_map(|which| Event::Removed { which }),
        1 => which().prop_map(|which| Event::Died { which }),
        1 => (0..KEYS).prop_map(|key| Event::FunctionChanged { key }),
        1 => (0..KEYS, 0_u32..3).prop_map(|(key, min_warm)| Event::Provision { key, min_warm }),
        3 => which().prop_map(|which| Event::Loaded { which }),
        1 => which().prop_map(|which| Event::LoadFailed { which }),
        1 => (0_u32..130).prop_map(|percent| Event::Sample { percent }),
        3 => (1_u64..20_000).prop_map(|ms| Event::Wait { ms }),
    ];
    prop::collection::vec(event, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    // 600 lives of 200 events on average: 120,000 events. A life that fails is printed, and
    // its seed kept beside this file.
    #[test]
    fn the_invariants_hold_through_any_life(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.settle();
    }
}
