//! The platform, its database and its Docker daemon are killed (`SIGKILL`) under load, again and
//! again. Every invocation, deploy and delete that was answered must be in the store, once; and of
//! what the dead left nothing may stay: no sandbox, process, mount, socket or cgroup.
//!
//! Two more need a Docker daemon of their own: one that goes away while sandboxes are frozen, and
//! one whose gVisor drops all limits.
//!
//! `scripts/torture.sh` runs it: it needs a place for a Docker daemon of its own. The lengths:
//!
//! | variable | kills, over both databases | default |
//! |---|---|---|
//! | `LAMBDA_TORTURE_PLATFORM_KILLS` | of the platform | 4 |
//! | `LAMBDA_TORTURE_DATABASE_KILLS` | of the database's server | 1 |
//! | `LAMBDA_TORTURE_DOCKER_KILLS` | of the Docker daemon | 1 |

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod call;
#[path = "../../../lambda-store/tests/faults/server/mod.rs"]
#[allow(dead_code, reason = "each test program uses some of it")]
mod database;
mod docker;
mod faults;
mod frozen;
mod ledger;
mod left;
mod load;
#[path = "../end_to_end/server.rs"]
#[allow(dead_code, reason = "each test program uses some of it")]
mod server;
#[path = "../../../lambda-store/tests/faults/support.rs"]
#[allow(dead_code, reason = "each test program uses some of it")]
mod support;
mod unbounded;

use docker::Daemon;
use faults::Torture;
use support::setting;

struct Kills {
    platform: u32,
    database: u32,
    docker: u32,
}

impl Kills {
    fn asked_for() -> Self {
        Self {
            platform: setting("LAMBDA_TORTURE_PLATFORM_KILLS", 4),
            database: setting("LAMBDA_TORTURE_DATABASE_KILLS", 1),
            docker: setting("LAMBDA_TORTURE_DOCKER_KILLS", 1),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "kills a Docker daemon of its own, which scripts/torture.sh makes"]
async fn with_sqlite_nothing_is_lost_and_nothing_is_left() {
    let kills = Kills::asked_for();
    let mut torture = Torture::start("sqlite", None, Daemon::start().await).await;
    torture.kill_platform(kills.platform.div_ceil(2)).await;
    torture.kill_docker(kills.docker.div_ceil(2)).await;
    torture.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "kills a Docker daemon of its own, which scripts/torture.sh makes"]
async fn with_mariadb_nothing_is_lost_and_nothing_is_left() {
    let kills = Kills::asked_for();
    let mut mariadb = database::Server::mariadb()
        .await
        .expect("LAMBDA_TEST_MARIADBD names the program; scripts/torture.sh sets it");
    let mut torture = Torture::start(
        "mariadb",
        Some(mariadb.url("torture")),
        Daemon::start().await,
    )
    .await;
    torture.kill_platform(kills.platform / 2).await;
    torture.kill_database(kills.database, &mut mariadb).await;
    torture.kill_docker(kills.docker / 2).await;
    torture.end().await;
}
