//! What gzip has compressed: one member after the other, and perhaps zeros behind them.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Reads all members. Zeros between and behind them are passed over, as by GNU tar and Python:
/// programs that write whole blocks leave them.
pub(super) struct Gzip<R: Read>(Option<GzDecoder<BufReader<R>>>);

impl<R: Read> Gzip<R> {
    pub(super) fn new(file: R) -> Gzip<R> {
        Gzip(Some(GzDecoder::new(BufReader::new(file))))
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(rest) = self.0.take().map(GzDecoder::into_inner) else { return Ok(0) };
            self.0 = without_zeros(rest)?.map(GzDecoder::new);
        }
    }
}

/// What follows the zeros, if anything does.
fn without_zeros<R: BufRead>(mut rest: R) -> io::Result<Option<R>> {
    loop {
        let piece = rest.fill_buf()?;
        if piece.is_empty() {
            return Ok(None);
        }
        let zeros = piece.iter().take_while(|&&byte| byte == 0).count();
        if zeros < piece.len() {
            rest.consume(zeros);
            return Ok(Some(rest));
        }
        rest.consume(zeros);
    }
}
