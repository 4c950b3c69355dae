//! Sending and receiving.

use super::Socket;
use crate::io::raw::Raw;
use crate::io::sent::Sent;
use crate::io::{Error, Message};
use std::ffi::c_int;
use zmq_sys::errno;

impl Socket {
    /// Receives the frames of one message into `frames`, which stays empty if there is none.
    pub(in crate::io) fn receive(&self, frames: &mut Vec<Message>) -> Result<(), Error> {
        let mut raw = Raw::new();
        let mut more = self.receive_frame(&mut raw)?;
        while let Some(follows) = more {
            frames.push(Message::take(&mut raw));
            more = match follows {
                true => self.receive_frame(&mut raw)?,
                false => None,
            };
        }
        Ok(())
    }

    /// Receives one frame. Returns whether another one of the same message follows; `None` if there
    /// is no message.
    pub(in crate::io) fn receive_frame(&self, raw: &mut Raw) -> Result<Option<bool>, Error> {
        let flags = zmq_sys::ZMQ_DONTWAIT as c_int;
        // SAFETY: the socket is open, the message initialised.
        while unsafe { zmq_sys::zmq_msg_recv(raw.as_raw(), self.raw, flags) } == -1 {
            // SAFETY: reads a thread-local number.
            match unsafe { zmq_sys::zmq_errno() } {
                // libzmq delivers messages whole, so this is the beginning of one.
                errno::EAGAIN => return Ok(None),
                errno::EINTR => {}
                other => return Err(Error::from_errno(other, "cannot receive")),
            }
        }
        Ok(Some(raw.more()))
    }

    /// Sends one message. If it was taken, `frames` is empty afterwards; otherwise it is unchanged.
    pub(in crate::io) fn send(&self, frames: &mut Vec<Message>) -> Result<Sent, Error> {
        self.send_prepared(frames, |_| {})
    }

    /// Sends one message. Once the first frame was taken, and thus all will be, `prepare` may
    /// change each further frame.
    pub(in crate::io) fn send_prepared(
        &self,
        frames: &mut Vec<Message>,
        mut prepare: impl FnMut(&mut Message),
    ) -> Result<Sent, Error> {
        let last = frames.len().saturating_sub(1);
        let mut place = Raw::new();
        for (i, frame) in frames.iter_mut().enumerate() {
            if i > 0 {
                prepare(frame);
            }
            match self.send_frame(frame.for_libzmq(&mut place), i < last)? {
                Sent::Yes => {}
                trouble => return Ok(trouble),
            }
        }
        frames.clear();
        Ok(Sent::Yes)
    }

    /// Only the first frame of a message can be refused; the others follow it.
    fn send_frame(&self, raw: &mut Raw, more: bool) -> Result<Sent, Error> {
        let more = if more { zmq_sys::ZMQ_SNDMORE } else { 0 };
        let flags = (zmq_sys::ZMQ_DONTWAIT | more) as c_int;
        // SAFETY: the socket is open, the message initialised; a sent message is left empty.
        while unsafe { zmq_sys::zmq_msg_send(raw.as_raw(), self.raw, flags) } == -1 {
            // SAFETY: reads a thread-local number.
            match unsafe { zmq_sys::zmq_errno() } {
                errno::EINTR => {}
                errno::EAGAIN => return Ok(Sent::Full),
                errno::EHOSTUNREACH => return Ok(Sent::NoPeer),
                other => return Err(Error::from_errno(other, "cannot send")),
            }
        }
        Ok(Sent::Yes)
    }
}
