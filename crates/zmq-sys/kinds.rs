//! Leaves out the kinds of sockets that nothing here opens, such as PUB and REQ: 120 kB. libzmq's files stay unchanged:
//! where they make a socket or its session, the class names of removed kinds are macros for an existing kind; the removed
//! kinds are never instantiated.

use std::path::Path;

/// The classes of the removed kinds. PAIR, DEALER and ROUTER stay.
const LEFT_OUT: [&str; 18] = [
    "channel", "client", "dgram", "dish", "gather", "peer", "pub", "pull", "push", "radio", "rep",
    "req", "scatter", "server", "stream", "sub", "xpub", "xsub",
];
/// The removed kinds whose sessions have a class of their own.
const WITH_SESSION: [&str; 3] = ["dish", "radio", "req"];

/// The lines that include a file of libzmq into a unit.
pub fn include(path: &Path) -> String {
    let file = path.display().to_string().replace('\\', "/");
    let line = format!("#include \"{file}\"\n");
    match path.file_name().and_then(|name| name.to_str()) {
        // The call that makes a socket: fails with EINVAL for an unknown kind.
        Some("ctx.cpp") => format!(
            "#include \"socket_base.hpp\"\n\
             namespace zmq_sys {{ static int known (int type_) {{\n\
             return type_ == ZMQ_PAIR || type_ == ZMQ_DEALER || type_ == ZMQ_ROUTER ? type_ : -1; }} }}\n\
             #define create(type_, ctx_, tid_, sid_) create (zmq_sys::known (type_), ctx_, tid_, sid_)\n\
             {line}\
             #undef create\n"
        ),
        Some("socket_base.cpp" | "session_base.cpp") => {
            let headers = LEFT_OUT.iter().chain(&["pair"]);
            let headers = headers.map(|kind| format!("#include \"{kind}.hpp\"\n"));
            let kinds = LEFT_OUT.iter().map(|kind| (format!("{kind}_t"), "pair_t"));
            let sessions = WITH_SESSION.iter();
            let sessions = sessions.map(|kind| (format!("{kind}_session_t"), "session_base_t"));
            let names: Vec<_> = kinds.chain(sessions).collect();
            let before = names
                .iter()
                .map(|(name, other)| format!("#define {name} {other}\n"));
            let after = names.iter().map(|(name, _)| format!("#undef {name}\n"));
            headers.chain(before).chain([line]).chain(after).collect()
        }
        _ => line,
    }
}
