//! Checks of `counting.cpp` over real connections.

use super::*;
use std::ffi::c_void;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The counts belong to the process, so tests of them run one after the other.
static COUNTS: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    COUNTS.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Binds a socket to a free port. Returns its endpoint, which ends in NUL.
///
/// # Safety
/// The socket exists, and is used by this thread alone.
unsafe fn bind(socket: *mut c_void) -> [u8; 64] {
    let mut endpoint = [0_u8; 64];
    let mut size = endpoint.len();
    let (value, length) = (endpoint.as_mut_ptr().cast(), &mut size);
    // SAFETY: the value has this length; the caller guarantees the rest.
    unsafe {
        assert_eq!(zmq_bind(socket, c"tcp://127.0.0.1:*".as_ptr()), 0);
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT as i32, value, length);
    }
    endpoint
}

/// Receives a message of one frame, which has this size and has to be closed.
///
/// # Safety
/// The socket is a ROUTER that exists, and is used by this thread alone.
unsafe fn receive(router: *mut c_void, size: usize) -> zmq_msg_t {
    // SAFETY: the frame is initialised before each use; the caller guarantees the rest.
    unsafe {
        let mut frame = std::mem::zeroed();
        zmq_msg_init(&mut frame);
        zmq_msg_recv(&mut frame, router, 0);
        zmq_msg_close(&mut frame);
        zmq_msg_init(&mut frame);
        assert_eq!(zmq_msg_recv(&mut frame, router, 0) as usize, size);
        frame
    }
}

/// A property of a received frame.
///
/// # Safety
/// The frame is initialised.
unsafe fn property(frame: &zmq_msg_t, name: &CStr) -> String {
    // SAFETY: the caller guarantees it; the value lives as long as the frame.
    unsafe {
        let value = zmq_msg_gets(frame, name.as_ptr());
        assert!(!value.is_null(), "no {name:?}");
        CStr::from_ptr(value).to_str().unwrap().to_owned()
    }
}

/// The PINGs of a peer that says nothing else are no message without an end.
#[test]
fn a_command_is_complete() {
    let _alone = alone();
    // SAFETY: a fresh context and sockets, used and terminated on this thread. The option is an int.
    unsafe {
        let context = zmq_ctx_new();
        let router = zmq_socket(context, ZMQ_ROUTER as i32);
        let endpoint = bind(router);
        let dealer = zmq_socket(context, ZMQ_DEALER as i32);
        let interval: i32 = 1;
        let value = (&raw const interval).cast();
        zmq_setsockopt(dealer, ZMQ_HEARTBEAT_IVL as i32, value, size_of::<i32>());
        assert_eq!(zmq_connect(dealer, endpoint.as_ptr().cast()), 0);
        let sum =
            |count: unsafe extern "C" fn(i64) -> u64| (0..1024).map(|fd| count(fd)).sum::<u64>();
        let end = Instant::now() + Duration::from_secs(30);
        while sum(zmq_sys_received) < 5000 {
            assert!(Instant::now() < end, "no PINGs arrive");
            std::thread::sleep(Duration::from_millis(1));
        }
        let unfinished = sum(zmq_sys_unfinished);
        assert!(unfinished < 1000, "{unfinished}");
        zmq_close(dealer);
        zmq_close(router);
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

/// The bytes of a connection do not count for the next one with the same descriptor.
#[test]
fn each_connection_is_counted_for_itself() {
    let _alone = alone();
    // SAFETY: a fresh context and sockets, used and terminated on this thread; the buffers have these lengths.
    unsafe {
        let context = zmq_ctx_new();
        let router = zmq_socket(context, ZMQ_ROUTER as i32);
        let endpoint = bind(router);
        let large = vec![0_u8; 1_000_000];
        let mut used = Vec::new();
        for n in 0..200 {
            let dealer = zmq_socket(context, ZMQ_DEALER as i32);
            assert_eq!(zmq_connect(dealer, endpoint.as_ptr().cast()), 0);
            let sent = &large[..if n < 20 { large.len() } else { 1 }];
            zmq_send(dealer, sent.as_ptr().cast(), sent.len(), 0);
            let mut frame = receive(router, sent.len());
            let descriptor: i64 = property(&frame, c"__fd").parse().unwrap();
            let received = zmq_sys_received(descriptor);
            assert!((sent.len() as u64..sent.len() as u64 + 1000).contains(&received));
            assert!(zmq_sys_unfinished(descriptor) < 1000);
            if n >= 20 && used.contains(&descriptor) {
                used.clear();
            }
            if n < 20 {
                used.push(descriptor);
            }
            zmq_msg_close(&mut frame);
            zmq_close(dealer);
        }
        assert!(used.is_empty(), "no descriptor was used again");
        zmq_close(router);
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

/// Whatever the C library says about Unix sockets: without these properties the broker takes a peer for one of its own
/// process.
#[cfg(unix)]
#[test]
fn a_message_over_ipc_has_its_descriptor_and_an_address() {
    let _alone = alone();
    let name = format!("zmq-sys-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let endpoint = std::ffi::CString::new(format!("ipc://{}", path.display())).unwrap();
    // SAFETY: a fresh context and sockets, used and terminated on this thread; the buffer has this length.
    unsafe {
        let context = zmq_ctx_new();
        let router = zmq_socket(context, ZMQ_ROUTER as i32);
        assert_eq!(zmq_bind(router, endpoint.as_ptr()), 0);
        let dealer = zmq_socket(context, ZMQ_DEALER as i32);
        assert_eq!(zmq_connect(dealer, endpoint.as_ptr()), 0);
        assert_eq!(zmq_send(dealer, [0_u8; 1].as_ptr().cast(), 1, 0), 1);
        let mut frame = receive(router, 1);
        let descriptor: i64 = property(&frame, c"__fd").parse().unwrap();
        assert!(zmq_sys_received(descriptor) > 0);
        assert!(property(&frame, c"Peer-Address").starts_with("localhost"));
        zmq_msg_close(&mut frame);
        zmq_close(dealer);
        zmq_close(router);
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

const KIB: u64 = 1 << 10;

/// The cost of a part beyond its bytes.
const PART: u64 = 62;

/// The bytes of all connections together beyond the room, because each thread reads so much at once.
const BEYOND: u64 = 64 * KIB;

/// A ROUTER and the room of its connections.
struct Side {
    _alone: MutexGuard<'static, ()>,
    context: *mut c_void,
    router: *mut c_void,
    address: SocketAddr,
    room: i64,
    connections: Vec<(i64, u32)>,
}

impl Side {
    /// `user`: all peers are admitted as a user.
    fn new(room: u64, user: bool) -> Side {
        let alone = alone();
        // SAFETY: a fresh context and sockets, terminated in `drop`; the values have these lengths.
        let (context, router, address) = unsafe {
            let context = zmq_ctx_new();
            let router = zmq_socket(context, ZMQ_ROUTER as i32);
            if user {
                let handler = zmq_socket(context, ZMQ_ROUTER as i32) as usize;
                assert_eq!(
                    zmq_bind(handler as *mut c_void, c"inproc://zeromq.zap.01".as_ptr()),
                    0
                );
                std::thread::spawn(move || admit(handler as *mut c_void));
                zmq_setsockopt(router, ZMQ_ZAP_DOMAIN as i32, c"d".as_ptr().cast(), 1);
            }
            let endpoint = bind(router);
            let endpoint = CStr::from_bytes_until_nul(&endpoint).unwrap();
            let address = endpoint.to_str().unwrap().strip_prefix("tcp://").unwrap();
            zmq_sys_add_room(room as i64);
            (context, router, address.parse().unwrap())
        };
        Side {
            _alone: alone,
            context,
            router,
            address,
            room: room as i64,
            connections: Vec::new(),
        }
    }

    /// A connection before its handshake.
    fn dial(&mut self) -> (TcpStream, i64) {
        let before: Vec<u32> = (0..4096).map(serial).collect();
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut fd = None;
        wait("a connection", || {
            fd = (0..4096).find(|&fd| serial(fd) != before[fd as usize]);
            fd.is_some()
        });
        let fd = fd.unwrap();
        self.connections.push((fd, serial(fd)));
        (stream, fd)
    }

    /// A connection after its handshake.
    fn connect(&mut self) -> (TcpStream, i64) {
        let (mut stream, fd) = self.dial();
        stream.write_all(&greeting()).unwrap();
        stream
            .write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER")
            .unwrap();
        let mut theirs = [0; 66];
        stream.read_exact(&mut theirs).unwrap();
        let mut ready = vec![0; theirs[65].into()];
        stream.read_exact(&mut ready).unwrap();
        // What follows is read after the handshake.
        wait("the handshake ends", || received(fd) == 94);
        (stream, fd)
    }

    fn sum(&self, of: unsafe extern "C" fn(i64) -> u64) -> u64 {
        // SAFETY: any number may be asked for.
        self.connections
            .iter()
            .map(|&(fd, _)| unsafe { of(fd) })
            .sum()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: they are not used any more.
        unsafe {
            zmq_sys_add_room(-self.room);
            zmq_close(self.router);
            assert_eq!(zmq_ctx_term(self.context), 0);
        }
    }
}

/// Answers requests for admission until the context ends.
fn admit(handler: *mut c_void) {
    // SAFETY: only this thread uses the socket.
    unsafe {
        loop {
            let mut frames: Vec<Vec<u8>> = Vec::new();
            loop {
                let mut frame = std::mem::zeroed();
                zmq_msg_init(&mut frame);
                if zmq_msg_recv(&mut frame, handler, 0) < 0 {
                    zmq_close(handler);
                    return;
                }
                let data = zmq_msg_data(&mut frame).cast::<u8>();
                frames.push(std::slice::from_raw_parts(data, zmq_msg_size(&frame)).to_vec());
                let more = zmq_msg_more(&frame) == 1;
                zmq_msg_close(&mut frame);
                if !more {
                    break;
                }
            }
            frames.truncate(4);
            frames.extend(["200", "OK", "one", ""].map(|text| text.as_bytes().to_vec()));
            for (n, frame) in frames.iter().enumerate() {
                let flags = if n + 1 < frames.len() { ZMQ_SNDMORE } else { 0 };
                zmq_send(handler, frame.as_ptr().cast(), frame.len(), flags as i32);
            }
        }
    }
}

fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[..12].copy_from_slice(b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0");
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// The head of a long frame.
fn head(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 2][..], &size.to_be_bytes()].concat()
}

const MORE: u8 = 1;

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn serial(fd: i64) -> u32 {
    // SAFETY: any number may be asked for.
    unsafe { zmq_sys_serial(fd) }
}

fn received(fd: i64) -> u64 {
    // SAFETY: as above.
    unsafe { zmq_sys_received(fd) }
}

fn unfinished(fd: i64) -> u64 {
    // SAFETY: as above.
    unsafe { zmq_sys_unfinished(fd) }
}

fn waits(fd: i64) -> bool {
    // SAFETY: as above.
    unsafe { zmq_sys_waits(fd) == 1 }
}

fn is_full() -> bool {
    // SAFETY: it reads two numbers.
    unsafe { zmq_sys_is_full() == 1 }
}

/// Writes from a thread of its own, because what waits is not read.
fn write(stream: &TcpStream, bytes: Vec<u8>) {
    let mut stream = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let _ = stream.write_all(&bytes);
    });
}

/// The name of the user, which libzmq passes on before the first frame of a connection, ends no message.
#[test]
fn a_first_frame_counts_until_its_message_is_complete() {
    let mut side = Side::new(1 << 40, true);
    let (stream, fd) = side.connect();
    let size = 1000 * KIB;
    write(&stream, [head(MORE, size), vec![0; size as usize]].concat());
    wait("the frame was passed on", || received(fd) >= size + PART);
    assert!(unfinished(fd) >= size, "{}", unfinished(fd));
    write(&stream, vec![0, 0]);
    wait("the message is complete", || unfinished(fd) == 0);
}

#[test]
fn bytes_before_the_handshake_take_nothing_from_others() {
    let mut side = Side::new(128 * KIB, false);
    let strangers: Vec<_> = (0..40)
        .map(|_| {
            let (mut stream, fd) = side.dial();
            stream.write_all(&greeting()).unwrap();
            stream.write_all(&head(4, 8000)).unwrap();
            stream.write_all(&[0; 7000]).unwrap();
            (stream, fd)
        })
        .collect();
    wait("they arrive", || side.sum(zmq_sys_received) >= 40 * 7000);
    assert!(!is_full());
    assert_eq!(side.sum(zmq_sys_unfinished), 0);
    assert!(!strangers.iter().any(|&(_, fd)| waits(fd)));
    // They do not make others small either.
    let (many, few) = (side.connect(), side.connect());
    write(
        &many.0,
        [head(MORE, 500 * KIB), vec![0; 500 * KIB as usize]].concat(),
    );
    wait("there is too much", || waits(many.1));
    write(
        &few.0,
        [head(0, 15 * KIB), vec![0; 15 * KIB as usize]].concat(),
    );
    wait("it is read", || {
        received(few.1) >= 15 * KIB && unfinished(few.1) == 0
    });
}

#[test]
fn more_bytes_before_the_handshake_end_it() {
    let mut side = Side::new(1 << 40, false);
    let (mut stream, fd) = side.dial();
    let junk = [&greeting()[..], &head(4, 1 << 20), &[0; 100_000]].concat();
    write(&stream, junk);
    // With a reset, because not all was read.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(received(fd), 8 * KIB);
    // SAFETY: any number may be asked for.
    assert_eq!(unsafe { zmq_sys_was_cut(fd) }, 2);
}

#[test]
fn the_bytes_of_all_are_bounded_and_small_messages_become_complete() {
    let room = 1024 * KIB;
    let mut side = Side::new(room, false);
    let first = side.connect();
    write(
        &first.0,
        [head(MORE, 4 * room), vec![0; 4 * room as usize]].concat(),
    );
    wait("there is too much", || waits(first.1));
    let others: Vec<_> = (0..31).map(|_| side.connect()).collect();
    for (stream, _) in &others {
        // Alone, so that libzmq reads what follows directly into the frame.
        let mut stream = stream;
        stream.write_all(&head(0, 300 * KIB)).unwrap();
    }
    wait("the heads arrive", || {
        others.iter().all(|&(_, fd)| unfinished(fd) > 0)
    });
    for (stream, _) in &others {
        write(stream, vec![0; 300 * KIB as usize]);
    }
    wait("all wait", || others.iter().all(|&(_, fd)| waits(fd)));
    let small = room / 4 / 32;
    for &(_, fd) in &others {
        assert!(unfinished(fd) <= small, "{}", unfinished(fd));
    }
    let sum = side.sum(zmq_sys_unfinished);
    assert!(sum <= room + BEYOND + 31 * small, "{sum}");
    let (mut stream, fd) = side.connect();
    stream
        .write_all(&[&head(0, 5000)[..], &[0; 5000]].concat())
        .unwrap();
    wait("it is read", || received(fd) >= 5000 && unfinished(fd) == 0);
    // As those that are named are.
    for &(_, fd) in &others {
        // SAFETY: any number may be named.
        unsafe { zmq_sys_allow(fd, 400 * KIB) };
    }
    wait("all are read", || {
        others.iter().all(|&(_, fd)| unfinished(fd) == 0)
    });
}

#[test]
fn allowed_bytes_are_read() {
    let mut side = Side::new(64 * KIB, false);
    let (stream, fd) = side.connect();
    write(
        &stream,
        [
            head(MORE, 900 * KIB),
            vec![0; 900 * KIB as usize],
            vec![0, 0],
        ]
        .concat(),
    );
    wait("it waits", || waits(fd));
    assert!(unfinished(fd) <= 64 * KIB + BEYOND);
    // SAFETY: any number may be named.
    unsafe { zmq_sys_allow(fd, 500 * KIB) };
    wait("it waits again", || {
        unfinished(fd) == 500 * KIB && waits(fd)
    });
    // SAFETY: as above.
    unsafe { zmq_sys_allow(fd, 1000 * KIB) };
    wait("it is complete", || unfinished(fd) == 0);
    assert!(!is_full());
}

#[test]
fn a_connection_that_waits_ends_and_not_another_one_with_its_descriptor() {
    let mut side = Side::new(64 * KIB, false);
    let (mut stream, fd) = side.connect();
    write(
        &stream,
        [head(MORE, 900 * KIB), vec![0; 900 * KIB as usize]].concat(),
    );
    wait("it waits", || waits(fd));
    let (before, other) = (serial(fd), serial(fd) + 1);
    // SAFETY: any numbers may be named.
    unsafe { zmq_sys_end(fd, other) };
    // Until then the I/O thread has tried to read it: another connection was accepted and read.
    let (another, its) = side.connect();
    write(&another, b"\0\x01x".to_vec());
    wait("another one is read", || {
        received(its) >= 97 && unfinished(its) == 0
    });
    assert!(waits(fd));
    // SAFETY: as above.
    unsafe { zmq_sys_end(fd, before) };
    let _ = stream.read_to_end(&mut Vec::new());
    wait("its bytes do not count any more", || !is_full());
    drop(stream);
    let mut others = Vec::new();
    let mut stream = loop {
        let (stream, next) = side.connect();
        if next == fd {
            break stream;
        }
        others.push(stream);
        assert!(others.len() < 20, "the descriptor is not used again");
    };
    // SAFETY: as above.
    unsafe { zmq_sys_end(fd, before) };
    stream.write_all(b"\0\x01x").unwrap();
    wait("it is read", || received(fd) >= 97 && unfinished(fd) == 0);
}
