//! Connects to a broker: looks its name up, tries each address, and makes the handshake, until one
//! succeeds.

use super::input::{Input, Next};
use super::output::Output;
use super::socket::StreamSocket;
use crate::io::descriptor::Descriptor;
use crate::io::lookup::{RETRY_PAUSE, Resolved, look_up};
use crate::io::random::jittered;
use crate::io::{Address, Error, clock, security::HandshakeFailure};
use crate::proto::link::Attempts;
use crate::wire::zmtp::{self, GREETING, Greeting};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

/// Where to connect, and how.
#[derive(Debug, Clone)]
pub(in crate::io) struct Target {
    pub(in crate::io) address: Address,
    pub(in crate::io) routing_id: Vec<u8>,
    /// The pauses between attempts.
    pub(in crate::io) attempts: Attempts,
    /// Maximum duration of an attempt, and of a handshake, which doubles up to the longest each time
    /// that it passes.
    pub(in crate::io) limit: Duration,
    pub(in crate::io) longest: Duration,
    /// How long a connection without acknowledgements by the other host is kept, and the number of
    /// keep-alive probes within that time.
    pub(in crate::io) silence: Option<(Duration, u32)>,
    /// The largest accepted frame.
    pub(in crate::io) max_frame: u64,
}

impl Target {
    fn be_patient(&mut self) {
        self.limit = (2 * self.limit).min(self.longest);
    }
}

/// A result of an attempt to connect.
pub(in crate::io) enum Progress {
    /// An attempt has failed; others follow.
    Failed(Error),
    /// The other side has ended a handshake; other attempts follow.
    BrokenOff,
    /// The handshake cannot succeed.
    Refused(HandshakeFailure),
    /// The connection is ready.
    Ready(Box<Ready>),
}

pub(in crate::io) struct Ready {
    pub(super) socket: StreamSocket,
    pub(super) input: Input,
}

/// How a handshake ended without a connection.
enum Broken {
    Off,
    Refused(HandshakeFailure),
}

/// The other side speaks an earlier version of ZMTP, or another protocol.
const FOREIGN: Broken = Broken::Refused(HandshakeFailure::Protocol);

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidData => FOREIGN,
            _ => Broken::Off,
        }
    }
}

/// A descriptor that is kept between the attempts, so that there is one for each.
pub(super) struct Reserved(Option<Socket>);

impl Reserved {
    /// Returns an error if there is no descriptor.
    pub(super) fn new() -> Result<Self, Error> {
        Socket::new(Domain::IPV4, Type::STREAM, None)
            .map(|socket| Reserved(Some(socket)))
            .map_err(|error| Error::from_os(&error, "cannot create a socket"))
    }

    fn release(&mut self) {
        self.0 = None;
    }

    fn renew(&mut self) {
        if let Ok(reserved) = Reserved::new() {
            *self = reserved;
        }
    }
}

/// Connects, and reports results. Ends after any result but a failed attempt.
pub(super) async fn connect(mut target: Target, mut reserved: Reserved, tell: impl Fn(Progress)) {
    let began = clock::now();
    loop {
        match addresses(&target.address).await {
            Ok(places) => {
                for place in places {
                    reserved.release();
                    match attempt(&target, place).await {
                        Err(error) => {
                            if error.code == "ETIMEDOUT" {
                                target.be_patient();
                            }
                            tell(Progress::Failed(error));
                        }
                        Ok(socket) => {
                            let handshake = shake_hands(&socket, &target.routing_id);
                            match timeout(target.limit, handshake).await {
                                Ok(Ok(mut input)) => {
                                    input.accept(target.max_frame);
                                    return tell(Progress::Ready(Box::new(Ready {
                                        socket,
                                        input,
                                    })));
                                }
                                Ok(Err(Broken::Refused(why))) => {
                                    return tell(Progress::Refused(why));
                                }
                                // The other side may be about to come back.
                                Ok(Err(Broken::Off)) if target.attempts.are_short() => {}
                                Ok(Err(Broken::Off)) => tell(Progress::BrokenOff),
                                Err(_) => {
                                    target.be_patient();
                                    tell(Progress::BrokenOff);
                                }
                            }
                        }
                    }
                    reserved.renew();
                }
                let pause = target.attempts.pause(clock::now() - began);
                sleep(jittered(pause)).await;
            }
            Err(error) => {
                tell(Progress::Failed(error));
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

enum Destination {
    Tcp(SocketAddr),
    Path(String),
}

/// The destinations behind an address, in the system's order.
async fn addresses(address: &Address) -> Result<Vec<Destination>, Error> {
    if let Some(path) = address.path() {
        return Ok(vec![Destination::Path(path.to_owned())]);
    }
    let Some((host, port)) = address.name() else {
        let number = address.number().into_iter();
        let places: io::Result<Vec<Destination>> =
            number.map(|it| it.map(Destination::Tcp)).collect();
        let doing = format!("cannot connect to {}", address.text());
        return places.map_err(|error| Error::not_found(&error, &doing));
    };
    let found: Resolved = match look_up(host, port, || {}) {
        None => Ok(Vec::new()),
        Some(inbox) => inbox.await.unwrap_or_else(|_| Ok(Vec::new())),
    };
    found.map(|all| all.into_iter().map(Destination::Tcp).collect())
}

async fn attempt(target: &Target, place: Destination) -> Result<StreamSocket, Error> {
    let (opening, text) = match place {
        Destination::Path(path) => {
            let opening = timeout(target.limit, UnixStream::connect(&path)).await;
            let opened = opening.map(|opened| opened.and_then(UnixStream::into_std));
            (
                opened.map(|opened| opened.map(Descriptor::Unix)),
                target.address.text().to_owned(),
            )
        }
        Destination::Tcp(address) => {
            let opening = timeout(target.limit, TcpStream::connect(address)).await;
            let opened = opening.map(|opened| {
                let stream = opened.and_then(TcpStream::into_std)?;
                set_options(&stream, target)?;
                Ok(stream)
            });
            (
                opened.map(|opened| opened.map(Descriptor::Tcp)),
                format!("tcp://{address}"),
            )
        }
    };
    let opened = opening.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    let descriptor =
        opened.map_err(|error| Error::from_os(&error, &format!("cannot connect to {text}")))?;
    StreamSocket::new(descriptor)
}

fn set_options(stream: &std::net::TcpStream, target: &Target) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some((patience, probes)) = target.silence else {
        return Ok(());
    };
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience))?;
    let probe = patience / probes.max(1);
    let keepalive = TcpKeepalive::new()
        .with_time(probe)
        .with_interval(probe)
        .with_retries(probes);
    socket.set_tcp_keepalive(&keepalive)
}

/// Exchanges greetings and READY.
async fn shake_hands(socket: &StreamSocket, routing_id: &[u8]) -> Result<Input, Broken> {
    let mut output = Output::default();
    output.push_bytes(&zmtp::greeting());
    socket.write(&mut output).await?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match zmtp::read_greeting(&bytes) {
            Greeting::Null => break,
            Greeting::OtherMechanism => return Err(Broken::Refused(HandshakeFailure::Mechanism)),
            Greeting::Foreign => return Err(FOREIGN),
            Greeting::Unfinished => match socket.read(&mut buffer).await? {
                0 => return Err(Broken::Off),
                len => bytes.extend_from_slice(&buffer[..len]),
            },
        }
    }
    output.push_bytes(&zmtp::ready(routing_id));
    socket.write(&mut output).await?;
    // No message may come before READY.
    let mut input = Input::new(&bytes[GREETING..], 0);
    loop {
        match input.next(socket.descriptor()?)? {
            Next::Command(command) if zmtp::is_ready_of_router(&command) => return Ok(input),
            Next::Command(_) | Next::Message => return Err(FOREIGN),
            Next::Nothing => {
                socket.news().await?;
                input.wake();
            }
        }
    }
}
