use super::event::LogEventKind;
use super::hub::LogHub;
use super::tap::Origin;
use super::*;
use crate::model::limits::OUTPUT_BYTES_MAX;
use crate::model::{FunctionId, RequestId, Status};
use crate::output::{LogStream, OutputCapture};

const DONE: LogEnd = LogEnd::Status(Status::Success);

fn origin(function_id: FunctionId) -> Origin {
    Origin {
        request_id: RequestId::new(),
        function_id,
        function_name: "f".parse().unwrap(),
    }
}

async fn rest(follower: &mut Follower) -> (String, String, Vec<Option<u64>>) {
    let (mut stdout, mut stderr, mut skipped) = (String::new(), String::new(), Vec::new());
    while let Some(item) = follower.next().await {
        match item {
            LogItem::Output { stream, text, .. } => match stream {
                LogStream::Stdout => stdout += &text,
                LogStream::Stderr => stderr += &text,
            },
            LogItem::Skipped { lines } => skipped.push(lines),
            LogItem::End(end) => assert_eq!(end, DONE),
        }
    }
    (stdout, stderr, skipped)
}

/// All that a subscription has to say at the moment.
async fn heard(hub: &LogHub, subscription: &mut Subscription) -> Vec<String> {
    let _ = hub;
    let mut heard = Vec::new();
    while let Ok(Some(item)) =
        tokio::time::timeout(std::time::Duration::ZERO, subscription.next()).await
    {
        heard.push(match item {
            SubscriptionItem::Event(event) => match &event.kind {
                LogEventKind::Output { text, .. } => text.clone(),
                LogEventKind::End(end) => format!("<{end}>"),
            },
            SubscriptionItem::Skipped { lines } => format!("<skipped {lines:?}>"),
        });
    }
    heard
}

#[tokio::test]
async fn characters_are_put_together_across_writes_and_streams() {
    let output = OutputCapture::new();
    let mut follower = output.follow(LogPosition::default());
    output.push(LogStream::Stdout, b"a\xe2\x82");
    let LogItem::Output { text, position, .. } = follower.next().await.unwrap() else {
        panic!("no output")
    };
    assert_eq!((text.as_str(), position.to_string().as_str()), ("a", "1.0"));
    output.push(LogStream::Stderr, b"\xff!");
    output.push(LogStream::Stdout, b"\xac\n");
    output.push(LogStream::Stdout, b"\xf0\x9f");
    output.finish(DONE);
    let expected = ("€\n\u{fffd}".to_owned(), "\u{fffd}!".to_owned(), vec![]);
    assert_eq!(rest(&mut follower).await, expected);
    assert!(follower.next().await.is_none());
    // Where a connection broke, in the middle of a character, a new one goes on.
    assert_eq!(rest(&mut output.follow(position)).await, expected);
    let far: LogPosition = "99.99".parse().unwrap();
    assert_eq!(rest(&mut output.follow(far)).await, Default::default());
}

#[tokio::test]
async fn who_follows_a_flood_too_slowly_is_told_how_much_is_missing() {
    let output = OutputCapture::new();
    let mut quick = output.follow(LogPosition::default());
    let line = format!("{}\n", "x".repeat(63));
    let lines = 4 * OUTPUT_BYTES_MAX / 64;
    let mut read = 0;
    for _ in 0..lines / 512 {
        output.push(LogStream::Stdout, line.repeat(512).as_bytes());
        let item = quick.next().await.unwrap();
        let LogItem::Output { text, .. } = item else {
            panic!("{item:?}")
        };
        read += text.lines().count();
    }
    assert_eq!(read, lines, "who keeps up misses nothing");
    output.finish(DONE);
    let (stdout, _, skipped) = rest(&mut output.follow(LogPosition::default())).await;
    let [Some(missing)] = skipped[..] else {
        panic!("{skipped:?}")
    };
    let read = stdout.lines().count() as u64;
    assert!(
        missing > 0 && read + missing == lines as u64,
        "{read} {missing}"
    );
}

#[tokio::test]
async fn a_subscription_hears_its_function_and_can_resume() {
    let hub = LogHub::new(64 * 1024);
    let (ours, other) = (FunctionId::new(), FunctionId::new());
    let [output, foreign] = [ours, other].map(|function| {
        let output = OutputCapture::new();
        output.push(LogStream::Stdout, b"unheard ");
        hub.connect(&output, origin(function));
        output
    });
    let mut all = hub.subscribe(None, None);
    let mut subscription = hub.subscribe(Some(ours), None);
    foreign.push(LogStream::Stdout, b"foreign");
    output.push(LogStream::Stdout, b"one\xc3");
    let Some(SubscriptionItem::Event(first)) = subscription.next().await else {
        panic!("no event")
    };
    drop(subscription);
    output.push(LogStream::Stdout, b"\xa4two");
    output.finish(DONE);
    let mut subscription = hub.subscribe(Some(ours), Some(first.id));
    let resumed = heard(&hub, &mut subscription).await;
    assert_eq!(resumed, ["ätwo", "<success>"]);
    assert_eq!(
        heard(&hub, &mut all).await,
        ["foreign", "one", "ätwo", "<success>"]
    );
    // One that wrote and ended before the hub knew of it.
    let early = OutputCapture::new();
    early.push(LogStream::Stdout, b"early");
    early.finish(DONE);
    let id = origin(ours);
    let request_id = id.request_id;
    hub.connect(&early, id);
    assert_eq!(heard(&hub, &mut subscription).await, ["early", "<success>"]);
    let mut late = hub.follow(request_id, LogPosition::default()).unwrap();
    assert_eq!(rest(&mut late.follower).await.0, "early");
    hub.close();
    assert_eq!(subscription.next().await, None);
    assert_eq!(hub.subscribe(None, None).next().await, None);
}

#[tokio::test]
async fn gaps_are_marked_and_bounded() {
    let hub = LogHub::new(16 * 1024);
    let function = FunctionId::new();
    let output = OutputCapture::new();
    hub.connect(&output, origin(function));
    let mut slow = hub.subscribe(Some(function), None);
    output.push(LogStream::Stdout, b"first\n");
    let Some(SubscriptionItem::Event(first)) = slow.next().await else {
        panic!("no event")
    };
    for _ in 0..100 {
        output.push(LogStream::Stdout, &b"0123456789abcde\n".repeat(512));
    }
    let slow = heard(&hub, &mut slow).await;
    let kept = slow.len() - 1;
    assert!(kept > 20 && kept < 40, "{kept}");
    assert_eq!(slow[0], format!("<skipped Some({})>", (100 - kept) * 512));
    // The ring is smaller still.
    let mut resumed = hub.subscribe(Some(function), Some(first.id));
    let resumed = heard(&hub, &mut resumed).await;
    assert_eq!((resumed[0].as_str(), resumed.len()), ("<skipped None>", 2));
    let foreign: LogEventId = "1-1".parse().unwrap();
    let mut restarted = hub.subscribe(Some(function), Some(foreign));
    assert_eq!(heard(&hub, &mut restarted).await[0], "<skipped None>");
    for bad in [
        "",
        "1",
        "-1-2",
        "1-",
        "+1-2",
        "1-2-3",
        "1.2",
        "99999999999999999999999-1",
    ] {
        assert!(bad.parse::<LogEventId>().is_err(), "{bad}");
    }
}

#[test]
fn invocations_that_ended_are_kept_up_to_a_bound() {
    let hub = LogHub::new(0);
    let first = origin(FunctionId::new());
    let first_id = first.request_id;
    for origin in std::iter::once(first).chain((0..8).map(|_| origin(FunctionId::new()))) {
        let output = OutputCapture::new();
        hub.connect(&output, origin);
        output.push(LogStream::Stdout, &vec![b'x'; OUTPUT_BYTES_MAX]);
        output.finish(DONE);
    }
    assert!(hub.follow(first_id, LogPosition::default()).is_none());
}

#[tokio::test]
async fn one_that_wrote_nothing_can_be_followed_to_its_end_and_is_not_kept_whole() {
    let hub = LogHub::new(0);
    let origin = origin(FunctionId::new());
    let request_id = origin.request_id;
    let output = OutputCapture::new();
    hub.connect(&output, origin);
    let mut early = hub.follow(request_id, LogPosition::default()).unwrap();
    output.finish(DONE);
    let mut late = hub.follow(request_id, LogPosition::default()).unwrap();
    assert_eq!(late.function_name.as_str(), "f");
    for follower in [&mut early.follower, &mut late.follower] {
        assert_eq!(follower.next().await, Some(LogItem::End(DONE)));
        assert_eq!(follower.next().await, None);
    }
    drop(early);
    let weak = output.downgrade();
    drop(output);
    assert!(weak.upgrade().is_none(), "the hub has let go of it");
}
