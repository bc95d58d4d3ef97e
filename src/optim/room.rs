//! What a step computes on its way, in memory that is taken before the first parameter changes: where
//! it does not suffice no step is taken. It is as much as the largest parameter has.

use tch::{Device, Kind, Tensor};

use crate::Result;

/// A piece of memory for each kind and device, and numbers as tensors.
pub(super) struct Room {
    pieces: Vec<Tensor>,
    numbers: Vec<(f64, Tensor)>,
}

impl Room {
    pub(super) fn of<'a>(parameters: impl Iterator<Item = &'a Tensor>) -> Result<Room> {
        let mut most: Vec<(Kind, Device, i64)> = vec![];
        for parameter in parameters {
            let (kind, device) = (parameter.kind(), parameter.device());
            let count = parameter.numel() as i64;
            match most.iter_mut().find(|(k, d, _)| (*k, *d) == (kind, device)) {
                Some((_, _, largest)) => *largest = count.max(*largest),
                None => most.push((kind, device, count)),
            }
        }
        let pieces =
            most.into_iter().map(|(kind, device, count)| Tensor::f_empty([count], (kind, device)));
        Ok(Room { pieces: pieces.collect::<Result<_, _>>()?, numbers: vec![] })
    }

    /// Memory for as many numbers as a parameter has, in its shape.
    pub(super) fn like(&self, parameter: &Tensor) -> Result<Tensor> {
        match self.pieces.iter().find(|piece| alike(piece, parameter)) {
            Some(piece) => {
                Ok(piece.f_narrow(0, 0, parameter.numel() as i64)?.f_view_as(parameter)?)
            }
            None => Ok(parameter.f_empty_like()?),
        }
    }

    /// A number as a factor of `addcmul`, which rounds once where a processor multiplies and adds in one
    /// go, as PyTorch's `add` with `alpha`, which tch does not have.
    pub(super) fn number(&mut self, value: f64, parameter: &Tensor) -> Result<Tensor> {
        let found = self.numbers.iter();
        let mut found =
            found.filter(|(number, tensor)| *number == value && alike(tensor, parameter));
        if let Some((_, tensor)) = found.next() {
            return Ok(tensor.shallow_clone());
        }
        let options = (parameter.kind(), parameter.device());
        let tensor = Tensor::f_full([0i64; 0], value, options)?;
        self.numbers.push((value, tensor.shallow_clone()));
        Ok(tensor)
    }
}

fn alike(a: &Tensor, b: &Tensor) -> bool {
    a.kind() == b.kind() && a.device() == b.device()
}
