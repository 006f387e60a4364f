//! Reads what a sandbox writes to its stdout and stderr FIFOs.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::retry_on_intr;
use tokio::net::unix::pipe::Receiver;

use super::read_buffer::with_buffer;
use crate::event_loop;
use crate::output::{LogStream, OutputCapture};

/// Asked for, so that a function seldom waits for the host. Where it is refused a pipe keeps
/// its 64 KiB.
const PIPE_BYTES: usize = 1024 * 1024;

/// All pipes of an unprivileged user together have 64 MiB before the kernel gives new ones
/// no more than 8 KiB each: so this leaves room for 128 sandboxes.
const UNPRIVILEGED_PIPE_BYTES: usize = 256 * 1024;

/// From here on a stream is a flood: nothing of it is kept any more, and it gets no more of
/// the host's CPU time than one reading of the pipe per [`FLOOD_PAUSE`].
const FLOOD_BYTES: usize = 16 * 1024 * 1024;

const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// The host's ends of both FIFOs.
///
/// They are open for writing too, so that a function that closes its stdout causes no
/// end of file here.
#[derive(Debug)]
pub(crate) struct OutputPipes {
    stdout: Pipe,
    stderr: Pipe,
}

impl OutputPipes {
    /// Takes non-blocking descriptors of both FIFOs. Needs a tokio runtime.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            stdout: Pipe::new(LogStream::Stdout, stdout)?,
            stderr: Pipe::new(LogStream::Stderr, stderr)?,
        })
    }

    /// Runs `work`, and reads what comes meanwhile. What came last may still be there:
    /// tokio's knowledge may be older than the last write. See [`drain`](Self::drain).
    pub(crate) async fn read_during<T>(
        &self,
        output: &OutputCapture,
        work: impl Future<Output = T>,
    ) -> T {
        let pump = async {
            event_loop::leave().await;
            tokio::select! {
                never = self.stdout.pump(output) => never,
                never = self.stderr.pump(output) => never,
            }
        };
        tokio::select! {
            // First the connection: a flood must not delay the reply.
            biased;
            done = work => done,
            never = pump => match never {},
        }
    }

    /// Reads what is there, without waiting.
    pub(crate) fn drain(&self, output: &OutputCapture) {
        self.stdout.drain(output);
        self.stderr.drain(output);
    }

    /// The last bytes of what is in stderr, or else in stdout, as text: for messages.
    pub(crate) fn tail(&self, bytes: usize) -> String {
        let output = OutputCapture::new();
        self.drain(&output);
        let text = [LogStream::Stderr, LogStream::Stdout]
            .map(|stream| output.text(stream).text)
            .into_iter()
            .find(|text| !text.trim().is_empty())
            .unwrap_or_default();
        let text = text.trim();
        let start = text.ceil_char_boundary(text.len().saturating_sub(bytes));
        text[start..].to_owned()
    }
}

#[derive(Debug)]
struct Pipe {
    stream: LogStream,
    receiver: Receiver,
    capacity: usize,
}

enum Never {}

impl Pipe {
    fn new(stream: LogStream, fd: OwnedFd) -> io::Result<Self> {
        let wanted = if rustix::process::geteuid().is_root() {
            PIPE_BYTES
        } else {
            UNPRIVILEGED_PIPE_BYTES
        };
        let capacity = rustix::pipe::fcntl_setpipe_size(&fd, wanted)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&fd))?;
        Ok(Self {
            stream,
            receiver: Receiver::from_owned_fd(fd)?,
            capacity,
        })
    }

    /// Reads whatever comes, for ever.
    async fn pump(&self, output: &OutputCapture) -> Never {
        let mut total = 0;
        loop {
            if self.receiver.readable().await.is_err() {
                // tokio's driver is gone; so will this task be.
                std::future::pending::<()>().await;
            }
            // Through tokio, which learns from it when there is nothing more.
            let read = self.read(output, |buffer| self.receiver.try_read(buffer));
            total += read.unwrap_or(0);
            if total >= FLOOD_BYTES {
                self.drain(output);
                tokio::time::sleep(FLOOD_PAUSE).await;
            } else {
                // A function that writes without end must leave room for others.
                tokio::task::yield_now().await;
            }
        }
    }

    fn drain(&self, output: &OutputCapture) {
        let mut left = self.capacity;
        // Bounded: whatever was written before this call is within the first `capacity`
        // bytes, and a background thread of the function may write on for ever.
        while left > 0 {
            // Past tokio, whose knowledge may be older than the last write.
            let read = self.read(output, |buffer| {
                retry_on_intr(|| rustix::io::read(&self.receiver, &mut *buffer))
                    .map_err(io::Error::from)
            });
            match read {
                Some(count) => left = left.saturating_sub(count),
                None => return,
            }
        }
    }

    /// Reads once, and counts the bytes. None: there is nothing.
    fn read(
        &self,
        output: &OutputCapture,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Option<usize> {
        with_buffer(|buffer| {
            let count = read(buffer).ok().filter(|count| *count > 0)?;
            output.push(self.stream, &buffer[..count]);
            Some(count)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::model::limits::OUTPUT_BYTES_MAX;

    fn pipes() -> (OutputPipes, std::fs::File, std::fs::File) {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (stdout, stdout_writer) = pipe_with(flags).unwrap();
        let (stderr, stderr_writer) = pipe_with(flags).unwrap();
        for writer in [&stdout_writer, &stderr_writer] {
            rustix::fs::fcntl_setfl(writer, rustix::fs::OFlags::empty()).unwrap();
        }
        (
            OutputPipes::new(stdout, stderr).unwrap(),
            stdout_writer.into(),
            stderr_writer.into(),
        )
    }

    #[tokio::test]
    async fn what_was_written_before_the_end_is_there_at_the_end() {
        let (pipes, stdout, mut stderr) = pipes();
        for round in 0..100 {
            let output = OutputCapture::new();
            let (out, err) = (vec![b'o'; 700_000], vec![b'e'; round]);
            pipes
                .read_during(&output, async {
                    let mut stdout = stdout.try_clone().unwrap();
                    tokio::task::spawn_blocking(move || stdout.write_all(&out))
                        .await
                        .unwrap()
                        .unwrap();
                    stderr.write_all(&err).unwrap();
                })
                .await;
            pipes.drain(&output);
            assert_eq!(output.text(LogStream::Stdout).text.len(), 700_000);
            assert_eq!(output.text(LogStream::Stderr).text.len(), round);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_flood_neither_blocks_the_work_nor_the_end() {
        let (pipes, mut stdout, _stderr) = pipes();
        let writer = std::thread::spawn(move || while stdout.write_all(&[b'x'; 65_536]).is_ok() {});
        let output = OutputCapture::new();
        let started = std::time::Instant::now();
        pipes
            .read_during(&output, tokio::time::sleep(Duration::from_millis(300)))
            .await;
        assert!(started.elapsed() < Duration::from_millis(600));
        let text = output.text(LogStream::Stdout);
        assert_eq!((text.text.len(), text.truncated), (OUTPUT_BYTES_MAX, true));
        drop(pipes);
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn the_tail_is_of_stderr_first() {
        let (pipes, mut stdout, mut stderr) = pipes();
        stdout.write_all(b"out\n").unwrap();
        assert_eq!(pipes.tail(100), "out");
        stdout.write_all(b"out\n").unwrap();
        stderr.write_all("a\u{e4}bc\n".as_bytes()).unwrap();
        assert_eq!(pipes.tail(3), "bc");
    }
}
