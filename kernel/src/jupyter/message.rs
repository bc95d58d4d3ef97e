//! Jupyter's messages on ZeroMQ: frames, signatures, and replies.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use jupyter_protocol::messaging::{Header, JupyterMessage, UnknownMessage};
use serde_json::{Value, json};
use sha2::Sha256;
use zeromq::ZmqMessage;

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Signs messages and checks signatures; an empty key means that there are none.
#[derive(Clone)]
pub struct Key(Option<Hmac<Sha256>>);

impl Key {
    pub fn new(key: &str) -> Result<Key> {
        if key.is_empty() {
            return Ok(Key(None));
        }
        Ok(Key(Some(Hmac::new_from_slice(key.as_bytes()).context("a key for signatures")?)))
    }

    fn mac<'a>(&self, parts: impl Iterator<Item = &'a Bytes>) -> Option<Hmac<Sha256>> {
        let mut mac = self.0.clone()?;
        parts.for_each(|part| mac.update(part));
        Some(mac)
    }
}

/// A message whose parts are kept as they came, so that nothing in them is lost on the way.
#[derive(Clone)]
pub struct Message {
    identities: Vec<Bytes>,
    header: Bytes,
    parent_header: Bytes,
    metadata: Bytes,
    content: Bytes,
    buffers: Vec<Bytes>,
    parsed: Header,
}

impl Message {
    /// Takes the frames apart, if the signature is right.
    pub fn open(frames: ZmqMessage, key: &Key) -> Result<Message> {
        let frames = frames.into_vec();
        let delimiter = frames.iter().position(|frame| &frame[..] == DELIMITER);
        let delimiter = delimiter.context("no delimiter")?;
        let [signature, parts @ ..] = &frames[delimiter + 1..] else { bail!("no signature") };
        let [header, parent_header, metadata, content, buffers @ ..] = parts else {
            bail!("{} parts, expected 4 or more", parts.len());
        };
        // Buffers are not signed.
        if let Some(mac) = key.mac(parts[..4].iter()) {
            let signature = hex::decode(signature).context("the signature is not hexadecimal")?;
            mac.verify_slice(&signature).context("the signature is wrong")?;
        }
        Ok(Message {
            identities: frames[..delimiter].to_vec(),
            parsed: serde_json::from_slice(header).context("the header")?,
            header: header.clone(),
            parent_header: parent_header.clone(),
            metadata: metadata.clone(),
            content: content.clone(),
            buffers: buffers.to_vec(),
        })
    }

    /// The frames, signed.
    pub fn seal(&self, key: &Key) -> ZmqMessage {
        let parts = [&self.header, &self.parent_header, &self.metadata, &self.content];
        let mac = key.mac(parts.into_iter());
        let signature = mac.map(|mac| hex::encode(mac.finalize().into_bytes()));
        let mut frames = self.identities.clone();
        frames.push(DELIMITER.into());
        frames.push(signature.unwrap_or_default().into());
        frames.extend(parts.into_iter().cloned());
        frames.extend(self.buffers.iter().cloned());
        let mut message = ZmqMessage::from(frames.remove(0));
        frames.into_iter().for_each(|frame| message.push_back(frame));
        message
    }

    pub fn message_type(&self) -> &str {
        &self.parsed.msg_type
    }

    pub fn id(&self) -> &str {
        &self.parsed.msg_id
    }

    /// Whether this one goes with the other, as its reply or as what is published for it.
    pub fn is_child_of(&self, other: &Message) -> bool {
        self.parent().is_some_and(|parent| parent.msg_id == other.parsed.msg_id)
    }

    /// The type of the request that it goes with, if it goes with one.
    pub fn parent_type(&self) -> Option<String> {
        Some(self.parent()?.msg_type)
    }

    fn parent(&self) -> Option<Header> {
        serde_json::from_slice(&self.parent_header).ok()
    }

    /// Whether it is for a certain client.
    pub fn has_client(&self) -> bool {
        !self.identities.is_empty()
    }

    /// The content; null if it is not JSON.
    pub fn content(&self) -> Value {
        serde_json::from_slice(&self.content).unwrap_or_default()
    }

    /// Whether it shows `()`, the value of what has none. A result can be large: only its size is
    /// looked at first.
    pub fn is_unit(&self) -> bool {
        self.content.len() < 200 && self.content()["data"] == json!({"text/plain": "()"})
    }

    pub fn set_content(&mut self, content: &Value) {
        self.content = content.to_string().into();
    }

    /// A message of ours that goes with no request.
    pub fn new(message_type: &str, content: &Value) -> Message {
        let kind = UnknownMessage { msg_type: message_type.into(), ..Default::default() };
        let parsed = Header { username: "kernel".into(), ..JupyterMessage::new(kind, None).header };
        Message {
            identities: vec![],
            header: json!(parsed).to_string().into(),
            parent_header: "{}".into(),
            metadata: "{}".into(),
            content: content.to_string().into(),
            buffers: vec![],
            parsed,
        }
    }

    /// A message for all clients that goes with this request.
    pub fn child(&self, message_type: &str, content: &Value) -> Message {
        let mut child = Message::new(message_type, content);
        child.parsed.session.clone_from(&self.parsed.session);
        child.header = json!(child.parsed).to_string().into();
        child.parent_header = self.header.clone();
        child
    }

    /// Another message that goes with the same request as this one.
    pub fn sibling(&self, message_type: &str, content: &Value) -> Message {
        Message { parent_header: self.parent_header.clone(), ..Message::new(message_type, content) }
    }

    /// The same for one client.
    pub fn to(self, client: Bytes) -> Message {
        Message { identities: vec![client], ..self }
    }

    /// The reply to this request, for the client that sent it.
    pub fn reply(&self, content: &Value) -> Message {
        let message_type = self.message_type().replace("_request", "_reply");
        Message { identities: self.identities.clone(), ..self.child(&message_type, content) }
    }
}

/// Adds the content of an `error` message to that of a reply.
pub fn add_error(reply: &mut Value, error: &Value) {
    for name in ["ename", "evalue", "traceback"] {
        reply[name] = error[name].clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Message {
        let mut message = Message::new("execute_request", &json!({"code": "1 + 1"}));
        message.identities = vec!["client".into()];
        message.buffers = vec!["raw".into()];
        message
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let (key, other) = (Key::new("a").unwrap(), Key::new("b").unwrap());
        let message = Message::open(request().seal(&key), &key).unwrap();
        assert_eq!(message.content()["code"], "1 + 1");
        assert_eq!(
            (message.message_type(), &message.buffers[0][..]),
            ("execute_request", &b"raw"[..])
        );
        assert_eq!(message.identities, ["client"]);
        let wrong = Message::open(request().seal(&key), &other).err().unwrap();
        assert!(format!("{wrong:#}").contains("the signature is wrong"), "{wrong:#}");
        let unsigned = Key::new("").unwrap();
        assert!(Message::open(request().seal(&unsigned), &unsigned).is_ok());
        assert!(Message::open(request().seal(&unsigned), &key).is_err());
    }

    #[test]
    fn parts_go_through_as_they_came() {
        let key = Key::new("a").unwrap();
        let mut odd = request();
        odd.content = r#"{ "code":"x",  "unknown": [1e400] }"#.into();
        let opened = Message::open(odd.seal(&key), &key).unwrap();
        assert_eq!(opened.content, odd.content);
        assert_eq!(opened.header, odd.header);
    }

    #[test]
    fn damaged_messages_are_refused() {
        let key = Key::new("a").unwrap();
        let whole = request().seal(&key).into_vec();
        for length in 1..whole.len() - 1 {
            let mut frames = ZmqMessage::from(whole[0].clone());
            whole[1..length].iter().for_each(|frame| frames.push_back(frame.clone()));
            assert!(Message::open(frames, &key).is_err(), "{length} frames");
        }
    }

    #[test]
    fn replies_name_their_request() {
        let request = request();
        let reply = request.reply(&json!({"status": "ok"}));
        assert_eq!(reply.message_type(), "execute_reply");
        assert!(reply.is_child_of(&request) && reply.identities == ["client"]);
        let child = request.child("stream", &json!({}));
        assert!(child.is_child_of(&request) && child.identities.is_empty());
        assert_ne!(child.id(), request.id());
        assert!(!child.is_child_of(&reply));
    }
}
