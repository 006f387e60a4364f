//! The kills, and what has to be true after each.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::call::Caller;
use crate::docker::Daemon;
use crate::ledger::Ledger;
use crate::load::{self, Load, Target};
use crate::server::Server;
use crate::{database, left};

/// Within this time all works again after something came back: a circuit breaker leaves a runtime
/// that fails alone for up to 30 s.
const RECOVERY: Duration = Duration::from_secs(90);

/// Few sandboxes, soon frozen, so that kills meet each state.
const POOL: &str = "[pool]\nsandboxes_max = 12\nfunction_concurrency = 3\nfreeze_after_ms = 300\n";

pub(crate) struct Torture {
    name: &'static str,
    daemon: Daemon,
    data_dir: TempDir,
    store: String,
    server: Option<Server>,
    targets: Vec<Target>,
    ledger: Ledger,
    random: u64,
    begin: Instant,
    said: Vec<String>,
}

impl Torture {
    /// On a database, or on SQLite in the data directory.
    pub(crate) async fn start(
        name: &'static str,
        database: Option<String>,
        daemon: Daemon,
    ) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let path = data_dir.path().display();
        let store = database.unwrap_or_else(|| format!("sqlite://{path}/lambda.db"));
        let config = format!("store = \"{store}\"\n{POOL}");
        std::fs::write(data_dir.path().join("lambda.toml"), config).unwrap();
        let server = Server::start_in(data_dir.path()).await;
        let mut ledger = Ledger::default();
        let targets = load::deploy(&Caller::of(server.url()), &mut ledger).await;
        Self {
            name,
            daemon,
            data_dir,
            store,
            server: Some(server),
            targets,
            ledger,
            random: u64::from(std::process::id()),
            begin: Instant::now(),
            said: Vec::new(),
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn load(&self) -> Load {
        Load::start(self.server().url(), &self.targets)
    }

    /// Until a moment that nobody chose.
    async fn wait(&mut self, at_most: Duration) {
        let factor = 6_364_136_223_846_793_005;
        self.random = self.random.wrapping_mul(factor).wrapping_add(1);
        let parts = u32::try_from(self.random >> 48).unwrap();
        tokio::time::sleep(at_most * parts / 0x1_0000).await;
    }

    /// Kills the platform, and starts another on its data directory.
    async fn replace_platform(&mut self) {
        self.server.take().unwrap().kill();
        self.server = Some(Server::start_in(self.data_dir.path()).await);
    }

    pub(crate) async fn kill_platform(&mut self, kills: u32) {
        for _ in 0..kills {
            let load = self.load();
            load.is_under_way().await;
            self.wait(Duration::from_millis(800)).await;
            self.server.take().unwrap().kill();
            self.ledger.add(load.stop().await);
            self.server = Some(Server::start_in(self.data_dir.path()).await);
            left::wait_for_the_dead(self.data_dir.path()).await;
        }
        self.all_works().await;
        self.say(kills, "the platform");
    }

    pub(crate) async fn kill_database(&mut self, kills: u32, server: &mut database::Server) {
        for _ in 0..kills {
            let load = self.load();
            load.is_under_way().await;
            self.wait(Duration::from_millis(600)).await;
            server.kill();
            self.wait(Duration::from_millis(600)).await;
            server.restart().await;
            self.wait(Duration::from_millis(600)).await;
            self.ledger.add(load.stop().await);
        }
        self.all_works().await;
        self.say(kills, "the database");
    }

    /// Every third time the platform too, while Docker is away.
    pub(crate) async fn kill_docker(&mut self, kills: u32) {
        for kill in 0..kills {
            let load = self.load();
            load.is_under_way().await;
            self.wait(Duration::from_millis(1_000)).await;
            self.daemon.kill();
            self.wait(Duration::from_millis(1_500)).await;
            if kill % 3 == 0 {
                self.replace_platform().await;
            }
            self.daemon.restart().await;
            self.ledger.add(load.stop().await);
            self.all_works().await;
            left::wait_for_the_dead(self.data_dir.path()).await;
        }
        self.say(kills, "the Docker daemon");
    }

    /// Waits until a call succeeds in each runtime.
    async fn all_works(&mut self) {
        let caller = Caller::of(self.server().url());
        let begin = Instant::now();
        for runtime in ["docker", "gvisor"] {
            let mut own = self
                .targets
                .iter()
                .filter(|target| target.runtime == runtime);
            let echo = own.next().unwrap();
            while !load::call(&caller, echo, &mut self.ledger).await {
                assert!(
                    begin.elapsed() < RECOVERY,
                    "{runtime} works again within {RECOVERY:?}"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn say(&mut self, kills: u32, what: &str) {
        println!(
            "{}: {kills} kills of {what}, {:.0?}",
            self.name,
            self.begin.elapsed()
        );
        self.said.push(format!("{kills} kills of {what}"));
    }

    /// Stops the platform in good order and compares.
    pub(crate) async fn end(mut self) {
        self.server.take().unwrap().stop().await;
        left::wait_for_all(self.data_dir.path(), &self.daemon).await;
        let store = lambda_store::open(&self.store).await.unwrap();
        let compared = self.ledger.compare(&*store).await;
        store.close().await;
        println!(
            "{}: {}: {compared}; no sandbox, process, mount, socket or cgroup left ({:.0} s)",
            self.name,
            self.said.join(", "),
            self.begin.elapsed().as_secs_f64(),
        );
    }
}
