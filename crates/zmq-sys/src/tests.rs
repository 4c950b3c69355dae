//! Checks that libzmq was built as the build script intends.

use std::ffi::CStr;

use crate::*;

fn has(capability: &CStr) -> bool {
    // SAFETY: the string ends in NUL.
    unsafe { zmq_has(capability.as_ptr()) == 1 }
}

#[test]
fn version_and_capabilities() {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the call writes to three integers.
    unsafe { zmq_version(&mut major, &mut minor, &mut patch) };
    assert_eq!((major, minor, patch), (4, 3, 5));
    assert!(has(c"curve"));
    assert!(has(c"draft"));
    assert!(has(c"ipc"));
}

#[test]
fn a_frame_has_the_size_that_libzmq_thinks() {
    // SAFETY: a fresh context, used and terminated on this thread.
    unsafe {
        let context = zmq_ctx_new();
        let size = zmq_ctx_get(context, ZMQ_MSG_T_SIZE as i32);
        assert_eq!(size as usize, size_of::<zmq_msg_t>());
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

/// Threads are woken through eventfds, and sockets are closed on exec.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_are_eventfds_and_close_on_exec() {
    // SAFETY: a fresh context and socket, used and terminated on this thread.
    let links: Vec<(String, String)> = unsafe {
        let context = zmq_ctx_new();
        let socket = zmq_socket(context, ZMQ_ROUTER as i32);
        assert_eq!(zmq_bind(socket, c"tcp://127.0.0.1:*".as_ptr()), 0);
        let links = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let link = std::fs::read_link(&path).ok()?;
                let info = path.to_string_lossy().replace("/fd/", "/fdinfo/");
                Some((
                    link.to_string_lossy().into_owned(),
                    std::fs::read_to_string(info).ok()?,
                ))
            })
            .collect();
        zmq_close(socket);
        assert_eq!(zmq_ctx_term(context), 0);
        links
    };
    let ours = |name: &str| links.iter().filter(|(link, _)| link.contains(name)).count();
    // At least the mailboxes of the reaper, the I/O thread and the socket.
    assert!(ours("[eventfd]") >= 3, "{links:?}");
    for (link, info) in &links {
        if link.contains("[eventfd]") {
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .unwrap();
            let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & 0o2000000, 0, "{link} stays open on exec");
        }
    }
}

/// Web sockets are left out; and numbers in the addresses of peers, which libzmq writes by what replaces the streams of
/// C++, are right.
#[test]
fn removed_kinds_and_their_replacement() {
    assert!(!has(c"WS"));
    // SAFETY: a fresh context and socket, used and terminated on this thread; the buffer has this length.
    unsafe {
        let context = zmq_ctx_new();
        assert_eq!(zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX as i32, 42), 0);
        let socket = zmq_socket(context, ZMQ_ROUTER as i32);
        assert_eq!(zmq_bind(socket, c"ws://127.0.0.1:*".as_ptr()), -1);
        assert_eq!(zmq_bind(socket, c"tcp://127.0.0.1:*".as_ptr()), 0);
        let mut endpoint = [0_u8; 64];
        let mut size = endpoint.len();
        let (value, length) = (endpoint.as_mut_ptr().cast(), &mut size);
        assert_eq!(
            zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT as i32, value, length),
            0
        );
        let endpoint = CStr::from_bytes_until_nul(&endpoint)
            .unwrap()
            .to_str()
            .unwrap();
        let port = endpoint.strip_prefix("tcp://127.0.0.1:").unwrap();
        assert!(port.parse::<u16>().unwrap() > 0);
        zmq_close(socket);
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

/// A kind of socket that is left out is an unknown one.
#[test]
fn kinds_of_sockets() {
    // SAFETY: a fresh context and sockets, used and terminated on this thread.
    unsafe {
        let context = zmq_ctx_new();
        for kind in [ZMQ_PAIR, ZMQ_DEALER, ZMQ_ROUTER] {
            let socket = zmq_socket(context, kind as i32);
            assert!(!socket.is_null());
            zmq_close(socket);
        }
        for kind in [ZMQ_PUB, ZMQ_SUB, ZMQ_REQ, ZMQ_REP, ZMQ_STREAM] {
            assert!(zmq_socket(context, kind as i32).is_null());
            assert_eq!(zmq_errno(), errno::EINVAL);
        }
        assert_eq!(zmq_ctx_term(context), 0);
    }
}

#[cfg(unix)]
mod counts;
