//! One request to a server, which cannot hold a reader up: it is read by a thread, and a stop button
//! or a server that has gone silent ends the wait.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::Result;
use crate::interrupt::check_interrupt;

/// What a server has sent.
pub(super) enum News {
    /// The head of its answer.
    Head {
        status: u16,
        /// The bytes that will follow, if it says so.
        length: Option<u64>,
        /// A page for people, not a file.
        is_page: bool,
    },
    /// A piece of the body.
    Bytes(Vec<u8>),
    /// The body is whole, as far as the server's own words tell.
    End,
    /// It went wrong. `passing`: a server was there, and it may go well a moment later.
    Failed { reason: String, passing: bool },
}

/// A request on its way.
pub(super) struct Request(Receiver<News>);

impl Request {
    /// Asks for a file from byte `start` on.
    pub(super) fn new(url: &str, start: u64) -> Request {
        // A few pieces ahead of the disk, so that memory is bounded.
        let (sender, receiver) = sync_channel(16);
        let url = url.to_string();
        std::thread::spawn(move || {
            if let Err(error) = read(&url, start, &sender) {
                // Nobody may be waiting any more.
                let _ = sender.send(failed(error));
            }
        });
        Request(receiver)
    }

    /// Waits for what comes next.
    pub(super) fn next(&self) -> Result<News> {
        let (silence, start) = (longest_silence(), Instant::now());
        loop {
            check_interrupt()?;
            match self.0.recv_timeout(Duration::from_millis(50)) {
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Timeout) if start.elapsed() < silence => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = silence.as_secs_f64();
                    let reason = format!("nothing came for {seconds} s");
                    return Ok(News::Failed { reason, passing: false });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = "the connection's thread ended".into();
                    return Ok(News::Failed { reason, passing: false });
                }
            }
        }
    }
}

/// How long a server may send nothing: `D2L_TIMEOUT` in seconds, else half a minute.
fn longest_silence() -> Duration {
    let named = std::env::var("D2L_TIMEOUT").ok().and_then(|value| value.trim().parse().ok());
    let seconds: f64 = named.filter(|seconds| *seconds > 0.).unwrap_or(30.);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// What went wrong, without the library's name for the kind of it. Where nobody can be reached, a
/// reader without a network is not to wait for it again and again.
fn failed(error: ureq::Error) -> News {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        ureq::Error::Io(error) => News::Failed {
            passing: matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            ),
            reason: error.to_string(),
        },
        other => News::Failed { reason: other.to_string(), passing: false },
    }
}

/// Sends all news but a failure. An answer of `Ok` says that nobody listens, or that it has ended.
fn read(url: &str, start: u64, news: &SyncSender<News>) -> std::result::Result<(), ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    // A compressed answer could not be gone on with.
    let mut request = agent.get(url).header("Accept-Encoding", "identity");
    if start > 0 {
        request = request.header("Range", format!("bytes={start}-"));
    }
    let response = request.call()?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let head = News::Head {
        status: response.status().as_u16(),
        length: response.body().content_length(),
        is_page: header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
    };
    if news.send(head).is_err() {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut piece = vec![0; 1 << 16];
        let count = body.read(&mut piece)?;
        piece.truncate(count);
        let next = if count == 0 { News::End } else { News::Bytes(piece) };
        if news.send(next).is_err() || count == 0 {
            return Ok(());
        }
    }
}
