//! Server-sent events out of bytes, after the WHATWG's definition of the format, with a bound.
//!
//! Left out: `event` (the data says what it is), `retry` (the client has its own patience), and
//! a lone carriage return as the end of a line, which no server of ours writes.

/// Bytes of one event with all its lines: the longest message fits many times.
const EVENT_MAX: usize = 1024 * 1024;

/// One event: what it is called, what it says, or only one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where the stream stands after it.
    pub(super) id: Option<String>,
    /// What it says; its lines joined.
    pub(super) data: Option<String>,
}

/// Says that an event is longer than any that is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {EVENT_MAX} bytes")]
pub(super) struct TooLong;

/// Gathers bytes into events.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    read: usize,
    frame: Frame,
    frame_bytes: usize,
}

impl Decoder {
    /// Takes what has arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, or none if more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, TooLong> {
        while let Some(length) = self.unread().iter().position(|byte| *byte == b'\n') {
            let line = &self.bytes[self.read..self.read + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.read += length + 1;
            self.frame_bytes += length;
            if !line.is_empty() {
                self.frame.take_line(line);
                continue;
            }
            self.frame_bytes = 0;
            let frame = std::mem::take(&mut self.frame);
            if frame != Frame::default() {
                return Ok(Some(frame));
            }
        }
        if self.frame_bytes + self.unread().len() > EVENT_MAX {
            return Err(TooLong);
        }
        Ok(None)
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.read..]
    }
}

impl Frame {
    fn take_line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8], chunk: usize) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(chunk) {
            decoder.feed(chunk);
            while let Some(frame) = decoder.next().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn events_are_the_same_however_their_bytes_arrive() {
        let bytes =
            b"id: 4\n\n: still here\n\nid: 5\r\nevent: x\r\ndata: one\r\ndata:two\r\n\r\ndata\n\n";
        let expected = [
            (Some("4"), None),
            (Some("5"), Some("one\ntwo")),
            (None, Some("")),
        ]
        .map(|(id, data)| Frame {
            id: id.map(str::to_owned),
            data: data.map(str::to_owned),
        });
        for chunk in 1..bytes.len() {
            assert_eq!(frames(bytes, chunk), expected, "in pieces of {chunk}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut decoder = Decoder::default();
        decoder.feed(&vec![b'a'; EVENT_MAX]);
        assert_eq!(decoder.next(), Ok(None));
        decoder.feed(b"a");
        assert_eq!(decoder.next(), Err(TooLong));
    }

    #[test]
    fn an_event_of_too_many_lines_is_refused() {
        let mut decoder = Decoder::default();
        let line = [&b"data: "[..], &[b'a'; 1024], b"\n"].concat();
        let refused = (0..2048).any(|_| {
            decoder.feed(&line);
            decoder.next().is_err()
        });
        assert!(refused);
    }
}
