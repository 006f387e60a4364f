//! After a timeout nothing of the sandbox is met again (threat 15).

use std::time::Duration;

use lambda_core::model::{StartKind, Status};

use crate::for_each_runtime;
use crate::{World, result};

/// Leaves a marker in memory, in /tmp and among the processes, and hangs where it is told to.
const CODE: &str = r#"
import os, subprocess, time
marks = []
def handler(event, context):
    seen = [len(marks), os.path.exists("/tmp/mark"), sum(
        "sleep" in open(f"/proc/{pid}/comm").read() for pid in os.listdir("/proc") if pid.isdigit())]
    if event.get("hang"):
        marks.append(1)
        open("/tmp/mark", "w").close()
        subprocess.Popen(["sleep", "1000"])
        time.sleep(60)
    return seen
"#;

for_each_runtime! {
    async fn nothing_of_a_sandbox_is_met_again_after_a_timeout(bench: &Bench) {
        let world = World::open(bench).await;
        let function = world.deploy("f", CODE, 128).await;
        let patient = Duration::from_secs(10);
        for _ in 0..3 {
            let clean = world.call(function, "{}", patient).await;
            assert_eq!(result(&clean), "[0, false, 0]", "{clean:?}");
            let timed_out = world.call(function, r#"{"hang":true}"#, Duration::from_millis(500)).await;
            assert_eq!((timed_out.status, timed_out.start), (Status::Timeout, StartKind::Warm));
            let next = world.call(function, "{}", patient).await;
            assert_eq!(result(&next), "[0, false, 0]", "{next:?}");
            assert_eq!(next.start, StartKind::Cold, "a sandbox that timed out was used again");
        }
        world.close().await;
    }
}
