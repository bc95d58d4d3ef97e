//! The sockets that Jupyter's clients connect to. There may be several clients: a page, a console
//! beside it, a program.
//!
//! zeromq's own sockets wait, when they send, until each client has read: one that does not read stops
//! the kernel for all. Here each client has an outbox. To evcxr the relay talks with zeromq's sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use zeromq::ZmqMessage;

use crate::jupyter::outbox::Outbox;
use crate::jupyter::zmtp;

/// How long a peer may take to introduce itself.
const GREETING: Duration = Duration::from_secs(10);

/// What comes from clients.
pub enum Event {
    /// A message on the shell socket.
    Shell(ZmqMessage),
    /// A message on the control socket.
    Control(ZmqMessage),
    /// A message on the socket for input.
    Stdin(ZmqMessage),
    /// This client is subscribed to what is published, under this topic, from now on.
    Subscribed(Bytes, Bytes),
}

/// What a socket is for.
#[derive(Clone, Copy)]
pub enum Role {
    /// Clients send requests, and each gets its own replies.
    Router(fn(ZmqMessage) -> Event),
    /// Clients subscribe to what is published.
    Publisher,
}

/// The clients of one socket.
#[derive(Clone, Default)]
pub struct Clients {
    all: Arc<Mutex<HashMap<Bytes, Client>>>,
}

struct Client {
    outbox: Outbox,
    /// Beginnings of the messages that it is subscribed to.
    subscriptions: Vec<Bytes>,
    /// Tells it from one with the same identity that has come back.
    connection: u64,
}

impl Clients {
    /// Serves all who connect. What they send goes to `inputs`.
    pub fn serve<T>(listener: TcpListener, role: Role, inputs: Sender<T>) -> Clients
    where
        T: From<Event> + Send + 'static,
    {
        let clients = Clients::default();
        let known = clients.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let (known, inputs) = (known.clone(), inputs.clone());
                        tokio::spawn(known.serve_one(stream, connection, role, inputs));
                    }
                    // Too many files are open, perhaps. The client waits.
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            }
        });
        clients
    }

    async fn serve_one<T: From<Event>>(
        self,
        mut stream: TcpStream,
        connection: u64,
        role: Role,
        inputs: Sender<T>,
    ) {
        let (own, others) = match role {
            Role::Router(_) => ("ROUTER", &["DEALER", "REQ", "ROUTER"][..]),
            Role::Publisher => ("PUB", &["SUB", "XSUB"][..]),
        };
        let _ = stream.set_nodelay(true);
        let greeting = timeout(GREETING, zmtp::shake_hands(&mut stream, own, others));
        let Ok(Ok(mut identity)) = greeting.await else { return };
        if identity.is_empty() || matches!(role, Role::Publisher) {
            // As ZeroMQ does: no identity that a client chooses begins with 0.
            identity = [&[0], &connection.to_be_bytes()[..]].concat().into();
        }
        let (reader, writer) = stream.into_split();
        let client = Client { outbox: Outbox::new(writer), subscriptions: vec![], connection };
        self.lock().insert(identity.clone(), client);
        let mut reader = BufReader::new(reader);
        while let Ok(frames) = zmtp::read_message(&mut reader).await {
            let event = match role {
                Role::Router(event) => {
                    let mut message = ZmqMessage::from(identity.clone());
                    frames.into_iter().for_each(|frame| message.push_back(frame));
                    Some(event(message))
                }
                Role::Publisher => {
                    self.subscribe(&identity, &frames);
                    subscription(&frames)
                        .filter(|(begins, _)| *begins)
                        .map(|(_, topic)| Event::Subscribed(identity.clone(), topic))
                }
            };
            if let Some(event) = event
                && inputs.send(event.into()).await.is_err()
            {
                return;
            }
        }
        let mut all = self.lock();
        if all.get(&identity).is_some_and(|client| client.connection == connection) {
            all.remove(&identity);
        }
    }

    fn subscribe(&self, identity: &Bytes, frames: &[Bytes]) {
        let mut all = self.lock();
        let Some(client) = all.get_mut(identity) else { return };
        match subscription(frames) {
            Some((true, topic)) => client.subscriptions.push(topic),
            Some((false, topic)) => {
                if let Some(place) = client.subscriptions.iter().position(|other| *other == topic) {
                    client.subscriptions.remove(place);
                }
            }
            None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Bytes, Client>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message to the client that its first frame names, if it is there.
    pub fn send(&self, message: ZmqMessage) {
        let frames = message.into_vec();
        if let Some((identity, frames)) = frames.split_first()
            && let Some(client) = self.lock().get_mut(identity)
        {
            client.outbox.push(zmtp::encode(frames));
        }
    }

    /// Sends a message that clients wait for to all that are subscribed.
    pub fn publish(&self, message: ZmqMessage) {
        self.to_subscribers(message, |outbox, message| outbox.push(message));
    }

    /// Sends a message that hardly anybody waits for to all that are subscribed and not full.
    pub fn publish_in_passing(&self, message: ZmqMessage) {
        self.to_subscribers(message, |outbox, message| outbox.push_in_passing(message));
    }

    /// Sends output to all that are subscribed; to one that does not read, `notice` once.
    pub fn publish_output(&self, message: ZmqMessage, notice: impl Fn() -> ZmqMessage) {
        let notice = || zmtp::encode(&notice().into_vec());
        self.to_subscribers(message, |outbox, message| outbox.push_output(message, notice));
    }

    fn to_subscribers(&self, message: ZmqMessage, send: impl Fn(&mut Outbox, Bytes)) {
        let frames = message.into_vec();
        let topic = frames.first().cloned().unwrap_or_default();
        let message = zmtp::encode(&frames);
        for client in self.lock().values_mut() {
            if client.subscriptions.iter().any(|beginning| topic.starts_with(beginning)) {
                send(&mut client.outbox, message.clone());
            }
        }
    }

    /// Waits until there is room for output with all that read.
    pub async fn room(&self) {
        let full: Vec<_> = self.lock().values().filter_map(|client| client.outbox.full()).collect();
        for client in full {
            client.room().await;
        }
    }

    /// Waits until all was sent to those that read.
    pub async fn drained(&self) {
        while !self.lock().values().all(|client| client.outbox.is_done()) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Whether a subscription begins or ends, and to what.
fn subscription(frames: &[Bytes]) -> Option<(bool, Bytes)> {
    let [frame] = frames else { return None };
    match frame.first()? {
        1 => Some((true, frame.slice(1..))),
        0 => Some((false, frame.slice(1..))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc::{Receiver, channel};
    use tokio::time::Instant;
    use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, SubSocket};

    use super::*;

    async fn serve(role: Role) -> (Clients, u16, Receiver<Event>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (inputs, received) = channel(64);
        (Clients::serve(listener, role, inputs), port, received)
    }

    async fn subscribed(received: &mut Receiver<Event>) -> (Bytes, Bytes) {
        match timeout(Duration::from_secs(5), received.recv()).await.unwrap() {
            Some(Event::Subscribed(client, topic)) => (client, topic),
            _ => panic!("another event"),
        }
    }

    async fn subscriber(port: u16, topic: &str) -> SubSocket {
        let mut socket = SubSocket::new();
        socket.connect(&format!("tcp://127.0.0.1:{port}")).await.unwrap();
        socket.subscribe(topic).await.unwrap();
        socket
    }

    /// A client that does its part of the handshake, and reads nothing from then on.
    async fn stopped(port: u16, own: &str, other: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        zmtp::shake_hands(&mut stream, own, &[other]).await.unwrap();
        stream
    }

    fn piece(number: usize) -> ZmqMessage {
        let mut message = ZmqMessage::from("stream");
        message.push_back(number.to_be_bytes().to_vec().into());
        message.push_back(vec![0; 1 << 16].into());
        message
    }

    fn no_notice() -> ZmqMessage {
        ZmqMessage::from("notice")
    }

    /// C7: beside a subscriber that reads nothing, the others get all, soon.
    #[tokio::test(flavor = "current_thread")]
    async fn a_stopped_subscriber_keeps_nobody_waiting() {
        const PIECES: usize = 2000; // 128 MB
        let (clients, port, mut received) = serve(Role::Publisher).await;
        let mut readers = vec![];
        for _ in 0..2 {
            let mut socket = subscriber(port, "").await;
            subscribed(&mut received).await;
            readers.push(tokio::spawn(async move {
                for number in 0..PIECES {
                    let message = socket.recv().await.unwrap();
                    assert_eq!(message.get(1).unwrap()[..], number.to_be_bytes());
                }
            }));
        }
        let mut stopped = stopped(port, "SUB", "PUB").await;
        stopped.write_all(&zmtp::encode(&[Bytes::from_static(b"\x01")])).await.unwrap();
        subscribed(&mut received).await;
        let start = Instant::now();
        for number in 0..PIECES {
            clients.room().await;
            clients.publish_output(piece(number), no_notice);
        }
        for reader in readers {
            timeout(Duration::from_secs(60), reader).await.unwrap().unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        let waiting = |client: &Client| client.outbox.full().is_some();
        assert_eq!(clients.lock().values().filter(|client| waiting(client)).count(), 1);
        timeout(Duration::from_secs(5), clients.drained()).await.unwrap();
        drop(stopped);
        let end = Instant::now() + Duration::from_secs(5);
        while clients.lock().len() > 2 {
            assert!(Instant::now() < end, "the client is still there");
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn subscribers_get_what_they_are_subscribed_to() {
        let (clients, port, mut received) = serve(Role::Publisher).await;
        let mut some = subscriber(port, "st").await;
        let (client, topic) = subscribed(&mut received).await;
        assert_eq!(topic, "st");
        let mut all = subscriber(port, "").await;
        let (_, topic) = subscribed(&mut received).await;
        assert_eq!(topic, "");
        for message in ["error", "status", "stream"] {
            clients.publish(ZmqMessage::from(message));
        }
        for expected in ["status", "stream"] {
            assert_eq!(some.recv().await.unwrap().get(0).unwrap(), expected);
        }
        for expected in ["error", "status", "stream"] {
            assert_eq!(all.recv().await.unwrap().get(0).unwrap(), expected);
        }
        // To one client alone, whatever it is subscribed to.
        let mut message = ZmqMessage::from(client);
        message.push_back("welcome".into());
        clients.send(message);
        assert_eq!(some.recv().await.unwrap().get(0).unwrap(), "welcome");
        some.unsubscribe("st").await.unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while clients.lock().values().any(|client| client.subscriptions == ["st"]) {
            assert!(Instant::now() < end, "it is still subscribed");
            sleep(Duration::from_millis(5)).await;
        }
        assert!(received.try_recv().is_err());
    }

    async fn dealer(port: u16) -> DealerSocket {
        let mut socket = DealerSocket::new();
        socket.connect(&format!("tcp://127.0.0.1:{port}")).await.unwrap();
        socket
    }

    async fn requested(received: &mut Receiver<Event>) -> ZmqMessage {
        match timeout(Duration::from_secs(5), received.recv()).await.unwrap() {
            Some(Event::Shell(message)) => message,
            _ => panic!("another event"),
        }
    }

    /// C7: replies that a client does not read keep no other client waiting, nor whoever replies.
    #[tokio::test(flavor = "current_thread")]
    async fn replies_go_to_who_has_asked() {
        let (clients, port, mut received) = serve(Role::Router(Event::Shell)).await;
        let (mut one, mut other) = (dealer(port).await, dealer(port).await);
        let mut stopped = stopped(port, "DEALER", "ROUTER").await;
        stopped.write_all(&zmtp::encode(&["never".into()])).await.unwrap();
        let never = requested(&mut received).await;
        for _ in 0..1000 {
            let mut reply = ZmqMessage::from(never.get(0).unwrap().clone());
            reply.push_back(vec![0; 1 << 16].into());
            clients.send(reply);
        }
        one.send("one".into()).await.unwrap();
        let first = requested(&mut received).await;
        other.send("other".into()).await.unwrap();
        let second = requested(&mut received).await;
        assert_ne!(first.get(0), second.get(0));
        for message in [second, first] {
            assert_eq!(message.len(), 2);
            clients.send(message);
        }
        assert_eq!(one.recv().await.unwrap().get(0).unwrap(), "one");
        assert_eq!(other.recv().await.unwrap().get(0).unwrap(), "other");
        // No client has this identity.
        clients.send(ZmqMessage::from("nobody"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_speaks_something_else_is_sent_away() {
        let (clients, port, mut received) = serve(Role::Router(Event::Shell)).await;
        for words in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0xff; 200], &[0; 200]] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = stream.write_all(&words.repeat(4)).await;
            let mut reply = vec![];
            let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut reply)).await.unwrap();
            assert!(reply.len() <= 128, "{reply:?}");
        }
        assert!(clients.lock().is_empty());
        let mut good = dealer(port).await;
        good.send("good".into()).await.unwrap();
        assert_eq!(requested(&mut received).await.get(1).unwrap(), "good");
    }
}
