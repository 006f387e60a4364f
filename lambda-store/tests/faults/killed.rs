//! The platform's process is killed in the middle of its work.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_store::model::RequestId;

use crate::databases::{MARIADB, MYSQL, Server};
use crate::support::{Kept, call, count, platform, setting, wait_until_moved};

const URL: &str = "LAMBDA_FAULT_URL";
const DATA_DIR: &str = "LAMBDA_FAULT_DATA_DIR";

fn acknowledge(text: &str) {
    // Lines of their own, whatever the test harness prints; one write each.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nACK {text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the tests below, which run it as a process of its own and kill it"]
async fn worker() {
    let store = lambda_store::open(&std::env::var(URL).unwrap())
        .await
        .unwrap();
    let data_dir = PathBuf::from(std::env::var_os(DATA_DIR).unwrap());
    let platform = platform(&data_dir, store).await;
    let callers = (0..4).map(|_| {
        let platform = platform.clone();
        tokio::spawn(async move {
            loop {
                let id = call(&platform).await.unwrap();
                acknowledge(&format!("call {id}"));
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    loop {
        let name = format!("f{}", RequestId::new());
        let new = lambda_store::NewFunction::python(&name, "fake:echo").unwrap();
        let function = platform.function_create(new).await.unwrap();
        acknowledge(&format!("function {}", function.id));
        assert!(callers.iter().all(|caller| !caller.is_finished()));
    }
}

#[derive(Default)]
struct Acknowledged {
    calls: HashSet<RequestId>,
    functions: HashSet<String>,
}

impl Acknowledged {
    fn read(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            // The last line may be torn.
            ["ACK", "call", id] => self.calls.extend(id.parse::<RequestId>().ok()),
            ["ACK", "function", id] if id.len() == 36 => _ = self.functions.insert(id.to_owned()),
            _ => {}
        }
    }
}

fn run_and_kill(url: &str, data_dir: &Path, after: Duration, acknowledged: &mut Acknowledged) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::worker", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(DATA_DIR, data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(process.stdout.take().unwrap());
    let (first, seen_first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in out.lines().map_while(Result::ok) {
            if line.starts_with("ACK ") {
                if line.starts_with("ACK function ") {
                    // Only the first is waited for.
                    let _ = first.send(());
                }
                lines.push(line);
            }
        }
        lines
    });
    // Once it works, deploys included, which are the slower part. Opening a database that was left
    // in the middle of work takes its time.
    seen_first
        .recv_timeout(Duration::from_secs(60))
        .expect("the platform works after the kill before");
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
    for line in reader.join().unwrap() {
        acknowledged.read(&line);
    }
}

async fn nothing_is_lost(name: &str, url: &str) {
    let kills = setting("LAMBDA_FAULT_KILLS", 8);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut seed = u64::from(seed.subsec_nanos());
    let data_dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for _ in 0..kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let after = Duration::from_millis((seed >> 33) % 400);
        run_and_kill(url, data_dir.path(), after, &mut acknowledged);
    }
    // The next platform takes over what the killed ones left.
    let store = lambda_store::open(url).await.unwrap();
    let last = platform(data_dir.path(), store).await;
    wait_until_moved(&last).await;
    last.close().await;
    let store = lambda_store::open(url).await.unwrap();
    let kept = count(&*store, &acknowledged.calls).await;
    let functions = all_functions(&*store).await;
    let lost_functions = acknowledged.functions.difference(&functions).count();
    println!(
        "{name}: {kills} kills of the platform; {} calls and {} deploys answered; {kept}; {lost_functions} functions lost",
        acknowledged.calls.len(),
        acknowledged.functions.len(),
    );
    assert!(!acknowledged.calls.is_empty() && !acknowledged.functions.is_empty());
    assert_eq!(kept, Kept::all(kept.records));
    assert_eq!(lost_functions, 0);
    let owners = std::fs::read_dir(data_dir.path().join("owners"))
        .unwrap()
        .count();
    assert_eq!(owners, 0, "directories of dead platforms are left");
    store.close().await;
}

async fn nothing_is_lost_on(server: Server) {
    if server.is_there() {
        let database = server.database();
        nothing_is_lost(server.name, &database.url()).await;
    }
}

async fn all_functions(store: &dyn lambda_store::Store) -> HashSet<String> {
    let namespace = lambda_store::model::Namespace::default();
    let mut request = lambda_store::store::ListFunctions::first(namespace, 1_000);
    let mut all = HashSet::new();
    loop {
        let page = store.function_list(request.clone()).await.unwrap();
        all.extend(page.items.iter().map(|function| function.id.to_string()));
        request.cursor = page.next;
        if request.cursor.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn with_sqlite_a_killed_platform_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/lambda.db", directory.path().display());
    nothing_is_lost("sqlite", &url).await;
}

#[tokio::test]
async fn with_mariadb_a_killed_platform_loses_nothing() {
    nothing_is_lost_on(MARIADB).await;
}

#[tokio::test]
async fn with_mysql_a_killed_platform_loses_nothing() {
    nothing_is_lost_on(MYSQL).await;
}
