//! What evcxr waits for: builds and shells, in processes of their own.

use rustix::process::{Signal, kill_process_group};

use crate::program::handshake::Event;
use crate::relay::{Relay, pid_of};

impl Relay {
    pub fn on_work(&mut self, event: Event) {
        match event {
            Event::Begins(work, pid, reply) => {
                if let Some(cell) = &mut self.cell {
                    cell.progress.work = Some(work);
                }
                let stopped = self.cell.as_ref().is_some_and(|cell| cell.asked_to_stop);
                if !stopped {
                    self.work.extend(pid_of(pid));
                }
                let _ = reply.send(!stopped);
            }
            Event::Ends(pid) => {
                self.work.retain(|&work| Some(work) != pid_of(pid));
                if let (Some(cell), true) = (&mut self.cell, self.work.is_empty()) {
                    cell.progress.work = None;
                }
            }
        }
    }

    pub fn signal_work(&self, signal: Signal) {
        for &work in &self.work {
            let _ = kill_process_group(work, signal);
        }
    }
}
