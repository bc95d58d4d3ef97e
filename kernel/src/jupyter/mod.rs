pub mod clients;
pub mod connection;
pub mod message;
pub mod outbox;
pub mod zmtp;
