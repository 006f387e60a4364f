//! What is out of order for a while.

use std::time::Duration;

use crate::world::World;

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StoreMood {
    #[default]
    Well,
    /// It refuses.
    Down,
    /// It takes hundreds of milliseconds.
    Slow,
    /// It does not answer until it is well again.
    Hangs,
}

/// What is out of order now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Weather {
    pub(crate) store: StoreMood,
    pub(crate) is_disk_full: bool,
    pub(crate) sync_fails: bool,
    pub(crate) truncate_fails: bool,
    /// No sandbox can be created.
    pub(crate) is_runtime_down: bool,
}

/// Makes weather for as long as a process lives.
pub(crate) async fn change(world: World) {
    let storminess = world.plan().storminess;
    if storminess == 0 {
        return;
    }
    loop {
        tokio::time::sleep(world.millis(1, 20 * (100 - storminess))).await;
        let kind = world.draw(|rng| rng.between(0, 6));
        world.set_weather(|weather| match kind {
            0 => weather.store = StoreMood::Down,
            1 => weather.store = StoreMood::Slow,
            2 => weather.store = StoreMood::Hangs,
            3 => weather.is_disk_full = true,
            4 => weather.sync_fails = true,
            5 => weather.truncate_fails = true,
            _ => weather.is_runtime_down = true,
        });
        world.note("weather", kind);
        let lasts = match world.draw(|rng| rng.percent(10)) {
            true => Duration::from_secs(20),
            false => world.millis(1, 20 * storminess),
        };
        tokio::time::sleep(lasts).await;
        if world.draw(|rng| rng.percent(70)) {
            world.set_weather(|weather| *weather = Weather::default());
            world.note("weather is well", 0);
        }
    }
}
