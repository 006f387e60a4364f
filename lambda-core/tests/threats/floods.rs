//! Output and results without end cost the host neither disk nor memory (threats 21 and 22).

use std::time::Duration;

use lambda_core::model::Status;

use crate::disk::{self, bytes_below};
use crate::for_each_runtime;
use crate::{World, length, peak_kib, reset_peak, result};

/// How much the host's memory may grow meanwhile: what is kept of one invocation is 8 MB.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// What one record and the store around it may need on the disk.
const DISK_BYTES_MAX: u64 = 4 << 20;

/// Writes to both streams for as long as it is told to, and answers with how many MiB it has
/// written.
const FLOOD: &str = r#"
import os, time
def handler(event, context):
    block, written, end = b"x" * (1 << 16), 0, time.monotonic() + event["seconds"]
    while time.monotonic() < end:
        written += os.write(1, block) + os.write(2, block)
    return written >> 20
"#;

/// Answers on the bootstrap's own connection, past what the bootstrap checks.
const RAW: &str = r#"
import os, stat, time
def connection():
    return next(int(fd) for fd in os.listdir("/proc/self/fd") if stat.S_ISSOCK(os.stat(f"/proc/self/fd/{fd}").st_mode))
def handler(event, context):
    fd, size = connection(), event["bytes"]
    head = "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n" % context.aws_request_id
    if event["kind"] == "deep":
        body = b"[" * size + b"]" * size
        os.write(fd, (head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body)
        time.sleep(60)
    block = b"x" * (1 << 20)
    if event["kind"] == "length":
        os.write(fd, (head + "Content-Length: %d\r\n\r\n" % size).encode())
        for _ in range(size >> 20):
            view = memoryview(block)
            while view:
                view = view[os.write(fd, view):]
    else:
        os.write(fd, (head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for _ in range(size >> 20):
            view = memoryview(b"100000\r\n" + block + b"\r\n")
            while view:
                view = view[os.write(fd, view):]
        os.write(fd, b"0\r\n\r\n")
    time.sleep(60)
"#;

for_each_runtime! {
    async fn a_flood_of_output_costs_neither_disk_nor_memory(bench: &Bench) {
        let world = World::open(bench).await;
        let function = world.deploy("flood", FLOOD, 128).await;
        world.call(function, r#"{"seconds":0}"#, Duration::from_secs(10)).await;
        let disk = bytes_below(bench.data_dir.path());
        reset_peak();
        let memory = peak_kib();
        let seconds = length("LAMBDA_TEST_FLOOD_SECONDS", 3);
        let event = format!(r#"{{"seconds":{seconds}}}"#);
        let outcome = world.call(function, &event, Duration::from_secs(seconds + 10)).await;
        let mib: u64 = result(&outcome).parse().unwrap();
        assert!(mib > 16, "only {mib} MiB came");
        for stream in [&outcome.stdout, &outcome.stderr] {
            assert!(stream.truncated);
            assert_eq!(stream.text.len(), 1 << 20);
        }
        disk::expect_nothing_written(bench).await;
        let grown = bytes_below(bench.data_dir.path()).saturating_sub(disk);
        assert!(grown < DISK_BYTES_MAX, "the disk grew by {grown} bytes for {mib} MiB");
        let memory = peak_kib().saturating_sub(memory);
        assert!(memory < GROWTH_KIB_MAX, "memory grew by {memory} KiB for {mib} MiB");
        println!("{}: {mib} MiB in {seconds} s: the disk grew by {grown} bytes, memory by {memory} KiB", bench.runtime.name());
        world.close().await;
    }

    async fn a_result_without_end_is_counted_and_thrown_away(bench: &Bench) {
        let world = World::open(bench).await;
        let mib = length("LAMBDA_TEST_RESULT_MIB", 256);
        for kind in ["length", "chunks"] {
            // Each in a sandbox of its own: it never asks for the next event.
            let function = world.deploy(kind, RAW, 128).await;
            reset_peak();
            let memory = peak_kib();
            let event = format!(r#"{{"kind":"{kind}","bytes":{}}}"#, mib << 20);
            let outcome = world.call(function, &event, Duration::from_secs(20)).await;
            assert_eq!(outcome.status, Status::FunctionError, "{outcome:?}");
            assert_eq!(outcome.error.unwrap().error_type, "Function.ResponseSizeTooLarge");
            let grown = peak_kib().saturating_sub(memory);
            assert!(grown < GROWTH_KIB_MAX, "memory grew by {grown} KiB");
        }
        world.close().await;
    }

    async fn a_result_that_is_deep_costs_no_stack(bench: &Bench) {
        let world = World::open(bench).await;
        let function = world.deploy("raw", RAW, 128).await;
        let outcome = world.call(function, r#"{"kind":"deep","bytes":100000}"#, Duration::from_secs(10)).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        assert_eq!(outcome.output.unwrap().len(), 200_000);
        world.close().await;
    }
}
