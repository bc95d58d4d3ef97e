//! A step or a test that fails leaves the network as it was (d2l: section 14.1.3).

use std::sync::atomic::Ordering;

use tch::Tensor;

use crate::Result;
use crate::nn::{Module, Part, copy, walk};
use crate::optim::forget_gradients;

/// What computing with a network changes before its result is known to be good. It is put back when
/// this is dropped, even by a panic in a layer, unless all went well.
pub(super) struct Undo<'a> {
    net: &'a dyn Module,
    /// Whether each part trains, in order.
    modes: Vec<bool>,
    /// Each buffer and its values.
    buffers: Vec<(Tensor, Tensor)>,
    /// Whether gradients are made.
    learns: bool,
    done: bool,
}

impl Undo<'_> {
    /// Before a step: the modes and the buffers, such as running means. Of the gradients nothing is
    /// kept: after a failure there are none.
    pub(super) fn step(net: &dyn Module) -> Result<Undo<'_>> {
        let buffers = net.named_buffers().into_iter();
        let buffers = buffers.map(|(_, buffer)| copy(&buffer).map(|values| (buffer, values)));
        let buffers = buffers.collect::<Result<_>>()?;
        Ok(Undo { net, modes: modes(net), buffers, learns: true, done: false })
    }

    /// Before a test: the modes.
    pub(super) fn test(net: &dyn Module) -> Undo<'_> {
        Undo { net, modes: modes(net), buffers: vec![], learns: false, done: false }
    }

    /// All went well.
    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut modes = self.modes.iter();
        walk(self.net, &mut |_, part| {
            if let Part::Mode(mode) = part
                && let Some(&training) = modes.next()
            {
                mode.store(training, Ordering::Relaxed);
            }
        });
        let _guard = tch::no_grad_guard();
        // There is an error already, which says more than one from here.
        for (buffer, values) in &mut self.buffers {
            let _ = buffer.f_copy_(values);
        }
        if self.learns {
            let _ = forget_gradients(&self.net.parameters());
        }
    }
}

fn modes(net: &dyn Module) -> Vec<bool> {
    let mut modes = vec![];
    walk(net, &mut |_, part| {
        if let Part::Mode(mode) = part {
            modes.push(mode.load(Ordering::Relaxed));
        }
    });
    modes
}
