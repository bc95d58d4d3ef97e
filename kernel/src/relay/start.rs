//! How evcxr comes up: a build folder is taken, evcxr is started in it, and cells that come meanwhile wait
//! and say for what.

use std::time::Duration;

use anyhow::Result;
use d2l_common::variables::KERNEL_TEMPLATE;
use serde_json::json;
use tokio::time::sleep;

use crate::engine::build_folder::{self, BuildFolder};
use crate::engine::process::{self, Evcxr, Settings};
use crate::environment::is_set;
use crate::jupyter::message::Message;
use crate::program::failure::Failure;
use crate::queue::Inputs;
use crate::relay::Relay;
use crate::relay::cells::EXECUTE;
use crate::relay::input::Input;
use crate::relay::progress::notice;

const STARTING: &str = "Starting the kernel ...";
/// A shorter wait is not announced.
const SHORT: Duration = Duration::from_secs(1);

/// What happens while evcxr starts.
pub enum Event {
    /// This is being done now.
    Step(String),
    /// It has started, or has not.
    Done(Box<Result<Started>>),
    /// This request has waited for so long that its reader wants to know why.
    Waiting(String),
}

/// evcxr, and the build folder that was taken for it, if there was none before.
pub struct Started {
    evcxr: Evcxr,
    folder: Option<BuildFolder>,
}

/// Whether there is an evcxr.
pub enum Engine {
    Down,
    Starting {
        /// What is being done.
        step: String,
        /// The request whose reader was shown that.
        shown_for: Option<Message>,
    },
    Up(Evcxr),
}

impl Engine {
    pub fn up(&self) -> Option<&Evcxr> {
        match self {
            Engine::Up(evcxr) => Some(evcxr),
            _ => None,
        }
    }
}

impl Relay {
    pub fn start(&mut self) {
        self.engine = Engine::Starting { step: STARTING.into(), shown_for: None };
        let (inputs, settings) = (self.inputs.clone(), self.settings.clone());
        let has_folder = self.folder.is_some();
        tokio::spawn(async move {
            let started = start(settings, has_folder, &inputs).await;
            let _ = inputs.requests.send(Event::Done(Box::new(started)).into()).await;
        });
    }

    pub fn on_start(&mut self, event: Event) {
        match event {
            Event::Step(step) => self.on_step(step),
            Event::Done(started) => self.on_started(*started),
            Event::Waiting(id) => self.on_waiting(&id),
        }
    }

    fn on_step(&mut self, new: String) {
        if let Engine::Starting { step, shown_for } = &mut self.engine {
            if let Some(request) = shown_for {
                let content = notice("start", request, &new);
                self.jupyter.publish_for(request, "update_display_data", &content);
            }
            *step = new;
        }
    }

    /// Has its reader told what a cell waits for, if it still does after a while.
    pub fn watch_start(&self, request: &Message) {
        let (inputs, id) = (self.inputs.requests.clone(), request.id().to_string());
        tokio::spawn(async move {
            sleep(SHORT).await;
            let _ = inputs.send(Event::Waiting(id).into()).await;
        });
    }

    fn on_waiting(&mut self, id: &str) {
        let first = self.waiting.iter().find(|request| request.message_type() == EXECUTE);
        if let Some(request) = first.filter(|request| request.id() == id)
            && let Engine::Starting { step, shown_for } = &mut self.engine
        {
            self.jupyter.publish_state(request, "busy");
            self.jupyter.publish_for(request, "display_data", &notice("start", request, step));
            *shown_for = Some(request.clone());
        }
    }

    fn on_started(&mut self, started: Result<Started>) {
        self.begun = self.take_notice_back();
        match started {
            Ok(Started { evcxr, folder }) => {
                self.engine = Engine::Up(evcxr);
                if let Some(folder) = folder {
                    self.settings.folder = Some(folder.path.clone());
                    self.folder = Some(folder);
                }
                self.next();
            }
            Err(error) => {
                self.engine = Engine::Down;
                let todo = "\n  what to do: run `cargo d2l doctor`; then run the cell again";
                let failure = Failure::new("KernelError", format!("{error:#}{todo}"));
                eprintln!("d2l-kernel: {}", failure.message);
                self.fail_waiting(&failure);
            }
        }
    }

    /// Removes what is shown of the start, and returns the request that it was shown for.
    pub fn take_notice_back(&mut self) -> Option<Message> {
        let Engine::Starting { shown_for, .. } = &mut self.engine else { return None };
        let request = shown_for.take()?;
        self.jupyter.publish_for(&request, "clear_output", &json!({"wait": false}));
        Some(request)
    }

    pub fn on_evcxr_ended(&mut self, words: &str) {
        self.engine = Engine::Down;
        // A cell would go on running, and nobody could stop it.
        self.kill_program();
        let text = format!(
            "evcxr ended with {words}\n  what to do: it is started anew; variables, functions and \
             `:dep` are lost: run the cells again from the top"
        );
        eprintln!("d2l-kernel: {text}");
        if let Some(cell) = self.end_cell() {
            let failure = Failure::new("KernelError", text);
            self.jupyter.reply_with_error(&cell.request, &failure.content());
            self.abort_waiting(&cell.request);
        }
        self.start();
    }
}

/// Takes a build folder, if there is none yet, and starts evcxr in it.
async fn start(
    mut settings: Settings,
    has_folder: bool,
    inputs: &Inputs<Input>,
) -> Result<Started> {
    let mut folder = None;
    if let Some(base) = settings.base.clone().filter(|_| !has_folder) {
        let (requests, scratch) = (inputs.requests.clone(), settings.scratch.clone());
        let take = move || match is_set(KERNEL_TEMPLATE) {
            true => build_folder::template(&base),
            false => build_folder::take_free(&base, &scratch, |step| {
                let _ = requests.blocking_send(Event::Step(step.to_string()).into());
            }),
        };
        let taken = tokio::task::spawn_blocking(take).await??;
        settings.folder = Some(taken.path.clone());
        folder = Some(taken);
        let _ = inputs.requests.send(Event::Step(STARTING.into()).into()).await;
    }
    Ok(Started { evcxr: process::start(&settings, inputs).await?, folder })
}
