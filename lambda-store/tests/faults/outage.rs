//! The database goes away, hangs, or is killed again and again, under load.

use std::time::Duration;

use crate::server::Server;
use crate::support::{Kept, Load, count, platform, setting, wait_until_kept};

/// A store that hangs is waited for once, for a quarter of a second; a busy machine adds to it.
const SLOWEST: Duration = Duration::from_secs(2);

fn seconds() -> Duration {
    Duration::from_secs(u64::from(setting("LAMBDA_FAULT_SECONDS", 4)))
}

/// `go_away` and `come_back` are what happens to the server.
async fn survives(
    what: &str,
    mut server: Server,
    go_away: impl Fn(&mut Server),
    come_back: impl AsyncFn(&mut Server),
) {
    let data_dir = tempfile::tempdir().unwrap();
    let store = lambda_store::open(&server.url()).await.unwrap();
    let platform = platform(data_dir.path(), store.clone()).await;
    let load = Load::start(&platform, 8);
    tokio::time::sleep(Duration::from_secs(1)).await;
    go_away(&mut server);
    tokio::time::sleep(seconds()).await;
    come_back(&mut server).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (answered, slowest) = load.stop().await;
    let kept = wait_until_kept(&*store, &answered).await;
    println!(
        "mariadb {what} for {:.0} s: {} calls answered, the slowest in {slowest:.1?}; {} records there, {} lost, {} doubled",
        seconds().as_secs_f64(),
        answered.len(),
        kept.records,
        kept.lost,
        kept.doubled,
    );
    let records = answered.len();
    assert_eq!(
        kept,
        Kept {
            records,
            lost: 0,
            doubled: 0
        }
    );
    assert!(
        slowest < SLOWEST,
        "an invocation waited for the database: {slowest:?}"
    );
    platform.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_and_restarted() {
    if let Some(server) = Server::start().await {
        let restart = async |server: &mut Server| server.restart().await;
        survives("was gone", server, Server::kill, restart).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs() {
    if let Some(server) = Server::start().await {
        let go_on = async |server: &mut Server| server.pause(false);
        survives("hung", server, |server| server.pause(true), go_on).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_again_and_again() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let kills = setting("LAMBDA_FAULT_SERVER_KILLS", 4);
    let data_dir = tempfile::tempdir().unwrap();
    let store = lambda_store::open(&server.url()).await.unwrap();
    let platform = platform(data_dir.path(), store.clone()).await;
    let load = Load::start(&platform, 8);
    for kill in 0..kills {
        // At various moments of a batch.
        tokio::time::sleep(Duration::from_millis(200 + u64::from(kill * 37 % 300))).await;
        server.kill();
        server.restart().await;
    }
    let (answered, _) = load.stop().await;
    wait_until_kept(&*store, &answered).await;
    platform.close().await;
    let store = lambda_store::open(&server.url()).await.unwrap();
    let kept = count(&*store, &answered).await;
    println!(
        "mariadb: {kills} kills of the server; {} calls answered; {} records there, {} lost, {} doubled",
        answered.len(),
        kept.records,
        kept.lost,
        kept.doubled,
    );
    let records = answered.len();
    assert_eq!(
        kept,
        Kept {
            records,
            lost: 0,
            doubled: 0
        }
    );
}
