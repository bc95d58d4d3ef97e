//! What waits to be sent to one client. Its own task sends it, so that a client that does not read (a
//! console in Ctrl-Z, a suspended program) keeps nobody else waiting.
//!
//! As long as a client reads, nothing is left out for it: what the program prints waits until less
//! than [`FULL`] waits here (`room`). When it has read next to nothing for [`PATIENCE`], it is not
//! waited for any longer: output is left out for it until it reads again, and a notice is put in its
//! place. Messages that clients wait for, such as a cell's `status`, go on to be kept, up to twice the
//! size; a full client gets none that tell of other requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// So many bytes may wait for a client.
pub const FULL: usize = 1 << 21;
/// A full client that takes less than [`PACE`] bytes in this time is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(2);
const PACE: usize = 1 << 16;

/// How far a client is behind.
#[derive(Clone, Copy)]
struct Backlog {
    bytes: usize,
    /// When it last kept pace.
    since: Instant,
}

impl Backlog {
    fn is_full(self) -> bool {
        self.bytes >= FULL
    }
}

pub struct Outbox {
    messages: UnboundedSender<Bytes>,
    backlog: Arc<watch::Sender<Backlog>>,
    /// Whether output has been left out since the client last read.
    has_gap: bool,
    writer: AbortHandle,
}

impl Outbox {
    /// Sends to this socket from now on.
    pub fn new(socket: impl AsyncWrite + Unpin + Send + 'static) -> Outbox {
        let (messages, queue) = unbounded_channel();
        let backlog = Arc::new(watch::Sender::new(Backlog { bytes: 0, since: Instant::now() }));
        let writer = tokio::spawn(write(socket, queue, backlog.clone())).abort_handle();
        Outbox { messages, backlog, has_gap: false, writer }
    }

    /// Takes a message that the client waits for.
    pub fn push(&mut self, message: Bytes) {
        if self.is_behind() && self.backlog.borrow().bytes + message.len() > 2 * FULL {
            return;
        }
        self.add(message);
    }

    /// Takes a message that hardly anybody waits for, which is left out for a client that is full.
    pub fn push_in_passing(&mut self, message: Bytes) {
        if !self.backlog.borrow().is_full() {
            self.add(message);
        }
    }

    /// Takes output, which is left out for a client that does not read; then there is `notice` in its
    /// place.
    pub fn push_output(&mut self, message: Bytes, notice: impl FnOnce() -> Bytes) {
        if !self.is_behind() {
            self.has_gap = false;
            self.add(message);
        } else if !std::mem::replace(&mut self.has_gap, true) {
            self.add(notice());
        }
    }

    fn add(&mut self, message: Bytes) {
        self.backlog.send_if_modified(|backlog| {
            if backlog.bytes == 0 {
                backlog.since = Instant::now();
            }
            backlog.bytes += message.len();
            // Only what is read wakes those who wait for room.
            false
        });
        // Fails if the client has gone.
        let _ = self.messages.send(message);
    }

    fn is_behind(&self) -> bool {
        let backlog = *self.backlog.borrow();
        backlog.is_full() && backlog.since.elapsed() >= PATIENCE
    }

    /// What to wait for before there is more output; `None` if there is room.
    pub fn full(&self) -> Option<Full> {
        let is_full = self.backlog.borrow().is_full();
        is_full.then(|| Full(self.backlog.subscribe()))
    }

    /// Whether all was sent, or the client does not take it.
    pub fn is_done(&self) -> bool {
        let backlog = *self.backlog.borrow();
        backlog.bytes == 0 || backlog.since.elapsed() >= PATIENCE
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// A client that has enough to read.
pub struct Full(watch::Receiver<Backlog>);

impl Full {
    /// Waits until there is room, or the client has proved not to read, or is gone.
    pub async fn room(mut self) {
        loop {
            let backlog = *self.0.borrow_and_update();
            if !backlog.is_full() {
                return;
            }
            let changed = timeout_at(backlog.since + PATIENCE, self.0.changed());
            if !matches!(changed.await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

async fn write(
    mut socket: impl AsyncWrite + Unpin,
    mut queue: UnboundedReceiver<Bytes>,
    backlog: Arc<watch::Sender<Backlog>>,
) {
    let mut taken = 0;
    while let Some(mut message) = queue.recv().await {
        while message.has_remaining() {
            let Ok(length @ 1..) = socket.write(&message).await else { return };
            message.advance(length);
            taken += length;
            backlog.send_modify(|backlog| {
                backlog.bytes -= length;
                if taken >= PACE || backlog.bytes == 0 {
                    (backlog.since, taken) = (Instant::now(), 0);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::advance;

    use super::*;

    const PIECE: usize = 1 << 16;

    fn run(future: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().unwrap().block_on(future);
    }

    fn piece(number: usize) -> Bytes {
        let mut piece = vec![0; PIECE];
        piece[..8].copy_from_slice(&number.to_be_bytes());
        piece.into()
    }

    fn bytes(outbox: &Outbox) -> usize {
        outbox.backlog.borrow().bytes
    }

    /// What tells of other requests leaves room for what a client waits for.
    #[test]
    fn messages_in_passing_fill_nobody() {
        run(async {
            let (socket, _client) = duplex(1);
            let mut outbox = Outbox::new(socket);
            for number in 0..200 {
                outbox.push_in_passing(piece(number));
            }
            assert_eq!(bytes(&outbox), FULL);
            advance(2 * PATIENCE).await;
            outbox.push(piece(200));
            assert!(bytes(&outbox) > FULL);
        });
    }

    /// C7: who reads, however slowly, gets all; who does not read is waited for once.
    #[test]
    fn a_client_that_reads_misses_nothing() {
        run(async {
            let (socket, mut client) = duplex(PIECE);
            let mut outbox = Outbox::new(socket);
            let reader = tokio::spawn(async move {
                let mut numbers = vec![];
                let mut piece = vec![0; PIECE];
                while client.read_exact(&mut piece).await.is_ok() {
                    numbers.push(usize::from_be_bytes(piece[..8].try_into().unwrap()));
                    // Just about the pace.
                    tokio::time::sleep(PATIENCE - Duration::from_millis(100)).await;
                }
                numbers
            });
            for number in 0..200 {
                if let Some(full) = outbox.full() {
                    full.room().await;
                }
                assert!(bytes(&outbox) <= FULL);
                outbox.push_output(piece(number), || unreachable!());
            }
            while bytes(&outbox) > 0 {
                tokio::time::sleep(PATIENCE).await;
            }
            drop(outbox);
            assert_eq!(reader.await.unwrap(), (0..200).collect::<Vec<_>>());
        });
    }

    /// C7: a client that does not read is waited for once; memory is bounded; it sees where output is
    /// missing, and gets what comes when it reads again.
    #[test]
    fn a_client_that_does_not_read_is_not_waited_for() {
        run(async {
            let (socket, mut client) = duplex(PIECE);
            let mut outbox = Outbox::new(socket);
            let start = Instant::now();
            let notices = std::cell::Cell::new(0);
            let notice = || {
                notices.set(notices.get() + 1);
                Bytes::from_static(b"a gap")
            };
            for number in 0..10_000 {
                if let Some(full) = outbox.full() {
                    full.room().await;
                }
                outbox.push_output(piece(number), notice);
                outbox.push(Bytes::from_static(b"status"));
            }
            assert!(start.elapsed() < 2 * PATIENCE, "{:?}", start.elapsed());
            assert_eq!(notices.get(), 1);
            // The messages that it waits for are all there.
            assert!(bytes(&outbox) < FULL + PIECE + 10_000 * 6);
            for _ in 0..100 {
                outbox.push(Bytes::from(vec![0; 1 << 20]));
            }
            assert!(bytes(&outbox) <= 2 * FULL);
            assert!(outbox.is_done());

            let mut read = vec![0; bytes(&outbox) + PIECE];
            let read = client.read_exact(&mut read);
            let _ = tokio::time::timeout(PATIENCE, read).await;
            assert_eq!(bytes(&outbox), 0);
            assert!(outbox.full().is_none());
            outbox.push_output(piece(1), notice);
            assert_eq!((notices.get(), bytes(&outbox)), (1, PIECE));
        });
    }

    /// A client that takes a byte now and then is no better than one that takes none.
    #[test]
    fn a_trickle_is_not_waited_for() {
        run(async {
            let (socket, mut client) = duplex(64);
            let mut outbox = Outbox::new(socket);
            let trickle = tokio::spawn(async move {
                while client.read_u8().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
            let start = Instant::now();
            for number in 0..1000 {
                if let Some(full) = outbox.full() {
                    full.room().await;
                }
                outbox.push_output(piece(number), || Bytes::from_static(b"a gap"));
            }
            assert!(start.elapsed() < 2 * PATIENCE, "{:?}", start.elapsed());
            trickle.abort();
        });
    }

    #[test]
    fn a_client_that_is_gone_is_not_waited_for() {
        run(async {
            let (socket, client) = duplex(64);
            let mut outbox = Outbox::new(socket);
            outbox.push(vec![0; 2 * FULL].into());
            advance(Duration::from_millis(1)).await;
            let full = outbox.full().unwrap();
            drop(client);
            let start = Instant::now();
            full.room().await;
            assert!(start.elapsed() <= PATIENCE);
            outbox.push(Bytes::from_static(b"more"));
        });
    }
}
