//! A connection: so many at a time, none that holds its place for nothing. On tokio.
//!
//! While nobody works on a request of its, a guest has [`WITHIN`] for a whole one, however slowly its bytes come;
//! the time begins anew when something was sent to it. What is sent must be taken within [`CUT_OFF`](super::super::CUT_OFF).

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::Counts;
use crate::serve::CUT_OFF;

/// How long a request may take to come, and how long a connection may be silent.
const WITHIN: Duration = Duration::from_secs(15);
/// What one too many is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 74\r\nConnection: close\r\n\r\n{\"error\":{\"kind\":\"busy\",\"words\":\"too many connections: close some first\"}}";

/// Lets guests in.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, most: usize, counts: Arc<Counts>) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)), counts }
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                        // Pictures are to leave at once; where it is refused they leave a little later.
                        let _ = stream.set_nodelay(true);
                        self.counts.guest();
                        return (Wire::new(stream, place), address);
                    }
                    self.counts.refuse();
                    // A fresh connection's buffer takes it; if not, closing says enough.
                    let _ = stream.try_write(FULL);
                }
                // Out of descriptors, or it left again: a pause, so that this cannot spin.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether somebody works for a guest; known to its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Guest(Arc<AtomicUsize>);

impl Guest {
    /// Works for it until what is returned is dropped.
    pub(super) fn work(&self) -> Work {
        self.0.fetch_add(1, Ordering::AcqRel);
        Work(self.clone())
    }
}

/// Somebody works for a guest.
pub(super) struct Work(Guest);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Connected<IncomingStream<'_, Door>> for Guest {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().guest.clone()
    }
}

/// A guest's stream, with its place.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    guest: Guest,
    /// When a request must have come.
    due: Pin<Box<Sleep>>,
    /// When what is being sent must have been taken.
    stuck: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Wire {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        let due = Box::pin(sleep(WITHIN));
        Self { stream, guest: Guest::default(), due, stuck: None, _place: place }
    }

    /// What trying to send came to.
    fn sent(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if sent.is_ready() {
            self.stuck = None;
            self.due.as_mut().reset(Instant::now() + WITHIN);
            return sent;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(CUT_OFF)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_ready() || this.guest.0.load(Ordering::Acquire) > 0 {
            return read;
        }
        ready!(this.due.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.sent(cx, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.sent(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// By a clock that only waiting moves on.
    #[tokio::test(start_paused = true)]
    async fn a_guest_that_sends_a_head_byte_by_byte_does_not_hold_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door::new(listener, 1, Arc::default());
        let app = axum::Router::new().route("/", get(async || "here"));
        let app = app.into_make_service_with_connect_info::<Guest>();
        let serve = tokio::spawn(async move { drop(axum::serve(door, app).await) });
        let mut slow = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        let mut sent = 0;
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
            sent += 1;
            assert!(sent < 1000, "it goes on for ever");
            sleep(Duration::from_secs(1)).await;
        }
        assert!(begun.elapsed() >= WITHIN, "{:?}", begun.elapsed());
        drop(slow);
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        serve.abort();
    }
}
