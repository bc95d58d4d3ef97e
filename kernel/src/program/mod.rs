pub mod failure;
pub mod handshake;
pub mod inside;
pub mod streams;
