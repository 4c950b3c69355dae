//! A DEALER without libzmq: one connection, whose bytes the thread that has the driver reads and
//! writes by itself. libzmq's I/O thread, which would carry them otherwise, costs a wake-up for
//! each message and direction.

mod connector;
mod input;
mod output;
mod socket;

pub(super) use connector::{Progress, Target};
pub(super) use input::{BUFFER, ENDLESS, Input, MANY_FRAMES, Next, TURN};
pub(super) use output::Output;

use super::context::Lingering;
use super::raw::Raw;
use super::reactor_task::ReactorTask;
use super::readiness::Readiness;
use super::{Error, Message};
use crate::wire::zmtp;
use connector::{Ready, Reserved};
use socket::StreamSocket;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

pub(super) struct Stream {
    state: State,
}

enum State {
    Connecting(Connecting),
    Open(Box<Open>),
    Broken,
}

struct Connecting {
    _task: ReactorTask,
    progress: UnboundedReceiver<Progress>,
    told: Arc<Notify>,
}

struct Open {
    socket: StreamSocket,
    input: Input,
    output: Output,
    /// Whether the connection takes nothing any more.
    is_broken: bool,
}

impl Stream {
    /// Starts to connect, with a task on this reactor. Returns an error if there is no descriptor.
    pub(super) fn connect(target: Target) -> Result<Self, Error> {
        let reserved = Reserved::new()?;
        let (tell, progress) = unbounded_channel();
        let told = Arc::new(Notify::new());
        let notified = told.clone();
        let tell = move |result| {
            // Fails if the connection was closed meanwhile.
            let _ = tell.send(result);
            notified.notify_one();
        };
        let task = ReactorTask::spawn(connector::connect(target, reserved, tell));
        Ok(Stream {
            state: State::Connecting(Connecting {
                _task: task,
                progress,
                told,
            }),
        })
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// The next result of an attempt to connect. After [`Progress::Ready`] the stream is open.
    pub(super) fn progress(&mut self) -> Option<Progress> {
        let State::Connecting(connecting) = &mut self.state else {
            return None;
        };
        connecting.progress.try_recv().ok()
    }

    pub(super) fn begin(&mut self, ready: Box<Ready>) {
        let Ready { socket, input } = *ready;
        self.state = State::Open(Box::new(Open {
            socket,
            input,
            output: Output::default(),
            is_broken: false,
        }));
    }

    /// Reports that the system may have bytes.
    pub(super) fn wake(&mut self) {
        if let State::Open(open) = &mut self.state {
            open.input.wake();
            open.input.may_wait();
        }
    }

    /// Whether a message can be received, and whether the connection is ready. After the last message
    /// of a connection that has ended, an error.
    pub(super) fn events(&mut self) -> Result<(bool, bool), Error> {
        let end = match &mut self.state {
            State::Connecting(_) => return Ok((false, false)),
            State::Broken => ErrorKind::NotConnected.into(),
            State::Open(open) => match open.look() {
                Ok(readable) if readable || !open.is_broken => return Ok((readable, true)),
                Ok(_) => ErrorKind::BrokenPipe.into(),
                Err(error) => error,
            },
        };
        self.state = State::Broken;
        Err(Error::from_os(&end, "the connection has ended"))
    }

    /// Whether [`events`](Self::events) may have news without a further event of the system.
    pub(super) fn may_have_news(&self, is_up: bool) -> bool {
        match &self.state {
            State::Connecting(_) => false,
            State::Open(open) => !is_up || open.is_broken || open.input.may_have_more(),
            State::Broken => true,
        }
    }

    /// Takes a message. Returns false if there is none.
    pub(super) fn receive(&mut self, head: &mut Raw, rest: &mut Vec<Message>) -> bool {
        let State::Open(open) = &mut self.state else {
            return false;
        };
        open.input.take(head, rest) || (open.look().is_ok() && open.input.take(head, rest))
    }

    /// The bytes that are there of a message that is not complete.
    pub(super) fn unfinished(&self) -> usize {
        match &self.state {
            State::Open(open) => open.input.unfinished(),
            State::Connecting(_) | State::Broken => 0,
        }
    }

    /// Takes a message to be sent with the next [`flush`](Self::flush). Returns false if there is no
    /// connection.
    pub(super) fn send(&mut self, frames: &mut Vec<Message>) -> bool {
        match &mut self.state {
            State::Open(open) => {
                open.output.push(frames);
                true
            }
            State::Connecting(_) | State::Broken => false,
        }
    }

    /// Sends as many bytes as the system accepts.
    pub(super) fn flush(&mut self) {
        if let State::Open(open) = &mut self.state
            && open.flush().is_err()
        {
            // The end counts after the messages that have arrived before it.
            open.output = Output::default();
            open.is_broken = true;
        }
    }

    /// The number of bytes that the system has not accepted.
    pub(super) fn unsent(&self) -> usize {
        match &self.state {
            State::Open(open) => open.output.len(),
            State::Connecting(_) | State::Broken => 0,
        }
    }

    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        match &self.state {
            State::Open(open) if open.output.len() == 0 => Some(open.socket.readiness().clone()),
            _ => None,
        }
    }

    /// Announces events, whether or not all bytes were sent.
    pub(super) fn any_readiness(&self) -> Option<Arc<Readiness>> {
        match &self.state {
            State::Open(open) => Some(open.socket.readiness().clone()),
            State::Connecting(_) | State::Broken => None,
        }
    }

    /// Waits until there may be news, or room for unsent bytes.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        match &self.state {
            State::Broken => pending().await,
            State::Connecting(connecting) => {
                connecting.told.notified().await;
                Ok(())
            }
            State::Open(open) => tokio::select! {
                biased;
                result = open.socket.readiness().wait() => result,
                result = open.socket.readiness().room(), if open.output.len() > 0 => result,
            },
        }
    }

    /// Closes the connection after the unsent bytes, at the latest after `linger`.
    pub(super) fn close(self, linger: Duration) {
        if let State::Open(open) = self.state {
            let lingering = Lingering::begin();
            tokio::task::spawn_local(async move {
                let _ = timeout(linger, open.finish()).await;
                drop(lingering);
            });
        }
    }
}

impl Open {
    /// Reads up to the next message. Returns whether there is one.
    fn look(&mut self) -> io::Result<bool> {
        loop {
            match self.input.next(self.socket.descriptor()?)? {
                Next::Message => return Ok(true),
                Next::Nothing => return Ok(false),
                Next::Command(command) => {
                    if let Some(answer) = zmtp::answer(&command) {
                        self.output.push_bytes(&answer);
                        self.flush()?;
                    }
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush(self.socket.descriptor()?)
    }

    /// Sends the rest, then waits for the end of the other side: to close a descriptor with unread
    /// bytes would reset the connection, and lose sent bytes that have not arrived.
    async fn finish(mut self) -> io::Result<()> {
        self.socket.write(&mut self.output).await?;
        self.socket.descriptor()?.end_output()?;
        let mut discarded = [0; 4096];
        while self.socket.read(&mut discarded).await? > 0 {}
        Ok(())
    }
}
