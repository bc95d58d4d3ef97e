//! The relay's two queues. What a reader asks for, above all the stop button, does not wait behind what
//! a program prints, which waits for clients to read.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::relay::Input;

/// Where inputs come in.
#[derive(Clone)]
pub struct Inputs {
    /// Requests, and what passes within the kernel.
    pub requests: Sender<Input>,
    /// What the program and evcxr say, in order.
    pub output: Sender<Input>,
}

pub struct Queue {
    requests: Receiver<Input>,
    output: Receiver<Input>,
}

pub fn queue() -> (Inputs, Queue) {
    let (requests, from_requests) = channel(64);
    // Short, as a program may print faster than a page shows it.
    let (output, from_output) = channel(8);
    (Inputs { requests, output }, Queue { requests: from_requests, output: from_output })
}

impl Queue {
    /// The next input: a request, if there is one, or output, as soon as there is `room` for it.
    pub async fn next(&mut self, room: impl Future<Output = ()>) -> Option<Input> {
        let output = async {
            room.await;
            self.output.recv().await
        };
        tokio::select! {
            biased;
            Some(input) = self.requests.recv() => Some(input),
            input = output => input,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn name(input: Option<Input>) -> String {
        match input {
            Some(Input::Starting(name)) => name,
            Some(Input::EvcxrEnded(name)) => name,
            _ => panic!("another input"),
        }
    }

    /// C7: the stop button is polled with priority, and does not wait for room.
    #[tokio::test(flavor = "current_thread")]
    async fn requests_come_before_output_and_need_no_room() {
        let (inputs, mut queue) = queue();
        inputs.output.send(Input::EvcxrEnded("output".into())).await.unwrap();
        for _ in 0..40 {
            inputs.requests.send(Input::Starting("request".into())).await.unwrap();
        }
        for i in 0..40 {
            let input =
                if i % 2 == 0 { queue.next(ready(())).await } else { queue.next(pending()).await };
            assert_eq!(name(input), "request");
        }
        assert_eq!(name(queue.next(ready(())).await), "output");
        drop(inputs);
        assert!(queue.next(ready(())).await.is_none());
    }

    /// Output is not lost when a request comes while it waits for room.
    #[tokio::test(flavor = "current_thread")]
    async fn what_is_interrupted_is_not_lost() {
        let (inputs, mut queue) = queue();
        inputs.output.send(Input::EvcxrEnded("output".into())).await.unwrap();
        let send = inputs.requests.clone();
        tokio::spawn(async move { send.send(Input::Starting("request".into())).await });
        assert_eq!(name(queue.next(pending()).await), "request");
        assert_eq!(name(queue.next(ready(())).await), "output");
    }
}
