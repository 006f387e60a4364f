//! Some hundred runs with every test run; `make simulate` makes as many as one likes.
//!
//! `LAMBDA_SIMULATION_RUNS`: how many (default 300).

use simulation::{Mutant, run};

const SEED: u64 = 1;

/// Within so many runs each defect must be seen.
const RUNS_MAX: usize = 1_500;

fn runs() -> u64 {
    match std::env::var("LAMBDA_SIMULATION_RUNS") {
        Ok(runs) => runs.parse().expect("a number of runs"),
        Err(_) => 300,
    }
}

#[test]
fn every_run_keeps_every_promise() {
    let mut steps = 0;
    for number in 0..runs() {
        let report = run(SEED, number, None, false);
        steps += report.steps;
        assert_eq!(
            report.violation, None,
            "replay: make simulate RUNS=1 FROM={number} SEED={SEED} TRACE=1"
        );
    }
    assert!(steps > 100 * runs(), "little has happened: {steps} steps");
}

#[test]
fn a_run_replays_exactly() {
    for number in 0..20 {
        let (first, second) = (run(SEED, number, None, true), run(SEED, number, None, true));
        assert_eq!(first, second, "{number}");
        assert_eq!(first.digest, run(SEED, number, None, false).digest);
        assert_ne!(first.digest, run(SEED + 1, number, None, false).digest);
    }
}

/// What is said of the first broken promise under each defect.
fn expected(mutant: Mutant) -> &'static [&'static str] {
    match mutant {
        Mutant::StoreForgets
        | Mutant::SyncLies
        | Mutant::EarlierUnsynced
        | Mutant::KillLosesPages
        | Mutant::RecordsNothing => &["is lost"],
        Mutant::JournalForgotten => &["is lost", "are left in the journal"],
        Mutant::StoreDoubles => &["a record of what nobody asked for"],
        Mutant::ThawLies => &["is frozen"],
        Mutant::SandboxTwice => &["is at work", "after that of version", "was told to die"],
        Mutant::RemovalLies => &["at once, of at most", "are left"],
        Mutant::DestroyHangs => &["the pool is closed and has", "does not end"],
        Mutant::ErrorHidden => &["has failed"],
        Mutant::DeadStay => &["are left"],
        Mutant::ChangeUntold => &["which function"],
    }
}

/// Where it is known to be seen soon: that saves seconds, and nothing else depends on it.
fn from(mutant: Mutant) -> u64 {
    match mutant {
        Mutant::EarlierUnsynced => 1_050,
        _ => 0,
    }
}

#[test]
fn every_deliberate_defect_is_seen() {
    for mutant in Mutant::ALL {
        let found = (from(mutant)..)
            .take(RUNS_MAX)
            .find_map(|number| Some((number, run(SEED, number, Some(mutant), false).violation?)));
        let (number, said) = found.unwrap_or_else(|| panic!("{mutant:?} is not seen"));
        println!("{mutant:?}: run {number}: {said}");
        let is_expected = expected(mutant).iter().any(|part| said.contains(part));
        assert!(is_expected, "{mutant:?}: {said}");
    }
}
