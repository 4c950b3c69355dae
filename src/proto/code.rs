//! Own codes: stable strings for failures, for callbacks, streams and peers.

/// The reason for which a request ended without a reply of its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// No sign of the reply within the request's timeout.
    ClientTimeout,
    /// The request was aborted, or its client is gone.
    Aborted,
    /// The worker was lost, or stopped, while it had the request.
    WorkerLost,
    /// The service has no worker, and the request must not wait for one.
    NoWorker,
    /// Too many requests, or bytes, wait for the service or in the broker.
    QueueFull,
    /// The broker was lost, or the connection to it, while it had the request. It is unknown
    /// whether the request ran.
    BrokerLost,
    /// The access rules do not allow this user to call the service.
    Denied,
    /// The client does not take the messages that are sent to it.
    ClientSlow,
    /// A reply is not valid JSON, or violates its dialect.
    BadReply,
    /// Another peer has the client's name, and keeps it.
    NameTaken,
    /// The request exceeds the maximum of the broker, or of its worker.
    RequestTooLarge,
    /// The reply exceeds the maximum of the broker, or of the client.
    ReplyTooLarge,
    /// The handler took longer than its worker allows.
    WorkerTimeout,
    /// The data are a stream, and its worker or its broker does not support streams.
    NoStreams,
    /// Each worker of the service has rejected the request.
    Rejected,
}

impl Code {
    /// All codes, in the order of their numbers.
    pub const ALL: [Code; 15] = [
        Code::ClientTimeout,
        Code::Aborted,
        Code::WorkerLost,
        Code::NoWorker,
        Code::QueueFull,
        Code::BrokerLost,
        Code::Denied,
        Code::ClientSlow,
        Code::BadReply,
        Code::NameTaken,
        Code::RequestTooLarge,
        Code::ReplyTooLarge,
        Code::WorkerTimeout,
        Code::NoStreams,
        Code::Rejected,
    ];

    /// The code as a string, for callbacks and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::ClientTimeout => "C_TIMEOUT",
            Code::Aborted => "C_ABORTED",
            Code::WorkerLost => "W_LOST",
            Code::NoWorker => "W_NONE",
            Code::QueueFull => "B_QUEUE_FULL",
            Code::BrokerLost => "B_LOST",
            Code::Denied => "B_DENIED",
            Code::ClientSlow => "C_SLOW",
            Code::BadReply => "W_BAD_REPLY",
            Code::NameTaken => "C_NAME_TAKEN",
            Code::RequestTooLarge => "C_TOO_LARGE",
            Code::ReplyTooLarge => "W_TOO_LARGE",
            Code::WorkerTimeout => "W_TIMEOUT",
            Code::NoStreams => "W_NO_STREAMS",
            Code::Rejected => "W_REJECTED",
        }
    }

    /// The meaning of the code, for the message of an error.
    pub fn meaning(self) -> &'static str {
        match self {
            Code::ClientTimeout => "the reply made no progress within the timeout",
            Code::Aborted => "the request was aborted",
            Code::WorkerLost => "the worker was lost, or stopped, while it held the request",
            Code::NoWorker => "no worker offers the service",
            Code::QueueFull => "the broker's queue for the service is full",
            Code::BrokerLost => "the broker was lost while it held the request",
            Code::Denied => "the broker denied the request",
            Code::ClientSlow => "the client did not read its messages",
            Code::BadReply => "the reply is not valid JSON",
            Code::NameTaken => "another peer of the broker has the same name",
            Code::RequestTooLarge => "the request is too large for its receiver",
            Code::ReplyTooLarge => "the reply is too large for its receiver",
            Code::WorkerTimeout => "the handler took longer than its worker allows",
            Code::NoStreams => {
                "the worker or its broker does not support streams as data of a request"
            }
            Code::Rejected => "every worker of the service rejected the request",
        }
    }

    /// The code of a JSON string as [`to_json`](Self::to_json) makes it; `None` if there is no such code.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let text = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Code::ALL
            .into_iter()
            .find(|code| code.as_str().as_bytes() == text)
    }

    /// The code as a JSON string, the form of every error value on the wire.
    pub fn to_json(self) -> Vec<u8> {
        format!("\"{}\"", self.as_str()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_in_their_order() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index);
        }
    }

    #[test]
    fn a_code_is_read_from_its_json_and_from_nothing_else() {
        for code in Code::ALL {
            assert_eq!(Code::from_json(&code.to_json()), Some(code));
        }
        for json in [
            &b""[..],
            b"\"",
            b"\"\"",
            b"W_LOST",
            b"\"W_LOST",
            b"\"w_lost\"",
            b"\"X\"",
        ] {
            assert_eq!(Code::from_json(json), None);
        }
    }
}
