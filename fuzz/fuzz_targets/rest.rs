//! Whole requests to the HTTP API over fake sandboxes: every answer is one that is described.
//!
//! The input: a line with method and path, lines of headers, an empty line, the body.
#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use lambda_core::Platform;
use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_http::{HttpOptions, routes};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// After so many requests there is a new platform, because functions are kept.
const REQUESTS: u32 = 2_000;

struct World {
    runtime: Runtime,
    platform: Platform,
    requests: u32,
    _data_dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let data_dir = tempfile::tempdir().expect("a directory");
        let platform = Platform::builder()
            .data_dir(data_dir.path())
            .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
            .recording(false);
        let platform = runtime.block_on(platform.build()).expect("a platform");
        Self {
            runtime,
            platform,
            requests: 0,
            _data_dir: data_dir,
        }
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        if world
            .as_ref()
            .is_some_and(|world| world.requests >= REQUESTS)
            && let Some(old) = world.take()
        {
            old.runtime.block_on(old.platform.close());
        }
        let world = world.get_or_insert_with(World::new);
        world.requests += 1;
        ask(world, data);
    });
});

fn ask(world: &World, data: &[u8]) {
    let (head, body) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else {
        return;
    };
    // These take their time on purpose.
    let slow = ["fake:s", "fake:f", "fake:l", "fake:a"];
    if slow
        .iter()
        .any(|case| String::from_utf8_lossy(data).contains(case))
    {
        return;
    }
    let mut lines = head.lines();
    let Some((method, path)) = lines.next().and_then(|line| line.split_once(' ')) else {
        return;
    };
    // What no HTTP server would hand on; warp's builder panics at it.
    let is_sound = path.starts_with('/')
        && path.parse::<warp::http::Uri>().is_ok()
        && warp::http::Method::from_bytes(method.as_bytes()).is_ok();
    if !is_sound {
        return;
    }
    let local = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut request = warp::test::request()
        .method(method)
        .path(path)
        .header("host", "localhost")
        .header("authorization", "Bearer secret")
        .remote_addr(local)
        .body(body);
    for line in lines {
        if let Some((name, value)) = line.split_once(':')
            && warp::http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && warp::http::HeaderValue::from_str(value.trim()).is_ok()
        {
            request = request.header(name, value.trim());
        }
    }
    let options = HttpOptions::default()
        .operator_token("secret")
        .expect("a token")
        .listen(local);
    let filter = routes(world.platform.clone(), options);
    let answered = world.runtime.block_on(async {
        let patience = std::time::Duration::from_secs(10);
        tokio::time::timeout(patience, request.filter(&filter)).await
    });
    let Ok(answer) = answered else {
        panic!("no answer");
    };
    if let Ok(response) = answer {
        let response: warp::reply::Response = response;
        let status = response.status().as_u16();
        // 500 is for faults of the platform's own.
        assert!(status != 500, "{method} {path}: {status}");
    }
}
