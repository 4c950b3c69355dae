//! The fuzzer's bytes, read from the front. After their end all values are zero or empty, so that
//! every prefix of an input is a valid input.

/// The frames of a message.
pub(super) type Frames = Vec<Vec<u8>>;

/// Replaces a length: two bytes of length follow.
const LONG: u8 = 0xff;

pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Input(data)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// A number below `end`, which is 1 to 256.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    pub(super) fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The unread bytes.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn frame(&mut self) -> Vec<u8> {
        let len = match self.byte() {
            LONG => self.u16().into(),
            len => usize::from(len),
        };
        let (frame, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        frame.to_vec()
    }

    /// The remaining frames.
    pub(super) fn frames(&mut self) -> Frames {
        std::iter::from_fn(|| (!self.is_over()).then(|| self.frame())).collect()
    }
}

/// Encodes frames for [`Input::frames`].
#[cfg(test)]
pub(super) fn bytes_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        match u8::try_from(frame.len()).ok().filter(|len| *len != LONG) {
            Some(len) => out.push(len),
            None => {
                out.push(LONG);
                let len = u16::try_from(frame.len()).unwrap_or(u16::MAX);
                out.extend(len.to_be_bytes());
            }
        }
        out.extend(frame);
    }
    out
}
