//! One request to a server, which cannot block the reader: a thread reads it, and the stop button
//! or a server that has gone silent ends the wait.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use ureq::http::HeaderMap;

use super::certificates;
use crate::jupyter::check_interrupt;
use crate::{Result, settings};

/// What a server has sent.
pub(super) enum News {
    /// The head of its response.
    Head(Head),
    /// A piece of the body.
    Bytes(Vec<u8>),
    /// The body is complete, according to the server.
    End,
    /// The request failed.
    Failed(Problem),
}

/// The head of a server's response.
pub(super) struct Head {
    pub(super) status: u16,
    /// The bytes that will follow, if it says so.
    pub(super) length: Option<u64>,
    /// A web page, not a file.
    pub(super) is_page: bool,
    /// Which bytes of the file they are, according to the server.
    pub(super) range: Option<String>,
    /// What changes when the file does: a strong `ETag`, else `Last-Modified`.
    pub(super) validator: Option<String>,
    /// The response is compressed in transit and is decompressed here.
    pub(super) packed: bool,
    /// It has an encoding that was not requested and is not supported here.
    pub(super) unknown_encoding: Option<String>,
}

/// Why there was no response, or not all of it.
pub(super) struct Problem {
    pub(super) reason: String,
    /// A server responded, and it may work a moment later.
    pub(super) passing: bool,
    /// The file came, and has another checksum.
    pub(super) is_other_file: bool,
    /// What to do, unless it is the usual advice.
    pub(super) todo: Option<String>,
}

impl Problem {
    /// It would fail again.
    pub(super) fn lasting(reason: impl Into<String>) -> Problem {
        Problem { reason: reason.into(), passing: false, is_other_file: false, todo: None }
    }

    /// It may work a moment later.
    pub(super) fn passing(reason: impl Into<String>) -> Problem {
        Problem { passing: true, ..Problem::lasting(reason) }
    }
}

/// A request in flight.
pub(super) struct Request(Receiver<News>);

impl Request {
    /// Asks for a file from byte `start` on, if it is still the one of the `validator`.
    pub(super) fn new(url: &str, start: u64, validator: Option<&str>) -> Request {
        // A few pieces ahead of the disk, so that memory is bounded.
        let (sender, receiver) = sync_channel(16);
        let (url, validator) = (url.to_string(), validator.map(String::from));
        let news = sender.clone();
        let thread = std::thread::Builder::new().name("d2l-download".into()).spawn(move || {
            if let Err(problem) = read(&url, start, validator.as_deref(), &news) {
                // Nobody may be waiting any more.
                let _ = news.send(News::Failed(problem));
            }
        });
        if let Err(error) = thread {
            let problem = Problem {
                todo: Some(
                    "end other programs, or raise the limit of processes (`ulimit -u`)".into(),
                ),
                ..Problem::lasting(format!("no thread can be started: {error}"))
            };
            // The channel is empty, and its other end is here.
            let _ = sender.send(News::Failed(problem));
        }
        Request(receiver)
    }

    /// Waits for what comes next.
    pub(super) fn next(&self) -> Result<News> {
        let (silence, start) = (settings::longest_silence(), Instant::now());
        loop {
            check_interrupt()?;
            let reason = match self.0.recv_timeout(Duration::from_millis(50)) {
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Timeout) if start.elapsed() < silence => continue,
                Err(RecvTimeoutError::Timeout) => {
                    format!("nothing came for {} s", silence.as_secs_f64())
                }
                Err(RecvTimeoutError::Disconnected) => "the connection's thread ended".into(),
            };
            return Ok(News::Failed(Problem::lasting(reason)));
        }
    }
}

/// What went wrong, without the library's name for its kind. If no server can be reached, a
/// reader without a network is not to wait for it again and again.
fn problem(error: ureq::Error) -> Problem {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    if let Some((reason, todo)) = certificates::explain(&error) {
        return Problem { todo: Some(todo), ..Problem::lasting(reason) };
    }
    match error {
        ureq::Error::Io(error) => Problem {
            passing: matches!(
                error.kind(),
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
            ),
            ..Problem::lasting(error.to_string())
        },
        other => Problem::lasting(other.to_string()),
    }
}

/// Sends everything but a failure. `Ok` means that nobody listens, or that it has ended.
fn read(
    url: &str,
    start: u64,
    validator: Option<&str>,
    news: &SyncSender<News>,
) -> std::result::Result<(), Problem> {
    let certificates = match certificates::trusted() {
        Ok(certificates) => certificates,
        // Without TLS no certificates are needed, unless the server redirects elsewhere.
        Err(_) if !url.to_lowercase().starts_with("https:") => certificates::none(),
        Err((reason, todo)) => {
            return Err(Problem { todo: Some(todo), ..Problem::lasting(reason) });
        }
    };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(certificates).build())
        .build()
        .into();
    // A compressed response could not be resumed.
    let mut request = agent.get(url).header("Accept-Encoding", "identity");
    if start > 0 {
        request = request.header("Range", format!("bytes={start}-"));
        if let Some(validator) = validator {
            request = request.header("If-Range", validator);
        }
    }
    let response = request.call().map_err(problem)?;
    let headers = response.headers();
    let encoding = header(headers, "content-encoding").unwrap_or_default().to_lowercase();
    let encoding = encoding.trim();
    let is_gzip = matches!(encoding, "gzip" | "x-gzip");
    // Servers also send it with a .tar.gz and mean the file itself; browsers do the same.
    let packed = is_gzip && !is_gzip_by_name(url);
    let is_known = is_gzip || matches!(encoding, "" | "identity");
    let kind = header(headers, "content-type").unwrap_or_default().to_lowercase();
    let head = Head {
        status: response.status().as_u16(),
        length: response.body().content_length().filter(|_| !packed),
        is_page: kind.starts_with("text/html") || kind.starts_with("application/xhtml"),
        range: header(headers, "content-range").map(String::from),
        validator: strong_validator(headers),
        packed,
        unknown_encoding: (!is_known).then(|| encoding.to_string()),
    };
    if news.send(News::Head(head)).is_err() {
        return Ok(());
    }
    let body = response.into_body().into_reader();
    let mut body: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(body)) } else { Box::new(body) };
    loop {
        let mut piece = vec![0; 1 << 16];
        let count = body.read(&mut piece).map_err(|error| problem(error.into()))?;
        piece.truncate(count);
        let next = if count == 0 { News::End } else { News::Bytes(piece) };
        if news.send(next).is_err() || count == 0 {
            return Ok(());
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What changes with any byte of the file: a strong `ETag`, else the time of its last
/// change, if the response was given in a later second.
fn strong_validator(headers: &HeaderMap) -> Option<String> {
    let tag = header(headers, "etag").map(str::trim);
    if let Some(tag) = tag.filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
    {
        return Some(tag.to_string());
    }
    let (changed, now) = (header(headers, "last-modified")?, header(headers, "date")?);
    (changed.trim() != now.trim()).then(|| changed.trim().to_string())
}

fn is_gzip_by_name(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url).to_lowercase();
    path.ends_with(".gz") || path.ends_with(".tgz")
}
