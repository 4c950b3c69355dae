//! The descriptor of a stream, and its events.

use super::output::Output;
use crate::io::Error;
use crate::io::descriptor::Descriptor;
use crate::io::readiness::Readiness;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

/// A connected socket without libzmq.
pub(super) struct StreamSocket(Arc<Readiness>);

impl StreamSocket {
    pub(super) fn new(descriptor: Descriptor) -> Result<Self, Error> {
        Ok(StreamSocket(Arc::new(Readiness::of(descriptor)?)))
    }

    pub(super) fn readiness(&self) -> &Arc<Readiness> {
        &self.0
    }

    pub(super) fn descriptor(&self) -> io::Result<&Descriptor> {
        let descriptor = self.0.descriptor();
        descriptor.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Waits until bytes may have been received.
    pub(super) async fn news(&self) -> io::Result<()> {
        self.0.wait().await.map_err(io_error)
    }

    /// Writes all bytes.
    pub(super) async fn write(&self, output: &mut Output) -> io::Result<()> {
        loop {
            output.flush(self.descriptor()?)?;
            if output.len() == 0 {
                return Ok(());
            }
            self.0.room().await.map_err(io_error)?;
        }
    }

    /// Reads received bytes, after a wait if there are none. Returns 0 at the end.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.descriptor()?.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.news().await?,
                result => return result,
            }
        }
    }
}

fn io_error(error: Error) -> io::Error {
    io::Error::other(error.message)
}
