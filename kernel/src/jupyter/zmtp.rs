//! The server's side of ZeroMQ's protocol on TCP: ZMTP 3.0 without security, as Jupyter uses it
//! (<https://rfc.zeromq.org/spec/23/>). Newer peers speak it, too.

use std::io::{Error, ErrorKind, Result};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

const GREETING: usize = 64;
const MECHANISM: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A message of more bytes is refused: nobody has proved yet that it is Jupyter who sends it.
pub const LARGEST: u64 = 1 << 28;
/// What a peer says of itself is short.
const LARGEST_COMMAND: u64 = 1 << 12;

/// Introduces a socket of the type `own` to a peer of one of the types `others`; returns the peer's
/// identity, which may be empty.
pub async fn shake_hands(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    own: &str,
    others: &[&str],
) -> Result<Bytes> {
    let mut greeting = [0; GREETING];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..32].copy_from_slice(MECHANISM);
    stream.write_all(&greeting).await?;
    let mut greeting = [0; GREETING];
    stream.read_exact(&mut greeting).await?;
    if (greeting[0], greeting[9]) != (0xff, 0x7f) || greeting[10] < 3 {
        return Err(wrong("not a greeting of ZMTP 3"));
    }
    if &greeting[12..32] != MECHANISM {
        return Err(wrong("another mechanism than NULL"));
    }
    let mut ready = BytesMut::from(&b"\x05READY"[..]);
    property(&mut ready, "Socket-Type", own.as_bytes());
    stream.write_all(&frame(COMMAND, &ready)).await?;
    let (flags, body) = read_frame(stream, LARGEST_COMMAND).await?;
    let properties = body.strip_prefix(b"\x05READY").filter(|_| flags & COMMAND != 0);
    let properties = read_properties(properties.ok_or_else(|| wrong("not ready"))?);
    let value = |name: &str| {
        let mut all = properties.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    };
    let other = value("Socket-Type").unwrap_or_default();
    if !others.iter().any(|name| name.as_bytes() == other) {
        return Err(wrong("a socket of another type"));
    }
    Ok(Bytes::copy_from_slice(value("Identity").unwrap_or_default()))
}

fn property(command: &mut BytesMut, name: &str, value: &[u8]) {
    command.put_u8(name.len() as u8);
    command.put_slice(name.as_bytes());
    command.put_u32(value.len() as u32);
    command.put_slice(value);
}

/// Names and values, up to the first that is not whole.
fn read_properties(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = vec![];
    while let Some((&length, rest)) = bytes.split_first()
        && let Some((name, rest)) = rest.split_at_checked(length.into())
        && let Some((length, rest)) = rest.split_first_chunk()
        && let Some((value, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)
    {
        found.push((name, value));
        bytes = rest;
    }
    found
}

/// Waits for the frames of the next message. Commands are passed over.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<Bytes>> {
    let mut frames = vec![];
    let mut left = LARGEST;
    loop {
        let (flags, body) = read_frame(stream, left).await?;
        if flags & COMMAND != 0 {
            continue;
        }
        // Empty frames count, too.
        left = left.saturating_sub(body.len() as u64 + 64);
        frames.push(Bytes::from(body));
        if flags & MORE == 0 {
            return Ok(frames);
        }
    }
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin), largest: u64) -> Result<(u8, Vec<u8>)> {
    let flags = stream.read_u8().await?;
    let length = match flags & LONG {
        0 => stream.read_u8().await?.into(),
        _ => stream.read_u64().await?,
    };
    if length > largest {
        return Err(wrong("a message that is too large"));
    }
    // Memory is taken as bytes come: the length is no more than a promise.
    let mut body = vec![];
    stream.take(length).read_to_end(&mut body).await?;
    if body.len() as u64 != length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok((flags, body))
}

/// A message as it is sent.
pub fn encode(frames: &[Bytes]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(frames.iter().map(|frame| frame.len() + 9).sum());
    for (i, body) in frames.iter().enumerate() {
        let more = if i + 1 < frames.len() { MORE } else { 0 };
        put_frame(&mut bytes, more, body);
    }
    bytes.freeze()
}

fn frame(flags: u8, body: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    put_frame(&mut bytes, flags, body);
    bytes
}

fn put_frame(bytes: &mut BytesMut, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(length) => bytes.put_slice(&[flags, length]),
        Err(_) => {
            bytes.put_u8(flags | LONG);
            bytes.put_u64(body.len() as u64);
        }
    }
    bytes.put_slice(body);
}

fn wrong(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    }

    #[test]
    fn what_is_encoded_is_read() {
        let frames: Vec<Bytes> = [0, 1, 255, 256, 70_000].map(|n| vec![7; n].into()).into();
        let mut bytes = frame(COMMAND, b"\x04PING").to_vec();
        bytes.extend_from_slice(&encode(&frames));
        assert_eq!(run(read_message(&mut &bytes[..])).unwrap(), frames);
        for length in 0..bytes.len().min(2000) {
            assert!(run(read_message(&mut &bytes[..length])).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn sizes_that_are_only_claimed_take_no_memory() {
        for length in [LARGEST + 1, u64::MAX] {
            let mut bytes = vec![LONG];
            bytes.extend_from_slice(&length.to_be_bytes());
            let error = run(read_message(&mut &bytes[..])).unwrap_err();
            assert!(error.to_string().contains("too large"), "{error}");
        }
        // As many empty frames as one likes are a message that is too large as well.
        let mut bytes = [MORE, 0].repeat(LARGEST as usize / 64 + 2);
        bytes.push(MORE);
        bytes.push(1);
        bytes.push(0);
        assert!(run(read_message(&mut &bytes[..])).is_err());
    }

    async fn greeted_by(peer: Vec<u8>) -> Result<Bytes> {
        let (mut own, mut other) = tokio::io::duplex(1 << 16);
        other.write_all(&peer).await?;
        other.shutdown().await?;
        shake_hands(&mut own, "ROUTER", &["DEALER", "REQ"]).await
    }

    fn greeting(version: u8, mechanism: &str, command: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; GREETING];
        (bytes[0], bytes[9], bytes[10]) = (0xff, 0x7f, version);
        bytes[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
        bytes.extend_from_slice(&frame(COMMAND, command));
        bytes
    }

    fn ready(kind: &str, identity: &[u8]) -> Vec<u8> {
        let mut command = BytesMut::from(&b"\x05READY"[..]);
        property(&mut command, "socket-type", kind.as_bytes());
        property(&mut command, "Identity", identity);
        command.to_vec()
    }

    #[test]
    fn peers_of_another_kind_are_refused() {
        let good = greeting(3, "NULL", &ready("DEALER", b"me"));
        assert_eq!(run(greeted_by(good.clone())).unwrap(), "me");
        for length in 0..good.len() {
            assert!(run(greeted_by(good[..length].to_vec())).is_err(), "{length} bytes");
        }
        for wrong in [
            greeting(2, "NULL", &ready("DEALER", b"")),
            greeting(3, "PLAIN", &ready("DEALER", b"")),
            greeting(3, "NULL", &ready("SUB", b"")),
            greeting(3, "NULL", b"\x05ERROR\x02no"),
            greeting(3, "NULL", b"\x05READY"),
            b"GET / HTTP/1.1\r\nHost: localhost:8888\r\nUser-Agent: something that is no client\r\n".to_vec(),
        ] {
            assert!(run(greeted_by(wrong)).is_err());
        }
    }
}
