//! Whether a pipe has a reader. A write would report that, but a command may have nothing to write for
//! a long time.

/// Whether the other end of this pipe or socket is open. True for other files, for numbers that are
/// no descriptor of this process, and on Windows.
#[cfg(unix)]
pub fn has_reader(fd: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: `poll` is one entry, which lives during the call; the call does not wait. An invalid
    // descriptor is reported in `revents`.
    let found = unsafe { libc::poll(&mut poll, 1, 0) };
    found <= 0 || poll.revents & (libc::POLLERR | libc::POLLHUP) == 0
}

/// Whether the other end of this pipe or socket is open.
#[cfg(not(unix))]
pub fn has_reader(_fd: i32) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::pipe;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pipe_has_a_reader_until_its_other_end_is_closed() {
        let (reader, writer) = pipe().expect("a pipe");
        assert!(has_reader(writer.as_raw_fd()));
        drop(reader);
        assert!(!has_reader(writer.as_raw_fd()));
    }

    #[test]
    fn so_does_a_socket() {
        let (ours, theirs) = UnixStream::pair().expect("two sockets");
        assert!(has_reader(ours.as_raw_fd()));
        drop(theirs);
        assert!(!has_reader(ours.as_raw_fd()));
    }

    #[test]
    fn files_and_closed_descriptors_count_as_read() {
        let null = std::fs::File::open("/dev/null").expect("the null device");
        assert!(has_reader(null.as_raw_fd()));
        assert!(has_reader(-1));
    }
}
