//! A real HTTP server on loopback that misbehaves on demand, with or without encryption.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request: its number, from 0, its first line, the byte from which it asks, and under what
/// condition.
#[derive(Clone)]
pub struct Request {
    pub number: usize,
    pub line: String,
    pub start: Option<usize>,
    pub if_range: Option<String>,
}

/// What the server does for a request, in order; then it closes the connection.
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends in small pieces with pauses.
    Drip(Vec<u8>),
    /// Sends this again and again, for as long as the client takes it.
    Endless(Vec<u8>),
}

/// The connection between a server and a client.
trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(answer: impl Fn(Request) -> Vec<Step> + Send + Sync + 'static) -> Server {
        Server::over("http", |stream| Box::new(stream), answer)
    }

    /// A server with a certificate that has a file at each address.
    pub fn encrypted(config: rustls::ServerConfig, body: Vec<u8>) -> Server {
        let config = Arc::new(config);
        let wrap = move |stream| -> Box<dyn Connection> {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            Box::new(rustls::StreamOwned::new(connection, stream))
        };
        Server::over("https", wrap, move |request| vec![Step::Send(part(&body, request.start))])
    }

    fn over(
        scheme: &str,
        wrap: impl Fn(TcpStream) -> Box<dyn Connection> + Send + Sync + 'static,
        answer: impl Fn(Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, wrap, answer) = (requests.clone(), Arc::new(wrap), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, wrap, answer) = (seen.clone(), wrap.clone(), answer.clone());
                let stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut stream = wrap(stream);
                    let Some(mut request) = head(&mut stream) else { return };
                    {
                        let mut seen = seen.lock().unwrap();
                        request.number = seen.len();
                        seen.push(request.clone());
                    }
                    for step in answer(request) {
                        match step {
                            // The client may have gone.
                            Step::Send(bytes) => drop(stream.write_all(&bytes)),
                            Step::Wait(time) => std::thread::sleep(time),
                            Step::Drip(bytes) => {
                                for piece in bytes.chunks(16 << 10) {
                                    if stream.write_all(piece).is_err() {
                                        return;
                                    }
                                    std::thread::sleep(Duration::from_millis(2));
                                }
                            }
                            Step::Endless(bytes) => while stream.write_all(&bytes).is_ok() {},
                        }
                    }
                    // With TLS, the end is announced before the connection closes.
                    let _ = stream.flush();
                });
            }
        });
        Server { address, requests }
    }

    /// The same response to each request.
    pub fn always(answer: Vec<u8>) -> Server {
        Server::start(move |_| vec![Step::Send(answer.clone())])
    }

    /// A file, whole or from a byte on.
    pub fn file(body: Vec<u8>) -> Server {
        Server::start(move |request| vec![Step::Send(part(&body, request.start))])
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// From which bytes on it was asked.
    pub fn starts(&self) -> Vec<Option<usize>> {
        self.requests.lock().unwrap().iter().map(|request| request.start).collect()
    }

    /// Under what conditions it was asked.
    pub fn conditions(&self) -> Vec<Option<String>> {
        self.requests.lock().unwrap().iter().map(|request| request.if_range.clone()).collect()
    }

    /// The first lines of all requests.
    pub fn lines(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.line.clone()).collect()
    }
}

/// The header of a request.
fn head(stream: &mut dyn Connection) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let line = lines.next()?.ok()?;
    let mut request = Request { number: 0, line, start: None, if_range: None };
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "range" => {
                let start = value.strip_prefix("bytes=")?.trim_end_matches('-');
                request.start = start.parse().ok();
            }
            "if-range" => request.if_range = Some(value.to_string()),
            _ => {}
        }
    }
    Some(request)
}

pub fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    with_head(status, &format!("Content-Length: {}", body.len()), body)
}

pub fn with_head(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let head = if head.is_empty() { String::new() } else { format!("{head}\r\n") };
    let mut answer = format!("HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n").into_bytes();
    answer.extend(body);
    answer
}

/// A whole file, or its rest.
pub fn part(body: &[u8], start: Option<usize>) -> Vec<u8> {
    part_with(body, start, "")
}

/// The same, with another line in its header.
pub fn part_with(body: &[u8], start: Option<usize>, line: &str) -> Vec<u8> {
    let line = if line.is_empty() { String::new() } else { format!("\r\n{line}") };
    match start {
        Some(start) if start < body.len() => {
            let rest = &body[start..];
            let (last, all) = (body.len() - 1, body.len());
            let head = format!(
                "Content-Range: bytes {start}-{last}/{all}\r\nContent-Length: {}{line}",
                rest.len()
            );
            with_head("206 Partial Content", &head, rest)
        }
        Some(_) => answer("416 Range Not Satisfiable", b""),
        None => with_head("200 OK", &format!("Content-Length: {}{line}", body.len()), body),
    }
}
