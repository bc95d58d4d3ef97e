//! A real HTTP server on loopback that misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request: which one it is, from 0, its first line, and from which byte on it asks.
pub struct Request {
    pub number: usize,
    pub line: String,
    pub start: Option<usize>,
}

/// What the server does for a request, in order; then it closes the connection.
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends in small pieces with pauses.
    Drip(Vec<u8>),
}

/// First lines and starts of requests.
type Requests = Vec<(String, Option<usize>)>;

pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Requests>>,
}

impl Server {
    pub fn start(answer: impl Fn(Request) -> Vec<Step> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Requests>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer, mut stream) = (seen.clone(), answer.clone(), stream.unwrap());
                std::thread::spawn(move || {
                    let Some((line, start)) = head(&stream) else { return };
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push((line.clone(), start));
                        seen.len() - 1
                    };
                    for step in answer(Request { number, line, start }) {
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
                        }
                    }
                });
            }
        });
        Server { address, requests }
    }

    /// One answer to each request.
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
        self.requests.lock().unwrap().iter().map(|(_, start)| *start).collect()
    }

    /// The first lines of all requests.
    pub fn lines(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }
}

/// The first line of a request, and its range.
fn head(stream: &TcpStream) -> Option<(String, Option<usize>)> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let line = lines.next()?.ok()?;
    let mut start = None;
    for line in lines {
        let line = line.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().ok();
        }
    }
    Some((line, start))
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
    match start {
        Some(start) if start < body.len() => {
            let rest = &body[start..];
            let (last, all) = (body.len() - 1, body.len());
            let head = format!(
                "Content-Range: bytes {start}-{last}/{all}\r\nContent-Length: {}",
                rest.len()
            );
            with_head("206 Partial Content", &head, rest)
        }
        Some(_) => answer("416 Range Not Satisfiable", b""),
        None => answer("200 OK", body),
    }
}
