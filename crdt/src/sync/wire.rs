//! Reading and writing the arrays that sync messages are made of.
//!
//! Every count is held against its bound before the first item is read, and positions that this
//! version does not know are skipped. Nothing here knows what a message means.

use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder, decode};

/// One array, read position by position.
pub(super) struct Fields<'a, 'b> {
    decoder: &'a mut Decoder<'b>,
    left: u64,
}

impl<'a, 'b> Fields<'a, 'b> {
    /// Enters an array of definite length.
    pub(super) fn open(decoder: &'a mut Decoder<'b>) -> Result<Self, decode::Error> {
        let left = length(decoder)?;
        Ok(Self { decoder, left })
    }

    /// Reads the next position, which has to be there.
    pub(super) fn get<T: Decode<'b, ()>>(&mut self) -> Result<T, decode::Error> {
        self.step()?;
        self.decoder.decode()
    }

    /// Reads the next position, which may be `null` or left out.
    pub(super) fn optional<T: Decode<'b, ()>>(&mut self) -> Result<Option<T>, decode::Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.step()?;
        self.decoder.decode()
    }

    /// Reads a byte string of exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], decode::Error> {
        self.step()?;
        self.decoder
            .bytes()?
            .try_into()
            .map_err(|_| decode::Error::message("a byte string of the wrong length"))
    }

    /// Reads a byte string of any length.
    pub(super) fn blob(&mut self) -> Result<Vec<u8>, decode::Error> {
        self.step()?;
        Ok(self.decoder.bytes()?.to_vec())
    }

    /// Reads an array of at most `max` items.
    pub(super) fn list<T: Decode<'b, ()>>(&mut self, max: usize) -> Result<Vec<T>, decode::Error> {
        self.items(max, |decoder| decoder.decode())
    }

    /// Reads an array of at most `max` byte strings.
    pub(super) fn blobs(&mut self, max: usize) -> Result<Vec<Vec<u8>>, decode::Error> {
        self.items(max, |decoder| decoder.bytes().map(<[u8]>::to_vec))
    }

    /// Leaves the array, past whatever a later version put behind the known positions.
    pub(super) fn close(self) -> Result<(), decode::Error> {
        for _ in 0..self.left {
            self.decoder.skip()?;
        }
        Ok(())
    }

    fn items<T>(
        &mut self,
        max: usize,
        mut read: impl FnMut(&mut Decoder<'b>) -> Result<T, decode::Error>,
    ) -> Result<Vec<T>, decode::Error> {
        self.step()?;
        let count = length(self.decoder)?;
        if count > max as u64 {
            return Err(decode::Error::message("more items than allowed"));
        }
        // Grows with what is read: a count alone allocates nothing.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self.decoder)?);
        }
        Ok(items)
    }

    fn step(&mut self) -> Result<(), decode::Error> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| decode::Error::message("a position is missing"))?;
        Ok(())
    }
}

fn length(decoder: &mut Decoder<'_>) -> Result<u64, decode::Error> {
    decoder
        .array()?
        .ok_or_else(|| decode::Error::message("an array of indefinite length"))
}

/// Writes an array of items.
pub(super) fn list<W: Write, T: Encode<()>>(
    encoder: &mut Encoder<W>,
    items: &[T],
) -> Result<(), encode::Error<W::Error>> {
    encoder.array(items.len() as u64)?;
    for item in items {
        encoder.encode(item)?;
    }
    Ok(())
}

/// Writes an array of byte strings.
pub(super) fn blobs<W: Write>(
    encoder: &mut Encoder<W>,
    items: &[Vec<u8>],
) -> Result<(), encode::Error<W::Error>> {
    encoder.array(items.len() as u64)?;
    for item in items {
        encoder.bytes(item)?;
    }
    Ok(())
}

/// How many bytes a byte string takes up in a list: itself and the longest prefix it can have.
pub(super) const fn blob_cost(bytes: &[u8]) -> usize {
    bytes.len() + 5
}
