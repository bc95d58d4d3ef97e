//! The stop button.
//!
//! A cell is asked first: a file appears, for which the cell's own loops look, and the crate's between
//! two batches. What is being compiled ends, as with Ctrl-C in a terminal. A program that does not stop
//! by itself can only be ended, which loses its variables: the reader is asked for a second press first.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::sleep;

use crate::jupyter::message::Message;
use crate::program::failure::Failure;
use crate::relay::Relay;
use crate::relay::input::Input;

/// When the reader is told that the cell has not stopped yet.
const NOTICE: Duration = Duration::from_secs(2);
/// How long a cell may take to stop, until its reader is offered to end it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one that is known to check the stop button: a batch can take long.
const LISTENING_PATIENCE: Duration = Duration::from_secs(60);

/// What the reader was told after pressing the stop button.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub enum Told {
    Nothing,
    /// That the cell has not stopped yet.
    NotYet,
    /// That only ending the program would stop it.
    Offer,
}

impl Relay {
    /// The stop button was pressed. Nothing is lost where no cell is executed.
    pub fn interrupt(&mut self) {
        let Some(cell) = &mut self.cell else {
            let failure = Failure::new("Interrupted", "stopped before the kernel had started");
            return self.fail_waiting(&failure);
        };
        if cell.asked_to_stop {
            return self.interrupt_again();
        }
        cell.asked_to_stop = true;
        let id = cell.request.id().to_string();
        if let Err(error) = std::fs::write(self.settings.interrupt_file(), "") {
            eprintln!("d2l-kernel: the program cannot be asked to stop: {error}");
        }
        self.signal_work(Signal::INT);
        self.end_input();
        let inputs = self.inputs.requests.clone();
        tokio::spawn(async move {
            let mut before = Duration::ZERO;
            for time in [NOTICE, PATIENCE, LISTENING_PATIENCE] {
                sleep(time - before).await;
                before = time;
                let _ = inputs.send(Input::Asked(id.clone(), time)).await;
            }
        });
    }

    /// A cell was asked to stop this long ago, and may have stopped since.
    pub fn on_asked(&mut self, id: &str, time: Duration) {
        let Some(cell) = self.cell.as_mut().filter(|cell| cell.request.id() == id) else { return };
        let patience = if cell.listening { LISTENING_PATIENCE } else { PATIENCE };
        if time >= patience {
            if cell.running && cell.told < Told::Offer {
                self.offer_to_end();
            }
        } else if cell.told == Told::Nothing {
            cell.told = Told::NotYet;
            let text = match (cell.running, cell.listening) {
                (true, true) => "The cell was asked to stop, and will at its next batch.",
                (true, false) => "The cell was asked to stop; so far it has not looked.",
                (false, _) => "The cell will stop at the compiler's next step.",
            };
            self.tell(text);
        }
    }

    /// The button was pressed for a cell that was asked already.
    fn interrupt_again(&mut self) {
        let Some(cell) = &self.cell else { return };
        match (cell.running, cell.told) {
            (false, _) => self.signal_work(Signal::KILL),
            // A double click is one press.
            (true, Told::Nothing) => {}
            (true, Told::NotYet) => self.offer_to_end(),
            (true, Told::Offer) => self.end_program(),
        }
    }

    /// Nothing is lost without the reader's consent.
    fn offer_to_end(&mut self) {
        let Some(cell) = &mut self.cell else { return };
        cell.told = Told::Offer;
        let how = match cell.listening {
            true => "The cell has not come to its next batch.",
            false => "The cell does not look at the stop button.",
        };
        self.tell(&format!(
            "{how} Press it again to end Rust's process, which loses all variables; or wait."
        ));
    }

    fn tell(&self, text: &str) {
        let Some(cell) = &self.cell else { return };
        let content = json!({"name": "stderr", "text": format!("{text}\n")});
        self.jupyter.publish_for(&cell.request, "stream", &content);
    }

    /// What evcxr does when it is interrupted: the program ends, with all variables.
    fn end_program(&mut self) {
        let Some(cell) = &mut self.cell else { return };
        cell.ended_because = Some("stop was pressed again, so Rust's process was ended".into());
        if let Some(evcxr) = self.engine.up() {
            let request = Message::new("interrupt_request", &json!({}));
            evcxr.control(&request);
        }
    }

    /// evcxr does not notice the end of a program that waits for input, so it gets an empty one.
    fn end_input(&mut self) {
        if std::mem::take(&mut self.asks_for_input)
            && let Some(evcxr) = self.engine.up()
        {
            let nothing = Message::new("input_reply", &json!({"status": "ok", "value": ""}));
            evcxr.stdin(&nothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;
    use crate::engine::process::Settings;
    use crate::engine::shims::Work;
    use crate::jupyter::clients;
    use crate::jupyter::message::Key;
    use crate::jupyter::sockets::Sockets;
    use crate::program::handshake;
    use crate::program::streams::Event;
    use crate::queue;

    /// A relay whose evcxr has not started, and the folder that it works in.
    fn relay() -> (Relay, Arc<tempfile::TempDir>) {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let settings = Settings { folder: None, base: None, scratch: folder.path().to_path_buf() };
        let (inputs, _) = queue::queue();
        let jupyter = Sockets::unconnected(Key::new("key").unwrap());
        (Relay::new(jupyter, inputs, settings), folder)
    }

    fn request(kind: &str) -> Message {
        Message::new(kind, &json!({"code": "1"})).to("client".into())
    }

    /// A relay that executes a cell, whose id is returned.
    fn busy() -> (Relay, Arc<tempfile::TempDir>, String) {
        let (mut relay, folder) = relay();
        let request = request("execute_request");
        let id = request.id().to_string();
        relay.begin(request);
        (relay, folder, id)
    }

    fn press(relay: &mut Relay) {
        let message = request("interrupt_request").seal(&Key::new("key").unwrap());
        assert!(relay.on_input(clients::Event::Control(message).into()).unwrap().is_continue());
    }

    fn says(relay: &mut Relay, event: Event) {
        assert!(relay.on_input(Input::Program(event)).unwrap().is_continue());
    }

    fn asked(relay: &mut Relay, id: &str, time: Duration) {
        assert!(relay.on_input(Input::Asked(id.to_string(), time)).unwrap().is_continue());
    }

    fn is_offered(relay: &Relay) -> bool {
        relay.cell.as_ref().unwrap().told == Told::Offer
    }

    fn reason(relay: &Relay) -> Option<&str> {
        relay.cell.as_ref().unwrap().ended_because.as_deref()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_cell_is_asked_first_and_its_reader_before_it_is_ended() {
        for early in [true, false] {
            let (mut relay, _folder, id) = busy();
            says(&mut relay, Event::Running);
            press(&mut relay);
            assert!(relay.settings.interrupt_file().exists());
            // A double click.
            press(&mut relay);
            assert!(!is_offered(&relay));
            asked(&mut relay, &id, NOTICE);
            assert!(!is_offered(&relay));
            match early {
                true => press(&mut relay),
                false => asked(&mut relay, &id, PATIENCE),
            }
            assert!(is_offered(&relay));
            // However long the reader takes to decide.
            asked(&mut relay, &id, LISTENING_PATIENCE);
            assert_eq!(reason(&relay), None);
            press(&mut relay);
            assert!(reason(&relay).unwrap().contains("pressed again"));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn who_looks_for_the_button_has_more_time() {
        for (listens, last) in [(false, PATIENCE), (true, LISTENING_PATIENCE)] {
            let (mut relay, _folder, id) = busy();
            says(&mut relay, Event::Running);
            press(&mut relay);
            // It may begin to check after the button was pressed.
            if listens {
                says(&mut relay, Event::Listening);
            }
            for time in [NOTICE, PATIENCE, LISTENING_PATIENCE] {
                asked(&mut relay, "another cell", time);
                assert_eq!(is_offered(&relay), time > last);
                asked(&mut relay, &id, time);
                assert_eq!(is_offered(&relay), time >= last);
                assert_eq!(reason(&relay), None);
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_compiled_or_not_begun_yet_does_not_begin() {
        let (mut relay, _folder, id) = busy();
        let begins = |relay: &mut Relay, pid| {
            let (reply, mut replied) = oneshot::channel();
            assert!(
                relay
                    .on_input(handshake::Event::Begins(Work::Build, pid, reply).into())
                    .unwrap()
                    .is_continue()
            );
            replied.try_recv().unwrap()
        };
        // No process has this number.
        let nobody = i32::MAX as u32;
        assert!(begins(&mut relay, nobody));
        assert_eq!(relay.work.len(), 1);
        press(&mut relay);
        assert!(!begins(&mut relay, nobody - 1));
        // There is no program to end.
        asked(&mut relay, &id, LISTENING_PATIENCE);
        press(&mut relay);
        assert!(!is_offered(&relay) && reason(&relay).is_none());
        assert!(relay.on_input(handshake::Event::Ends(nobody).into()).unwrap().is_continue());
        assert!(relay.work.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn without_a_cell_nothing_is_asked() {
        let (mut relay, _folder) = relay();
        press(&mut relay);
        assert!(!relay.settings.interrupt_file().exists());
        asked(&mut relay, "a cell that has ended", PATIENCE);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_reply_to_a_request_to_end_comes_after_the_end() {
        let (mut relay, _folder, _) = busy();
        let message = request("shutdown_request").seal(&Key::new("key").unwrap());
        let flow = relay.on_input(clients::Event::Control(message).into()).unwrap();
        let farewell = flow.break_value().unwrap().unwrap();
        assert_eq!(farewell.message_type(), "shutdown_reply");
        assert!(relay.on_input(Input::Orphaned).unwrap().break_value().unwrap().is_none());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_message_that_cannot_be_read_is_an_error_and_no_end() {
        let (mut relay, _folder) = relay();
        for event in [clients::Event::Shell, clients::Event::Control, clients::Event::Stdin] {
            let message = request("execute_request").seal(&Key::new("another").unwrap());
            let error = relay.on_input(event(message).into()).err().unwrap();
            assert!(format!("{error:#}").contains("the signature is wrong"), "{error:#}");
        }
    }
}
