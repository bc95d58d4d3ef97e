//! The program that runs the cells: its standard streams go through the relay.

pub mod failure;
pub mod handshake;
pub mod inside;
pub mod streams;
