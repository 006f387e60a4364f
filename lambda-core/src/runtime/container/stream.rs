//! The host's end of a sandbox's connection.
//!
//! A warm call of a small function takes less time than waking a thread of the host does. So an
//! answer is first looked for again and again, for a bounded time ([busy
//! polling](super::ContainerOptions::busy_poll)), and waited for only after that. It is looked
//! for past tokio, and while it is, the connection is not registered with tokio: each answer
//! would wake whichever thread waits for events.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::runtime::Handle;

use super::exchange::cores_are_left;
use super::read_buffer::with_buffer;
use crate::event_loop;

/// After as many misses in a row, an answer is looked for only once in `2 ^ misses` times.
const MISSES_MAX: u32 = 6;

/// Longest look of an event loop's thread, which other things wait for: a warm call of a small
/// function whose sandbox has gone to sleep. With 40 us half of the answers came just too late.
const EVENT_LOOP_BUSY_POLL: Duration = Duration::from_micros(100);

#[derive(Debug)]
pub(crate) struct SandboxStream {
    socket: Arc<std::os::unix::net::UnixStream>,
    /// The same once more, with the events of the runtime on which the sandbox was made: others
    /// may end earlier.
    registered: Option<UnixStream>,
    handle: Handle,
    busy_poll: Duration,
    chance: Chance,
    /// That of an event loop's thread.
    event_loop_chance: Chance,
    /// Something was sent since the last answer came: the next may come soon.
    is_answer_due: bool,
}

impl SandboxStream {
    /// Takes a connection. Needs a tokio runtime.
    pub(crate) fn new(connection: UnixStream, busy_poll: Duration) -> io::Result<Self> {
        Ok(Self {
            socket: Arc::new(connection.into_std()?),
            registered: None,
            handle: Handle::current(),
            busy_poll,
            chance: Chance::default(),
            event_loop_chance: Chance::default(),
            is_answer_due: false,
        })
    }

    /// The connection's socket, to look at it while the stream is in use.
    pub(crate) fn socket(&self) -> &Arc<std::os::unix::net::UnixStream> {
        &self.socket
    }

    /// Looks for an answer again and again, while that is worth it.
    fn look(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        let (chance, longest) = match event_loop::is_beginning() {
            true => (&mut self.event_loop_chance, EVENT_LOOP_BUSY_POLL),
            false => (&mut self.chance, self.busy_poll),
        };
        let longest = longest.min(self.busy_poll);
        if longest.is_zero() || !cores_are_left() || !chance.take() {
            return Ok(false);
        }
        self.registered = None;
        let started = Instant::now();
        loop {
            if read(&self.socket, buffer)? {
                chance.hit();
                return Ok(true);
            }
            if started.elapsed() > longest {
                chance.miss();
                return Ok(false);
            }
            if !cores_are_left() {
                return Ok(false);
            }
            // The sandbox may have been woken on this very core, and needs it then.
            std::thread::yield_now();
        }
    }

    fn registered(&mut self) -> io::Result<Pin<&mut UnixStream>> {
        let registered = match self.registered.take() {
            Some(registered) => registered,
            None => {
                let _entered = self.handle.enter();
                UnixStream::from_std(self.socket.try_clone()?)?
            }
        };
        Ok(Pin::new(self.registered.insert(registered)))
    }
}

impl AsyncRead for SandboxStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_answer_due && event_loop::is_beginning() {
            // Whoever goes on looks for it once more, and waits for it.
            return match this.look(buffer) {
                Ok(true) => {
                    this.is_answer_due = false;
                    Poll::Ready(Ok(()))
                }
                Ok(false) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            };
        }
        // Answers that come at once must not keep the task from letting others run.
        let proceed = ready!(tokio::task::coop::poll_proceed(context));
        let is_answer_due = std::mem::take(&mut this.is_answer_due);
        if read(&this.socket, buffer)? || (is_answer_due && this.look(buffer)?) {
            proceed.made_progress();
            return Poll::Ready(Ok(()));
        }
        this.registered()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for SandboxStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.is_answer_due = true;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match retry_on_intr(|| send(&*this.socket, bytes, flags)) {
            Err(Errno::AGAIN) => this.registered()?.poll_write(context, bytes),
            sent => Poll::Ready(sent.map_err(io::Error::from)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(&*self.socket, Shutdown::Write).map_err(io::Error::from))
    }
}

/// Reads once, without waiting. True: something has come, or the other end has closed.
fn read(socket: impl AsFd, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
    with_buffer(|bytes| {
        let room = buffer.remaining().min(bytes.len());
        match retry_on_intr(|| recv(&socket, &mut bytes[..room], RecvFlags::DONTWAIT)) {
            Ok((count, _)) => {
                buffer.put_slice(&bytes[..count]);
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    })
}

/// Whether looking for an answer is likely to be worth it, from how it went before: a function
/// that takes longer should not cost a core's time whenever it is called.
#[derive(Debug, Default)]
struct Chance {
    misses: u32,
    /// How many answers are only waited for until the next is looked for.
    pause: u32,
}

impl Chance {
    fn take(&mut self) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        true
    }

    fn hit(&mut self) {
        self.misses = 0;
    }

    fn miss(&mut self) {
        self.misses = (self.misses + 1).min(MISSES_MAX);
        self.pause = (1 << self.misses) - 1;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::io::{Read as _, Write as _};
    use std::pin::pin;
    use std::task::Waker;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair(busy_poll: Duration) -> (SandboxStream, std::os::unix::net::UnixStream) {
        let (host, sandbox) = std::os::unix::net::UnixStream::pair().unwrap();
        host.set_nonblocking(true).unwrap();
        let host = UnixStream::from_std(host).unwrap();
        (SandboxStream::new(host, busy_poll).unwrap(), sandbox)
    }

    /// Sends a byte and waits for one.
    async fn call(host: &mut SandboxStream) -> u8 {
        host.write_all(b"?").await.unwrap();
        host.read_u8().await.unwrap()
    }

    /// Answers each byte when told to.
    fn answer(mut sandbox: std::os::unix::net::UnixStream, after: Duration) {
        let mut byte = [0];
        while sandbox.read_exact(&mut byte).is_ok() {
            std::thread::sleep(after);
            sandbox.write_all(b"!").unwrap();
        }
    }

    #[tokio::test]
    async fn an_answer_that_comes_soon_is_not_waited_for() {
        let (mut host, sandbox) = pair(Duration::from_secs(60));
        let answering = std::thread::spawn(|| answer(sandbox, Duration::ZERO));
        for _ in 0..100 {
            assert_eq!(call(&mut host).await, b'!');
            assert!(host.registered.is_none());
        }
        drop(host);
        answering.join().unwrap();
    }

    #[tokio::test]
    async fn a_late_answer_is_waited_for_and_seldom_looked_for_again() {
        let (mut host, mut sandbox) = pair(Duration::from_micros(1));
        let mut nobody = Context::from_waker(Waker::noop());
        let mut looks = 0;
        for _ in 0..20 {
            looks += u32::from(host.chance.pause == 0);
            host.write_all(b"?").await.unwrap();
            let mut byte = [0];
            let mut reading = pin!(host.read(&mut byte));
            assert!(reading.as_mut().poll(&mut nobody).is_pending());
            sandbox.write_all(b"!").unwrap();
            assert_eq!(reading.await.unwrap(), 1);
            assert!(host.registered.is_some());
        }
        assert_eq!(looks, 4, "after 1, 3 and 7 answers in between");
    }

    #[tokio::test]
    async fn an_event_loops_thread_finds_an_answer_that_comes_at_once() {
        let (mut host, mut sandbox) = pair(Duration::from_secs(60));
        host.write_all(b"?").await.unwrap();
        sandbox.write_all(b"!").unwrap();
        let mut byte = [0];
        let mut reading = pin!(host.read(&mut byte));
        let mut nobody = Context::from_waker(Waker::noop());
        let found = event_loop::begin(|| reading.as_mut().poll(&mut nobody));
        assert!(matches!(found, Poll::Ready(Ok(1))));
        assert_eq!(byte, *b"!");
        assert!(!host.is_answer_due);
    }

    #[tokio::test]
    async fn an_event_loops_thread_looks_for_a_moment_and_whoever_goes_on_for_longer() {
        let (mut host, mut sandbox) = pair(Duration::from_secs(60));
        host.write_all(b"?").await.unwrap();
        let mut byte = [0];
        let mut reading = pin!(host.read(&mut byte));
        let mut nobody = Context::from_waker(Waker::noop());
        // With a minute's look this returned only once there were an answer.
        let begun = event_loop::begin(|| reading.as_mut().poll(&mut nobody));
        assert!(begun.is_pending());
        sandbox.write_all(b"!").unwrap();
        let found = reading.as_mut().poll(&mut nobody);
        assert!(matches!(found, Poll::Ready(Ok(1))), "at the first look");
        assert!(host.registered.is_none());
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_socket_is_sent_bit_by_bit() {
        let (mut host, mut sandbox) = pair(Duration::from_micros(40));
        let sent: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let len = sent.len();
        let reading = std::thread::spawn(move || {
            let mut received = vec![0; len];
            sandbox.read_exact(&mut received).unwrap();
            sandbox.write_all(&received).unwrap();
            received
        });
        host.write_all(&sent).await.unwrap();
        let mut back = vec![0; len];
        host.read_exact(&mut back).await.unwrap();
        assert!(sent == back && sent == reading.join().unwrap());
        assert_eq!(host.read(&mut [0]).await.unwrap(), 0, "it was closed");
    }

    #[test]
    fn a_runtime_that_ends_does_not_take_the_connection_along() {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().unwrap()
        };
        let (own, other) = (runtime(), runtime());
        let entered = own.enter();
        let (mut host, sandbox) = pair(Duration::ZERO);
        drop(entered);
        let answering = std::thread::spawn(|| answer(sandbox, Duration::from_millis(1)));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let driving = std::thread::spawn(move || own.block_on(ended));
        assert_eq!(other.block_on(call(&mut host)), b'!');
        drop(other);
        assert_eq!(runtime().block_on(call(&mut host)), b'!');
        drop(host);
        answering.join().unwrap();
        end.send(()).unwrap();
        driving.join().unwrap().unwrap();
    }
}
