//! The built-in libzmq.

/// Its version, and the mark of an optimised build.
pub fn version() -> String {
    let (major, minor, patch) = zmq::version();
    format!("{major}.{minor}.{patch}{}", zmq_sys::mark(false))
}

/// Whether it has a capability (`curve`, `ipc`, `draft`, …).
pub fn has(capability: &str) -> bool {
    zmq::has(capability).unwrap_or(false)
}
