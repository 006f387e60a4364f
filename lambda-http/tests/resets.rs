//! Clients that reset their connection at any point of a call leave nothing behind: no sandbox that
//! is taken, no place in a queue, no connection, no stream; and what had begun is recorded.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use lambda_core::model::{Namespace, Status};
use lambda_core::pool::PoolStats;
use lambda_core::store::ListInvocations;
use lambda_core::{ExecuteRequest, NewFunction};
use lambda_http::ServerOptions;
use serde_json::json;
use support::{OPERATOR, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &str = "function";
/// Each point has a server of its own: one connection is the client's, one another's.
const CONNECTIONS: usize = 2;
/// Long enough to be seen from outside, where the test looks every millisecond.
const BOOT: Duration = Duration::from_millis(400);
const RUN_MS: u64 = 400;

/// What the client asks for.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// A call that takes a while.
    Sleep,
    /// A call whose answer has 6 MB.
    Large,
    /// A call whose output and result come as events, and which writes until it is killed.
    Stream,
    /// All that the function writes.
    Follow,
}

/// How much of the request is sent.
#[derive(Debug, Clone, Copy)]
enum Sent {
    /// So many bytes.
    Bytes(usize),
    /// All up to this, which is in the request, and the number of bytes behind it.
    Behind(&'static str, usize),
    /// All but so many bytes.
    AllBut(usize),
}

/// What the client waits for before it resets.
#[derive(Debug, Clone, Copy)]
enum Until {
    Now,
    /// Another call has the function's only place, and this one is in the queue.
    Queued,
    Booting,
    Running,
    /// This is in what it has read.
    Read(&'static str),
    /// It follows a function, and has read what a run wrote.
    Followed,
    /// It has read so many bytes.
    ReadBytes(usize),
    /// It has read the whole answer, and sent the begin of another request.
    NextRequest,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Begun {
    No,
    Yes,
    /// The reset may be faster than the request.
    Maybe,
}

const ALL: Sent = Sent::AllBut(0);

#[derive(Debug, Clone, Copy)]
struct Point {
    ask: Ask,
    sent: Sent,
    until: Until,
    begun: Begun,
}

const fn point(ask: Ask, sent: Sent, until: Until, begun: Begun) -> Point {
    Point {
        ask,
        sent,
        until,
        begun,
    }
}

#[rustfmt::skip] // A table is read by its rows.
const POINTS: &[Point] = &[
    point(Ask::Sleep,  Sent::Bytes(0),                  Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Bytes(1),                  Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Bytes(12),                 Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Behind("HTTP/1.1\r\n", 0), Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Behind("host: loc", 0),    Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Behind("\r\n\r", 0),       Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Behind("\r\n\r\n", 0),     Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::Behind("\r\n\r\n", 1),     Until::Now,                       Begun::No),
    point(Ask::Sleep,  Sent::AllBut(1),                 Until::Now,                       Begun::No),
    point(Ask::Sleep,  ALL,                             Until::Now,                       Begun::Maybe),
    point(Ask::Sleep,  ALL,                             Until::Booting,                   Begun::Yes),
    point(Ask::Sleep,  ALL,                             Until::Queued,                    Begun::Yes),
    point(Ask::Sleep,  ALL,                             Until::Running,                   Begun::Yes),
    point(Ask::Sleep,  ALL,                             Until::Read("HTTP/1.1 200"),      Begun::Yes),
    point(Ask::Sleep,  ALL,                             Until::NextRequest,               Begun::Yes),
    point(Ask::Large,  ALL,                             Until::Read("HTTP/1.1 200"),      Begun::Yes),
    point(Ask::Large,  ALL,                             Until::ReadBytes(3_000_000),      Begun::Yes),
    point(Ask::Stream, ALL,                             Until::Booting,                   Begun::Yes),
    point(Ask::Stream, ALL,                             Until::Read("event: start"),      Begun::Yes),
    point(Ask::Stream, ALL,                             Until::Read("event: log"),        Begun::Yes),
    point(Ask::Follow, Sent::AllBut(1),                 Until::Now,                       Begun::No),
    point(Ask::Follow, ALL,                             Until::Read("HTTP/1.1 200"),      Begun::No),
    point(Ask::Follow, ALL,                             Until::Followed,                  Begun::No),
];

impl Ask {
    fn case(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Large => "large",
            Self::Stream => "spin",
            Self::Follow => "echo",
        }
    }

    /// How a run of it ends, whoever listens.
    fn status(self) -> Status {
        match self {
            Self::Stream => Status::Timeout,
            _ => Status::Success,
        }
    }

    fn request(self, run_ms: u64) -> String {
        if matches!(self, Self::Follow) {
            return format!(
                "GET /functions/{NAME}/logs HTTP/1.1\r\nhost: localhost\r\n\
                 authorization: Bearer {OPERATOR}\r\n\r\n"
            );
        }
        let event = match self {
            Self::Sleep => json!({"ms": run_ms}),
            Self::Large => json!({"size": 6_000_000}),
            Self::Stream | Self::Follow => json!({}),
        };
        let accept = match self {
            Self::Stream => "accept: text/event-stream\r\n",
            _ => "",
        };
        let body = json!({"name": NAME, "event": event}).to_string();
        format!(
            "POST /functions/execute HTTP/1.1\r\nhost: localhost\r\n{accept}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Sent {
    fn of(self, request: &str) -> &[u8] {
        let end = match self {
            Self::Bytes(count) => count,
            Self::Behind(mark, more) => request.find(mark).unwrap() + mark.len() + more,
            Self::AllBut(less) => request.len() - less,
        };
        &request.as_bytes()[..end]
    }
}

struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        Self {
            stream: TcpStream::connect(server.address).await.unwrap(),
            read: Vec::new(),
        }
    }

    async fn read_until(&mut self, is_enough: impl Fn(&[u8]) -> bool) {
        let reading = async {
            while !is_enough(&self.read) {
                assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0);
            }
        };
        timeout(PATIENCE, reading).await.unwrap();
    }

    async fn read_mark(&mut self, mark: &str) {
        let mark = mark.as_bytes();
        self.read_until(|read| read.windows(mark.len()).any(|part| part == mark))
            .await;
    }

    /// RST, not FIN: what was sent and not yet read is gone.
    fn reset(self) {
        self.stream.set_zero_linger().unwrap();
        drop(self.stream);
    }
}

fn stats(server: &Server) -> PoolStats {
    server.platform.pool_stats().unwrap()
}

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(1)).await;
    }
}

async fn reset_at(server: &Server, point: &Point) {
    let request = point.ask.request(RUN_MS);
    let mut first = None;
    if matches!(point.until, Until::Queued) {
        let mut other = Client::connect(server).await;
        let blocking = point.ask.request(5 * RUN_MS);
        other.stream.write_all(blocking.as_bytes()).await.unwrap();
        eventually("the first call runs", async || stats(server).busy == 1).await;
        first = Some(other);
    }
    let mut client = Client::connect(server).await;
    let sent = point.sent.of(&request);
    client.stream.write_all(sent).await.unwrap();
    match point.until {
        Until::Now => {}
        Until::Queued => eventually("it waits", async || stats(server).waiting == 1).await,
        Until::Booting => eventually("it boots", async || stats(server).creating == 1).await,
        Until::Running => eventually("it runs", async || stats(server).busy == 1).await,
        Until::Read(mark) => client.read_mark(mark).await,
        Until::ReadBytes(count) => client.read_until(|read| read.len() >= count).await,
        Until::Followed => {
            client.read_mark("HTTP/1.1 200").await;
            let call = ExecuteRequest::named(NAME).unwrap();
            server.platform.execute(call).await.unwrap();
            client.read_mark("event: log").await;
        }
        Until::NextRequest => {
            client.read_mark("\"status\":\"success\"").await;
            let next = b"POST /functions/exe";
            client.stream.write_all(next).await.unwrap();
        }
    }
    client.reset();
    if let Some(mut first) = first {
        first.read_mark("\"status\":\"success\"").await;
    }
}

/// Nothing is held: as many connections as there may be are served at once, and the one stream.
async fn is_free(server: &Server) {
    eventually("no sandbox is taken and nobody waits", async || {
        let stats = stats(server);
        stats.busy + stats.creating + stats.waiting == 0
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(server).await;
        let health = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        client.stream.write_all(health).await.unwrap();
        client.read_mark("{\"status\":\"ok\"}").await;
        clients.push(client);
    }
    drop(clients);
    let follow = Ask::Follow.request(0);
    eventually("a stream is held", async || {
        let mut client = Client::connect(server).await;
        client.stream.write_all(follow.as_bytes()).await.unwrap();
        client.read_mark("\r\n\r\n").await;
        client.read.starts_with(b"HTTP/1.1 200")
    })
    .await;
}

/// What has begun has come to its own end, and stands in the records once.
async fn is_recorded(server: &Server, point: &Point) {
    let expected = match (point.begun, point.until) {
        // The call that was in its way, too.
        (_, Until::Queued) => 2..=2,
        (_, Until::Followed) | (Begun::Yes, _) => 1..=1,
        (Begun::No, _) => 0..=0,
        (Begun::Maybe, _) => 0..=1,
    };
    let counters = stats(server).counters;
    let starts = counters.warm_starts + counters.prewarmed_starts + counters.cold_starts;
    let starts = usize::try_from(starts).unwrap();
    assert!(expected.contains(&starts), "{starts} runs");
    let list = async || {
        let request = ListInvocations::first(Namespace::default(), 10);
        server
            .platform
            .invocation_list(request)
            .await
            .unwrap()
            .items
    };
    eventually("all is recorded", async || list().await.len() == starts).await;
    for record in list().await {
        assert_eq!(record.status, point.ask.status());
    }
}

async fn try_point(point: Point) {
    let server = Server::start_booting(
        BOOT,
        |options| options.log_streams_max(1),
        ServerOptions::default().connections_max(CONNECTIONS),
        "127.0.0.1:0",
    )
    .await;
    let mut function = NewFunction::python(NAME, format!("fake:{}", point.ask.case())).unwrap();
    function.config.concurrency = Some(1);
    if matches!(point.ask, Ask::Stream) {
        function.config.timeout = Duration::from_millis(RUN_MS);
    }
    server
        .platform
        .function_create(function.handler("case.handler"))
        .await
        .unwrap();
    reset_at(&server, &point).await;
    is_free(&server).await;
    is_recorded(&server, &point).await;
}

#[tokio::test]
async fn a_client_that_resets_leaves_nothing_behind_at_any_point() {
    assert!(POINTS.len() >= 20);
    let all = tokio::task::LocalSet::new();
    let tasks: Vec<_> = POINTS
        .iter()
        .map(|point| (point, all.spawn_local(try_point(*point))))
        .collect();
    all.await;
    for (point, task) in tasks {
        assert!(task.await.is_ok(), "{point:?}");
    }
}
