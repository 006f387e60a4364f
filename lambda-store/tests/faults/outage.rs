//! The database goes away, hangs, or is killed again and again, under load.

use std::time::Duration;

use crate::server::Server;
use crate::support::{Kept, Load, count, platform, setting, wait_until_kept, wait_until_moved};

/// A store that hangs is waited for once, for a quarter of a second; a busy machine adds to it.
const SLOWEST: Duration = Duration::from_secs(2);

fn seconds() -> Duration {
    Duration::from_secs(u64::from(setting("LAMBDA_FAULT_SECONDS", 2)))
}

/// One after the other on one server: making it takes longer than what is done to it.
async fn survives_everything(mut server: Server) {
    let restart = async |server: &mut Server| server.restart().await;
    survives("was gone", &mut server, Server::kill, restart).await;
    let go_on = async |server: &mut Server| server.pause(false);
    survives("hung", &mut server, |server| server.pause(true), go_on).await;
    survives_kills(&mut server).await;
}

/// `go_away` and `come_back` are what happens to the server.
async fn survives(
    what: &str,
    server: &mut Server,
    go_away: impl Fn(&mut Server),
    come_back: impl AsyncFn(&mut Server),
) {
    let data_dir = tempfile::tempdir().unwrap();
    let url = server.url(&what.replace(' ', "_"));
    let store = lambda_store::open(&url).await.unwrap();
    let platform = platform(data_dir.path(), store.clone()).await;
    let load = Load::start(&platform, 8);
    tokio::time::sleep(Duration::from_secs(1)).await;
    go_away(server);
    tokio::time::sleep(seconds()).await;
    come_back(server).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (answered, slowest) = load.stop().await;
    let kept = wait_until_kept(&*store, &answered).await;
    println!(
        "{} {what} for {:.0} s: {} calls answered, the slowest in {slowest:.1?}; {kept}",
        server.name,
        seconds().as_secs_f64(),
        answered.len(),
    );
    assert_eq!(kept, Kept::all(answered.len()));
    assert!(
        slowest < SLOWEST,
        "an invocation waited for the database: {slowest:?}"
    );
    platform.close().await;
}

async fn survives_kills(server: &mut Server) {
    let kills = setting("LAMBDA_FAULT_SERVER_KILLS", 4);
    let data_dir = tempfile::tempdir().unwrap();
    let url = server.url("killed");
    let store = lambda_store::open(&url).await.unwrap();
    let platform = platform(data_dir.path(), store.clone()).await;
    let load = Load::start(&platform, 8);
    for kill in 0..kills {
        // At various moments of a batch.
        tokio::time::sleep(Duration::from_millis(200 + u64::from(kill * 37 % 300))).await;
        server.kill();
        server.restart().await;
    }
    let (answered, _) = load.stop().await;
    wait_until_moved(&platform).await;
    platform.close().await;
    let store = lambda_store::open(&url).await.unwrap();
    let kept = count(&*store, &answered).await;
    println!(
        "{}: {kills} kills of the server; {} calls answered; {kept}",
        server.name,
        answered.len(),
    );
    assert_eq!(kept, Kept::all(answered.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_mariadb_what_is_answered_is_kept_once() {
    if let Some(server) = Server::mariadb().await {
        survives_everything(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_mysql_what_is_answered_is_kept_once() {
    if let Some(server) = Server::mysql().await {
        survives_everything(server).await;
    }
}
