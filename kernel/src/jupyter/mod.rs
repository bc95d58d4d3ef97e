//! Jupyter's side: connection files, messages, and the sockets that its clients connect to.

pub mod clients;
pub mod connection;
pub mod message;
mod outbox;
pub mod sockets;
mod zmtp;
