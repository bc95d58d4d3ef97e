//! Two queues with one end. What a reader asks for, above all the stop button, does not wait behind what
//! a program prints, which waits for clients to read.

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Where inputs come in.
pub struct Inputs<T> {
    /// Requests, and what passes within the kernel.
    pub requests: Sender<T>,
    /// What the program prints and evcxr sends, in order.
    pub output: Sender<T>,
}

impl<T> Clone for Inputs<T> {
    fn clone(&self) -> Inputs<T> {
        Inputs { requests: self.requests.clone(), output: self.output.clone() }
    }
}

pub struct Queue<T> {
    requests: Receiver<T>,
    output: Receiver<T>,
}

pub fn queue<T>() -> (Inputs<T>, Queue<T>) {
    let (requests, from_requests) = channel(64);
    // Short, as a program may print faster than a page shows it.
    let (output, from_output) = channel(8);
    (Inputs { requests, output }, Queue { requests: from_requests, output: from_output })
}

impl<T> Queue<T> {
    /// The next input: a request, if there is one, or output, as soon as there is `room` for it.
    pub async fn next(&mut self, room: impl Future<Output = ()>) -> Option<T> {
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

    /// C7: the stop button is polled with priority, and does not wait for room.
    #[tokio::test(flavor = "current_thread")]
    async fn requests_come_before_output_and_need_no_room() {
        let (inputs, mut queue) = queue();
        inputs.output.send("output").await.unwrap();
        for _ in 0..40 {
            inputs.requests.send("request").await.unwrap();
        }
        for i in 0..40 {
            let input =
                if i % 2 == 0 { queue.next(ready(())).await } else { queue.next(pending()).await };
            assert_eq!(input, Some("request"));
        }
        assert_eq!(queue.next(ready(())).await, Some("output"));
        drop(inputs);
        assert!(queue.next(ready(())).await.is_none());
    }

    /// Output is not lost when a request comes while it waits for room.
    #[tokio::test(flavor = "current_thread")]
    async fn what_is_interrupted_is_not_lost() {
        let (inputs, mut queue) = queue();
        inputs.output.send("output").await.unwrap();
        let send = inputs.requests.clone();
        tokio::spawn(async move { send.send("request").await });
        assert_eq!(queue.next(pending()).await, Some("request"));
        assert_eq!(queue.next(ready(())).await, Some("output"));
    }
}
