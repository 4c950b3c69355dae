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

/// Helpers of the golden vectors: each message that decodes must encode to the same frames.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::fuzz::corpus::vector;
    use crate::wire::omdp::testing::frames;

    type Frames = Vec<Vec<u8>>;

    pub fn request(service: &str, body: &str) -> PeerMessage<Vec<u8>> {
        PeerMessage::Client(ClientRequest {
            service: service.into(),
            body: frames(body),
        })
    }

    pub fn ready(service: &str) -> PeerMessage<Vec<u8>> {
        let service = service.into();
        PeerMessage::Worker(WorkerMessage::Ready { service })
    }

    pub fn answer(last: bool, client: &str, body: &str) -> PeerMessage<Vec<u8>> {
        PeerMessage::Worker(WorkerMessage::Reply {
            last,
            client: client.into(),
            body: frames(body),
        })
    }

    pub fn reply(last: bool, service: Option<&str>, body: &str) -> ClientReply<Vec<u8>> {
        ClientReply {
            last,
            service: service.map(Into::into),
            body: frames(body),
        }
    }

    pub fn work(client: &str, body: &str) -> ToWorker<Vec<u8>> {
        ToWorker::Request {
            client: client.into(),
            body: frames(body),
        }
    }

    fn encoded(encode: impl FnOnce(&mut Frames)) -> Frames {
        let mut out = Vec::new();
        encode(&mut out);
        out
    }

    #[track_caller]
    pub fn from_peer(dialect: Dialect, text: &str, message: PeerMessage<Vec<u8>>) {
        vector("mdp", &frames(text));
        let decoded = PeerMessage::decode(dialect, &mut frames(text));
        assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
        let out = encoded(|out| match message {
            PeerMessage::Client(message) => message.encode(dialect, out),
            PeerMessage::Worker(message) => message.encode(dialect, out),
        });
        assert_eq!(out, frames(text));
    }

    #[track_caller]
    pub fn to_client(dialect: Dialect, text: &str, message: ClientReply<Vec<u8>>) {
        vector("mdp", &frames(text));
        let decoded = ClientReply::decode(dialect, &mut frames(text));
        assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
        assert_eq!(encoded(|out| message.encode(dialect, out)), frames(text));
    }

    #[track_caller]
    pub fn to_worker(dialect: Dialect, text: &str, message: ToWorker<Vec<u8>>) {
        vector("mdp", &frames(text));
        let decoded = ToWorker::decode(dialect, &mut frames(text));
        assert_eq!(decoded.as_ref(), Ok(&message), "{text}");
        assert_eq!(encoded(|out| message.encode(dialect, out)), frames(text));
    }

    pub fn beats_and_goodbyes(dialect: Dialect, beat: &str, goodbye: &str) {
        to_worker(dialect, beat, ToWorker::Heartbeat);
        to_worker(dialect, goodbye, ToWorker::Disconnect);
        from_peer(dialect, beat, PeerMessage::Worker(WorkerMessage::Heartbeat));
        from_peer(
            dialect,
            goodbye,
            PeerMessage::Worker(WorkerMessage::Disconnect),
        );
    }

    #[track_caller]
    pub fn refused(dialect: Dialect, text: &str, why: Malformed) {
        vector("mdp", &frames(text));
        assert_eq!(
            PeerMessage::decode(dialect, &mut frames(text)),
            Err(why),
            "{text}"
        );
    }

    #[track_caller]
    pub fn refused_by_client(dialect: Dialect, text: &str, why: Malformed) {
        vector("mdp", &frames(text));
        assert_eq!(
            ClientReply::decode(dialect, &mut frames(text)),
            Err(why),
            "{text}"
        );
    }

    /// Checks the messages that every dialect refuses.
    pub fn common_faults(d: Dialect, client: &str, worker: &str, last: &str, ends: [&str; 2]) {
        use Malformed::*;
        for (text, why) in [
            (client.to_string(), Short),
            (format!("{client}|∅|a"), Name),
            (format!("{client}|echo"), Short),
            (worker.to_string(), Short),
            (format!("{worker}|∅"), Command),
            (format!("{worker}|\u{1}\u{1}|echo"), Command),
            (format!("{worker}|\u{1}"), Short),
            (format!("{worker}|\u{1}|∅"), Name),
            (format!("{worker}|\u{1}|echo|more"), Trailing),
            (format!("{worker}|\u{2}|Cx|∅|a"), Command),
            (format!("{worker}|{last}"), Short),
            (format!("{worker}|{last}|Cx"), Short),
            (format!("{worker}|{last}|Cx|∅"), Short),
            (format!("{worker}|{last}|∅|∅|a"), Name),
            (format!("{worker}|{last}|Cx|Cy|∅|a"), Name),
            (format!("{worker}|{}|x", ends[0]), Trailing),
            (format!("{worker}|{}|x", ends[1]), Trailing),
        ] {
            refused(d, &text, why);
        }
        let to_us = |text: String| ToWorker::decode(d, &mut frames(&text));
        assert_eq!(to_us(format!("{worker}|\u{1}|echo")), Err(Command));
        assert_eq!(to_us(format!("{worker}|\u{2}|Cx|a")), Err(Name));
        assert_eq!(to_us(format!("{worker}|\u{2}|Cx|∅")), Err(Short));
        assert_eq!(to_us(format!("{client}|echo|a")), Err(Header));
        let endless = format!(
            "{client}|{}|a",
            "x".repeat(crate::wire::sizes::MAX_SERVICE + 1)
        );
        refused(d, &endless, Name);
    }
}
