//! The files of ipc endpoints.

use crate::io::{Address, Error};
use std::fs;
use zmq_sys::errno;

/// Returns an error if the path of an ipc endpoint is that of a live broker, or of a file that is not a
/// socket. The file of a dead broker is left to the caller or to libzmq. Before it binds, libzmq removes
/// any file with the path, also one of the first two kinds.
pub(in crate::io) fn check_path_is_free(address: &Address, doing: &str) -> Result<(), Error> {
    let Some(path) = address.path() else {
        return Ok(());
    };
    match fs::symlink_metadata(path) {
        Ok(there) if !system::is_socket(&there) => Err(Error {
            code: "EEXIST",
            message: format!("{doing}: a file of that name exists and is not a socket"),
        }),
        Ok(_) if system::accepts(path) => Err(Error::from_errno(errno::EADDRINUSE, doing)),
        _ => Ok(()),
    }
}

#[cfg(unix)]
pub(in crate::io) use system::Identity;

#[cfg(unix)]
mod system {
    use super::*;
    use std::fs::{Metadata, Permissions};
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixStream;

    pub(super) fn is_socket(there: &Metadata) -> bool {
        there.file_type().is_socket()
    }

    pub(super) fn accepts(path: &str) -> bool {
        UnixStream::connect(path).is_ok()
    }

    /// The identity of the file that was created.
    #[derive(Debug)]
    pub(in crate::io) struct Identity {
        path: String,
        device: u64,
        inode: u64,
    }

    impl Identity {
        pub(in crate::io) fn of(
            address: &Address,
            mode: Option<u32>,
            doing: &str,
        ) -> Result<Option<Self>, Error> {
            let Some(path) = address.path() else {
                return Ok(None);
            };
            if let Some(mode) = mode {
                fs::set_permissions(path, Permissions::from_mode(mode))
                    .map_err(|error| Error::from_os(&error, doing))?;
            }
            Ok(fs::symlink_metadata(path).ok().map(|made| Identity {
                path: path.into(),
                device: made.dev(),
                inode: made.ino(),
            }))
        }

        /// Removes the file, unless another one has replaced it.
        pub(in crate::io) fn remove(&self) {
            let same = |there: &Metadata| (there.dev(), there.ino()) == (self.device, self.inode);
            if fs::symlink_metadata(&self.path).as_ref().is_ok_and(same) {
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::ffi::{c_char, c_int, c_ushort};
    use std::fs::Metadata;
    use std::os::windows::fs::MetadataExt;

    /// The attribute of files that another driver handles, such as sockets.
    const REPARSE_POINT: u32 = 0x400;

    const AF_UNIX: c_ushort = 1;
    const SOCK_STREAM: c_int = 1;
    const INVALID_SOCKET: usize = usize::MAX;
    const MAX_PATH: usize = 108;

    /// `SOCKADDR_UN` of afunix.h.
    #[repr(C)]
    struct SocketAddress {
        family: c_ushort,
        path: [c_char; MAX_PATH],
    }

    #[link(name = "ws2_32")]
    unsafe extern "system" {
        fn socket(family: c_int, kind: c_int, protocol: c_int) -> usize;
        fn connect(socket: usize, address: *const SocketAddress, length: c_int) -> c_int;
        fn closesocket(socket: usize) -> c_int;
    }

    pub(super) fn is_socket(there: &Metadata) -> bool {
        there.file_attributes() & REPARSE_POINT != 0 && !there.is_symlink() && !there.is_dir()
    }

    /// Whether a socket with this path accepts a connection. The standard library has no such sockets on
    /// Windows.
    pub(super) fn accepts(path: &str) -> bool {
        let mut address = SocketAddress {
            family: AF_UNIX,
            path: [0; MAX_PATH],
        };
        if path.len() >= MAX_PATH {
            return false;
        }
        for (to, from) in address.path.iter_mut().zip(path.bytes()) {
            *to = from as c_char;
        }
        // SAFETY: libzmq has started Winsock, because a socket exists. The address outlives the calls, and the
        // descriptor belongs to this function.
        unsafe {
            let descriptor = socket(AF_UNIX.into(), SOCK_STREAM, 0);
            if descriptor == INVALID_SOCKET {
                return false;
            }
            let length = size_of::<SocketAddress>() as c_int;
            let accepted = connect(descriptor, &address, length) == 0;
            closesocket(descriptor);
            accepted
        }
    }
}
