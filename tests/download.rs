//! Downloads, against a real HTTP server on loopback that misbehaves.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use common::report::refused;
use common::server::{Request, Server, Step, answer, part, with_head};
use common::{names, noise, sha1};
use d2l::prelude::*;

/// Bytes without a pattern.
fn body(count: usize) -> Vec<u8> {
    noise(count, 5).iter().map(|value| (value * 255.) as i8 as u8).collect()
}

/// A folder for a download, and what the download comes to.
fn get(server: &Server, body: &[u8]) -> (tempfile::TempDir, Result<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(body)));
    (folder, result)
}

fn is_whole(folder: &Path, result: Result<PathBuf>, body: &[u8]) {
    assert_eq!(result.unwrap(), folder.join("set.zip"));
    assert!(fs::read(folder.join("set.zip")).unwrap() == body);
    assert_eq!(names(folder), ["set.zip"]);
}

#[test]
fn a_file_comes_whole_and_once() {
    let body = body(300_000);
    let server = Server::file(body.clone());
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("files/set.zip?version=1");
    for hash in [sha1(&body), sha1(&body).to_uppercase()] {
        let result = download_url(&url, folder.path(), Some(&hash));
        is_whole(folder.path(), result, &body);
    }
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn a_damaged_file_is_fetched_anew() {
    let body = body(1000);
    let server = Server::file(body.clone());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("set.zip"), "half").unwrap();
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
}

/// vision#1938 and its like: the server refuses. The message says where to put the file by hand.
#[test]
fn a_failed_download_leaves_no_file_and_says_why() {
    let whole = body(1000);
    let unreachable = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/set.zip", listener.local_addr().unwrap())
    };
    let url = |server: Server| server.url("set.zip");
    let page = b"<html>log in</html>";
    let html = with_head("200 OK", "Content-Type: text/html\r\nContent-Length: 19", page);
    let cases = [
        ("the server answers 403", url(Server::always(answer("403 Forbidden", b"no"))), "403"),
        ("the server answers 404", url(Server::always(answer("404 Not Found", b"no"))), "404"),
        ("the server answers 500", url(Server::always(answer("500 Fault", b"no"))), "500"),
        ("a page in place of the file", url(Server::always(html)), "a page came"),
        (
            "another file, a page that does not say so",
            url(Server::always(answer("200 OK", page))),
            "checksum",
        ),
        (
            "redirected in a circle",
            url(Server::always(with_head("302 Found", "Location: /set.zip", b""))),
            "redirect",
        ),
        ("nobody answers", unreachable, "refused"),
        ("no such server", "http://no-such-host.invalid/set.zip".into(), "no-such-host.invalid"),
        ("words that are no HTTP", url(Server::always(b"SSH-2.0-x\r\n".to_vec())), "set.zip"),
    ];
    for (what, url, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = download_url(&url, folder.path(), Some(&sha1(&whole))).unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error}");
        let text = refused(what, reason, &error);
        assert!(text.contains(&folder.path().display().to_string()), "{what}: {text}");
        assert!(names(folder.path()).is_empty(), "{what}: {:?}", names(folder.path()));
    }
}

#[test]
fn a_page_is_no_file_even_without_a_checksum() {
    let html = with_head("200 OK", "Content-Type: text/html", b"<html>log in</html>");
    let server = Server::always(html);
    let folder = tempfile::tempdir().unwrap();
    let error = download_url(&server.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(error.to_string().contains("a page came"), "{error}");
    assert!(names(folder.path()).is_empty());
    download_url(&server.url("page.html"), folder.path(), None).unwrap();
}

#[test]
fn a_server_in_a_bad_moment_is_asked_again() {
    let body = body(1000);
    let whole = body.clone();
    let server = Server::start(move |request| match request.number {
        0 => vec![Step::Send(answer("500 Internal Server Error", b"no"))],
        1 => vec![Step::Send(answer("503 Service Unavailable", b"no"))],
        _ => vec![Step::Send(part(&whole, request.start))],
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    // 404 is no bad moment.
    let server = Server::always(answer("404 Not Found", b""));
    assert!(get(&server, &body).1.is_err());
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn redirects_are_followed() {
    let body = body(1000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        let to = "Location: /elsewhere/other-name.zip\r\nContent-Length: 0";
        vec![Step::Send(match request.line.contains("elsewhere") {
            true => part(&whole, request.start),
            false => with_head("302 Found", to, b""),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// vision#1938: of several mirrors one is there.
#[test]
fn mirrors_are_asked_first() {
    const NAME: &str = "mirrors_are_asked_first";
    let body = body(1000);
    if common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        let url = "http://no-such-host.invalid/set.zip";
        let result = download_url(url, folder.path(), Some(&sha1(&body)));
        if std::env::var("D2L_MIRROR").unwrap().contains("good") {
            return is_whole(folder.path(), result, &body);
        }
        let text = refused("neither mirrors nor the address have it", "404", &result.unwrap_err());
        assert!(text.contains("/bad/set.zip") && text.contains("no-such-host.invalid"), "{text}");
        return;
    }
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.line.contains("/good/set.zip") {
            true => part(&whole, request.start),
            false => answer("404 Not Found", b"no"),
        })]
    });
    for mirrors in [server.url("bad, ") + &server.url("good/"), server.url("bad")] {
        common::run_in_child(NAME, &[("D2L_MIRROR", Path::new(&mirrors))]);
    }
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
}

/// The body's first half, of which the server says that it is the whole.
fn half(body: &[u8], start: Option<usize>) -> Vec<u8> {
    let mut answer = part(body, start);
    answer.truncate(answer.len() - (body.len() - start.unwrap_or(0)) / 2);
    answer
}

#[test]
fn a_download_that_is_cut_goes_on_where_it_ended() {
    let body = body(100_000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 | 1 => half(&whole, request.start),
            _ => part(&whole, request.start),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    assert_eq!(server.starts(), [None, Some(50_000), Some(75_000)]);
}

#[test]
fn a_server_that_cannot_go_on_starts_over() {
    let body = body(100_000);
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 => half(&whole, None),
            _ => part(&whole, None),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
    // The part of a range that was not asked for
    let whole = body.clone();
    let server = Server::start(move |request| {
        vec![Step::Send(match request.number {
            0 => half(&whole, None),
            1 => part(&whole, Some(70_000)),
            _ => part(&whole, request.start),
        })]
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// What an earlier call left may be of another file, or more than there is now.
#[test]
fn a_part_of_another_file_is_thrown_away() {
    let body = body(100_000);
    for left in [vec![7; 40_000], vec![7; 100_000], vec![7; 200_000], body[..40_000].to_vec()] {
        let server = Server::file(body.clone());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".set.zip.part"), left).unwrap();
        let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
        is_whole(folder.path(), result, &body);
    }
}

/// A page that answers in between, and a program killed after the last byte.
#[test]
fn what_has_come_is_not_thrown_away_without_need() {
    let body = body(100_000);
    let html = with_head("200 OK", "Content-Type: text/html", b"<html>log in</html>");
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join(".set.zip.part");
    fs::write(&part, &body[..60_000]).unwrap();
    let log_in = Server::always(html).url("set.zip");
    let error = download_url(&log_in, folder.path(), Some(&sha1(&body))).unwrap_err();
    assert!(error.to_string().contains("a page came"), "{error}");
    assert_eq!(fs::read(&part).unwrap().len(), 60_000);
    fs::write(&part, &body).unwrap();
    let server = Server::file(body.clone());
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
    assert!(server.starts().is_empty());
}

/// Without a network a reader is told so at once.
#[test]
fn who_cannot_be_reached_is_asked_once() {
    const NAME: &str = "who_cannot_be_reached_is_asked_once";
    if !common::in_child(NAME) {
        let text = common::run_in_child(NAME, &[]);
        assert_eq!(text.matches("trying again").count(), 1, "{text}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for host in ["no-such-host.invalid".to_string(), format!("127.0.0.1:{port}")] {
        let url = format!("http://{host}/set.zip");
        download_url(&url, folder.path(), Some(&sha1(b""))).unwrap_err();
    }
    // One that hangs up was there.
    let body = body(10);
    let whole = body.clone();
    let server = Server::start(move |request| match request.number {
        0 => vec![],
        _ => vec![Step::Send(part(&whole, None))],
    });
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

#[test]
fn a_broken_download_stays_for_the_next_call() {
    let body = body(100_000);
    let (whole, server) = (body.clone(), Server::file(body.clone()));
    let cutting = Server::start(move |request| match request.start {
        None => vec![Step::Send(half(&whole, None))],
        Some(_) => vec![],
    });
    let (folder, result) = get(&cutting, &body);
    refused("cut off in the middle, again and again", "", &result.unwrap_err());
    assert_eq!(names(folder.path()), [".set.zip.part"]);
    let result = download_url(&server.url("set.zip"), folder.path(), Some(&sha1(&body)));
    is_whole(folder.path(), result, &body);
    assert_eq!(server.starts(), [Some(50_000)]);
    // Without a checksum nothing says that the parts belong together.
    let folder = tempfile::tempdir().unwrap();
    download_url(&cutting.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_without_a_length_comes_whole() {
    let body = body(100_000);
    let whole = body.clone();
    let chunked = |body: &[u8], end: &str| {
        let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
        chunks.extend(body);
        chunks.extend(end.as_bytes());
        with_head("200 OK", "Transfer-Encoding: chunked", &chunks)
    };
    for answer in [chunked(&whole, "\r\n0\r\n\r\n"), with_head("200 OK", "", &whole)] {
        let (folder, result) = get(&Server::always(answer), &body);
        is_whole(folder.path(), result, &body);
    }
    let cut = Server::always(chunked(&whole[..50_000], ""));
    let (_, result) = get(&cut, &body);
    refused("cut off, of unknown length", "", &result.unwrap_err());
    let folder = tempfile::tempdir().unwrap();
    download_url(&cut.url("set.zip"), folder.path(), None).unwrap_err();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_server_that_goes_silent_is_given_up() {
    const NAME: &str = "a_server_that_goes_silent_is_given_up";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[("D2L_TIMEOUT", Path::new("0.3"))]);
        return;
    }
    let body = body(100_000);
    for beginning in [vec![], half(&body, None)] {
        let beginning = if beginning.is_empty() { vec![] } else { beginning };
        let server = Server::start(move |_| {
            vec![Step::Send(beginning.clone()), Step::Wait(Duration::from_secs(60))]
        });
        let start = Instant::now();
        let (_, result) = get(&server, &body);
        refused("a server that goes silent", "nothing came for 0.3 s", &result.unwrap_err());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    // Slow is not silent.
    let whole = body.clone();
    let server = Server::start(move |request| vec![Step::Drip(part(&whole, request.start))]);
    let (folder, result) = get(&server, &body);
    is_whole(folder.path(), result, &body);
}

/// A proxy that knows CONNECT.
fn proxy() -> Server {
    Server::start(|request: Request| {
        assert!(request.line.starts_with("CONNECT "), "{}", request.line);
        // Whatever is asked for through it, this comes.
        let tunnelled = answer("200 OK", b"through the proxy");
        vec![
            Step::Send(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()),
            Step::Wait(Duration::from_millis(200)),
            Step::Send(tunnelled),
        ]
    })
}

#[test]
fn proxies_are_used_unless_excepted() {
    const NAME: &str = "proxies_are_used_unless_excepted";
    if !common::in_child(NAME) {
        let proxy = proxy();
        let direct = Server::always(answer("200 OK", b"directly"));
        for (no_proxy, expected) in [("", "through the proxy"), ("127.0.0.1", "directly")] {
            let variables = [
                ("http_proxy", proxy.address.as_str()),
                ("no_proxy", no_proxy),
                ("TEST_URL", &direct.url("set.zip")),
                ("TEST_EXPECTED", expected),
            ];
            let variables = variables.map(|(name, value)| (name, Path::new(value)));
            common::run_in_child(NAME, &variables);
        }
        assert_eq!((proxy.starts().len(), direct.starts().len()), (1, 1));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = download_url(&std::env::var("TEST_URL").unwrap(), folder.path(), None).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), std::env::var("TEST_EXPECTED").unwrap());
}

#[test]
fn offline_asks_nobody() {
    const NAME: &str = "offline_asks_nobody";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[("D2L_OFFLINE", Path::new("1"))]);
        return;
    }
    let server = Server::file(body(10));
    let (_, result) = get(&server, &body(10));
    refused("D2L_OFFLINE is set", "D2L_OFFLINE", &result.unwrap_err());
    assert!(server.starts().is_empty());
}

#[test]
fn what_is_no_address_of_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["http://127.0.0.1/", "http://127.0.0.1", "http://127.0.0.1/..", "", "set.zip"] {
        let error = download_url(url, folder.path(), None).unwrap_err();
        refused("an address without the name of a file", url, &error);
    }
    let server = Server::file(body(10));
    for hash in ["", "abc", "no hexadecimal digits, but forty of them"] {
        let error = download_url(&server.url("set.zip"), folder.path(), Some(hash)).unwrap_err();
        refused("what can be no SHA-1", "40 digits", &error);
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = download_url(&server.url("set.zip"), &file, None).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert_eq!(names(folder.path()), ["file"]);
}

/// A link where the part is to be would make a download write elsewhere.
#[test]
fn a_link_in_the_way_is_not_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::file(body(10));
    let precious = elsewhere.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".set.zip.part")).unwrap();
    let error = download_url(&server.url("set.zip"), folder.path(), None).unwrap_err();
    refused("a link where a download is to be written", ".set.zip.part", &error);
    let archive = folder.path().join("b.zip");
    fs::write(&archive, "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".b.zip.unpacking")).unwrap();
    let error = extract(&archive, None).unwrap_err();
    refused("a link where an archive is to be unpacked", ".b.zip.unpacking", &error);
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

/// Downloads `TEST_URL` into `TEST_FOLDER`; the content's SHA-1 is `TEST_SHA1`.
fn download_in_child(name: &str, server: &Server, folder: &Path, body: &[u8]) -> Child {
    let mut command: Command = common::child(name);
    command.env("TEST_URL", server.url("set.zip")).env("TEST_FOLDER", folder);
    command.env("TEST_SHA1", sha1(body)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn as_child() {
    let variable = |name| std::env::var(name).unwrap();
    let folder = PathBuf::from(variable("TEST_FOLDER"));
    download_url(&variable("TEST_URL"), &folder, Some(&variable("TEST_SHA1"))).unwrap();
}

/// Killed at any moment, it leaves the whole file, or something that the next call finishes.
#[test]
fn a_killed_download_is_finished_by_the_next() {
    const NAME: &str = "a_killed_download_is_finished_by_the_next";
    if common::in_child(NAME) {
        return as_child();
    }
    let body = body(2_000_000);
    let whole = body.clone();
    let server = Server::start(move |request| vec![Step::Drip(part(&whole, request.start))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("set.zip");
    let mut kills: usize = 0;
    loop {
        let asked = server.starts().len();
        let mut child = download_in_child(NAME, &server, folder.path(), &body);
        // One that was killed behind the last byte leaves nothing to ask for.
        while server.starts().len() == asked && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // A moment that differs from one to the next
        std::thread::sleep(Duration::from_millis((kills as u64 * 37) % 120));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if target.exists() {
            assert!(fs::read(&target).unwrap() == body, "the file has its name and is not whole");
            break;
        }
        assert!(kills < 100);
    }
    assert_eq!(names(folder.path()), ["set.zip"]);
    let resumed = server.starts().iter().filter(|start| start.is_some()).count();
    assert!(kills > 2 && resumed > 0, "killed {kills} times, gone on {resumed} times");
}

#[test]
fn two_programs_do_not_spoil_each_others_download() {
    const NAME: &str = "two_programs_do_not_spoil_each_others_download";
    if common::in_child(NAME) {
        return as_child();
    }
    let body = body(100_000);
    let (whole, both_wait) = (body.clone(), Arc::new(AtomicBool::new(false)));
    let waiting = both_wait.clone();
    let server = Server::start(move |request| {
        while !waiting.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        vec![Step::Send(part(&whole, request.start))]
    });
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> =
        (0..3).map(|_| download_in_child(NAME, &server, folder.path(), &body)).collect();
    let (sender, lines) = mpsc::channel();
    for child in &mut children {
        let (sender, output) = (sender.clone(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(std::io::Result::ok).for_each(|line| {
                let _ = sender.send(line);
            });
        });
    }
    drop(sender);
    let waits = lines.iter().filter(|line| line.contains("Waiting for another program"));
    assert_eq!(waits.take(2).count(), 2);
    both_wait.store(true, Ordering::Relaxed);
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(fs::read(folder.path().join("set.zip")).unwrap() == body);
    assert_eq!((server.starts().len(), names(folder.path())), (1, vec!["set.zip".to_string()]));
}

/// A disk of one megabyte, if this user may make one; it goes when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(SmallDisk(folder)),
            _ => {
                common::report::skipped_here("this user cannot mount a small disk");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_what_has_come_stays() {
    let Some(disk) = SmallDisk::new() else { return };
    let body = body(1_500_000);
    let server = Server::file(body.clone());
    let url = server.url("set.zip");
    let error = download_url(&url, disk.0.path(), Some(&sha1(&body))).unwrap_err();
    let text = refused("a full disk", "set.zip.part", &error);
    assert!(text.contains("free some disk space"), "{text}");
    let room = Command::new("mount").args(["-o", "remount,size=4m"]).arg(disk.0.path()).status();
    assert!(room.unwrap().success());
    let result = download_url(&url, disk.0.path(), Some(&sha1(&body)));
    is_whole(disk.0.path(), result, &body);
    assert!(server.starts()[1].is_some_and(|start| start > 500_000));
    // Unpacking and saving
    let net = linear(1000, 1000).unwrap();
    let error = save_weights(&net, disk.0.path().join("net.safetensors")).unwrap_err();
    refused("a full disk while weights are saved", "net.safetensors", &error);
    assert_eq!(names(disk.0.path()), ["set.zip"]);
}
