//! The codec of all MDP dialects, driven by their layout tables.

use super::*;
use crate::wire::{Cursor, Malformed};

const EMPTY: &[u8] = b"";

/// Parses the header. Returns whether it is a client's, and a cursor at the next frame.
fn open<'a, F: Frame>(
    dialect: Dialect,
    frames: &'a mut Vec<F>,
) -> Result<(bool, Cursor<'a, F>), Malformed> {
    let layout = dialect.layout();
    let mut cursor = Cursor::new(frames);
    if layout.delimiter && !cursor.next()?.is_empty() {
        return Err(Malformed::Header);
    }
    let header = cursor.next()?;
    if *header == *layout.client {
        Ok((true, cursor))
    } else if *header == *layout.worker {
        Ok((false, cursor))
    } else {
        Err(Malformed::Header)
    }
}

fn command<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<u8, Malformed> {
    match *cursor.next()? {
        [command] => Ok(command),
        _ => Err(Malformed::Command),
    }
}

fn body<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<Vec<F>, Malformed> {
    let mut frames = vec![cursor.next()?];
    while let Some(frame) = cursor.optional() {
        frames.push(frame);
    }
    Ok(frames)
}

/// Parses one address, the delimiter and the body.
fn addressed<F: Frame>(cursor: &mut Cursor<'_, F>) -> Result<(F, Vec<F>), Malformed> {
    let client = cursor.id()?;
    if !cursor.next()?.is_empty() {
        return Err(Malformed::Name);
    }
    Ok((client, body(cursor)?))
}

fn head<F: Frame>(out: &mut Vec<F>, dialect: Dialect, header: &[u8], command: Option<u8>) {
    if dialect.layout().delimiter {
        out.push(F::from(EMPTY));
    }
    out.push(F::from(header));
    out.extend(command.map(|command| F::from(&[command][..])));
}

impl<F: Frame> PeerMessage<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(dialect: Dialect, frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let layout = dialect.layout();
        let (client, mut cursor) = open(dialect, frames)?;
        if client {
            if let Some([request, ..]) = layout.commands
                && command(&mut cursor)? != request
            {
                return Err(Malformed::Command);
            }
            return Ok(PeerMessage::Client(ClientRequest {
                service: cursor.service()?,
                body: body(&mut cursor)?,
            }));
        }
        let command = command(&mut cursor)?;
        let message = match command {
            READY => WorkerMessage::Ready {
                service: cursor.service()?,
            },
            _ if command == layout.last || Some(command) == layout.partial => {
                let (client, body) = addressed(&mut cursor)?;
                WorkerMessage::Reply {
                    last: command == layout.last,
                    client,
                    body,
                }
            }
            _ if command == layout.heartbeat => WorkerMessage::Heartbeat,
            _ if command == layout.disconnect => WorkerMessage::Disconnect,
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(PeerMessage::Worker(message))
    }
}

impl<F: Frame> ClientRequest<F> {
    /// Appends the frames of the message.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<F>) {
        let layout = dialect.layout();
        let command = layout.commands.map(|[request, ..]| request);
        head(out, dialect, layout.client, command);
        out.push(self.service);
        out.extend(self.body);
    }
}

impl<F: Frame> WorkerMessage<F> {
    /// Appends the frames of the message. The dialect must have partials to encode one.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<F>) {
        let layout = dialect.layout();
        let mut put = |command| head(out, dialect, layout.worker, Some(command));
        match self {
            WorkerMessage::Ready { service } => {
                put(READY);
                out.push(service);
            }
            WorkerMessage::Reply { last, client, body } => {
                put(layout.partial.filter(|_| !last).unwrap_or(layout.last));
                out.extend([client, F::from(EMPTY)]);
                out.extend(body);
            }
            WorkerMessage::Heartbeat => put(layout.heartbeat),
            WorkerMessage::Disconnect => put(layout.disconnect),
        }
    }
}

impl<F: Frame> ClientReply<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(dialect: Dialect, frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let layout = dialect.layout();
        let (client, mut cursor) = open(dialect, frames)?;
        if !client {
            return Err(Malformed::Header);
        }
        let last = match layout.commands {
            None => true,
            Some([_, partial, last]) => match command(&mut cursor)? {
                command if command == partial => false,
                command if command == last => true,
                _ => return Err(Malformed::Command),
            },
        };
        let service = match layout.names_service {
            true => Some(cursor.service()?),
            false => None,
        };
        let body = body(&mut cursor)?;
        Ok(ClientReply {
            last,
            service,
            body,
        })
    }

    /// Appends the frames of the message. The dialect must have partials to encode one.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<F>) {
        let layout = dialect.layout();
        let command = layout.commands.map(|[_, partial, last]| match self.last {
            true => last,
            false => partial,
        });
        head(out, dialect, layout.client, command);
        out.extend(self.service.filter(|_| layout.names_service));
        out.extend(self.body);
    }
}

impl<F: Frame> ToWorker<F> {
    /// Decodes all frames of a message. `frames` is empty afterwards, also after an error.
    pub fn decode(dialect: Dialect, frames: &mut Vec<F>) -> Result<Self, Malformed> {
        let layout = dialect.layout();
        let (client, mut cursor) = open(dialect, frames)?;
        if client {
            return Err(Malformed::Header);
        }
        let command = command(&mut cursor)?;
        let message = match command {
            REQUEST => {
                let (client, body) = addressed(&mut cursor)?;
                ToWorker::Request { client, body }
            }
            _ if command == layout.heartbeat => ToWorker::Heartbeat,
            _ if command == layout.disconnect => ToWorker::Disconnect,
            _ => return Err(Malformed::Command),
        };
        cursor.finish()?;
        Ok(message)
    }

    /// Appends the frames of the message.
    pub fn encode(self, dialect: Dialect, out: &mut Vec<F>) {
        let layout = dialect.layout();
        let mut put = |command| head(out, dialect, layout.worker, Some(command));
        match self {
            ToWorker::Request { client, body } => {
                put(REQUEST);
                out.extend([client, F::from(EMPTY)]);
                out.extend(body);
            }
            ToWorker::Heartbeat => put(layout.heartbeat),
            ToWorker::Disconnect => put(layout.disconnect),
        }
    }
}
