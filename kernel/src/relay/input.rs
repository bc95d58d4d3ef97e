//! What the relay's queue holds.

use std::time::Duration;

use crate::engine::process;
use crate::jupyter::clients;
use crate::program::{handshake, streams};
use crate::relay::start;

/// All events that the relay acts upon.
pub enum Input {
    Jupyter(clients::Event),
    Evcxr(process::Event),
    Program(streams::Event),
    Work(handshake::Event),
    Start(start::Event),
    /// It is time to show what the cell of this request waits for.
    Progress(String),
    /// The cell of this request was asked to stop this long ago.
    Asked(String, Duration),
    /// The process that has started this kernel is gone.
    Orphaned,
}

impl From<clients::Event> for Input {
    fn from(event: clients::Event) -> Input {
        Input::Jupyter(event)
    }
}

impl From<process::Event> for Input {
    fn from(event: process::Event) -> Input {
        Input::Evcxr(event)
    }
}

impl From<streams::Event> for Input {
    fn from(event: streams::Event) -> Input {
        Input::Program(event)
    }
}

impl From<handshake::Event> for Input {
    fn from(event: handshake::Event) -> Input {
        Input::Work(event)
    }
}

impl From<start::Event> for Input {
    fn from(event: start::Event) -> Input {
        Input::Start(event)
    }
}
