//! The framing of `/kith/sync/1`: a big-endian `u32` length and that many bytes.
//!
//! What the bytes mean is the engine's business. A message that claims to be too long is read no
//! further and reported as a value, not as an error: libp2p forgets the errors of inbound
//! requests, and who sent it has to be known.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use kith_crdt::limits::SYNC_MESSAGE_MAX;
use libp2p::StreamProtocol;
use libp2p::request_response;

/// The protocol's name.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/kith/sync/1");

/// A whole message, or the claim of one that is too long.
pub(super) type Message = Result<Vec<u8>, TooLong>;

/// A message claimed to be longer than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {len} bytes, where at most {SYNC_MESSAGE_MAX} are allowed")]
pub(super) struct TooLong {
    /// The claimed length in bytes.
    pub(super) len: u32,
}

/// Reads and writes messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SyncCodec;

impl request_response::Codec for SyncCodec {
    type Protocol = StreamProtocol;
    type Request = Message;
    type Response = Message;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Message>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Message>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        message: Message,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, message).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        message: Message,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, message).await
    }
}

/// Reads one message. The end of the stream instead of a message is `UnexpectedEof`, within one
/// `InvalidData`. The buffer grows with what arrives, not with what is claimed.
async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Message> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let len = u32::from_be_bytes(prefix);
    if len as usize > SYNC_MESSAGE_MAX {
        return Ok(Err(TooLong { len }));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(len)).read_to_end(&mut bytes).await?;
    if bytes.len() < len as usize {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message cut short",
        ));
    }
    Ok(Ok(bytes))
}

/// Writes one message.
async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, message: Message) -> io::Result<()> {
    let too_long = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let bytes = message.map_err(too_long)?;
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if len as usize > SYNC_MESSAGE_MAX {
        return Err(too_long(TooLong { len }));
    }
    io.write_all(&len.to_be_bytes()).await?;
    io.write_all(&bytes).await?;
    io.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    fn read_all(bytes: &[u8]) -> io::Result<Message> {
        block_on(read(&mut Cursor::new(bytes)))
    }

    #[test]
    fn what_was_written_is_read() {
        for message in [vec![], b"hello".to_vec(), vec![3; SYNC_MESSAGE_MAX]] {
            let mut wire = Vec::new();
            block_on(write(&mut wire, Ok(message.clone()))).unwrap();
            assert_eq!(&wire[..4], (message.len() as u32).to_be_bytes());
            assert_eq!(read_all(&wire).unwrap(), Ok(message));
        }
    }

    #[test]
    fn a_claim_beyond_the_limit_is_named_before_a_byte_of_it_is_read() {
        for len in [SYNC_MESSAGE_MAX as u32 + 1, u32::MAX] {
            assert_eq!(read_all(&len.to_be_bytes()).unwrap(), Err(TooLong { len }));
        }
    }

    #[test]
    fn a_message_too_long_to_be_read_is_not_written() {
        let mut wire = Vec::new();
        let refused = block_on(write(&mut wire, Ok(vec![0; SYNC_MESSAGE_MAX + 1])));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(wire.is_empty());
    }

    #[test]
    fn hanging_up_before_a_message_and_within_one_are_told_apart() {
        assert_eq!(
            read_all(&[]).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            read_all(&[0, 0]).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            read_all(&[0, 0, 0, 9, 1, 2]).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
