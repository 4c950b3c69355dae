//! Own codes: stable strings for failures, for callbacks, streams and peers.

/// Defines the codes: the variant, the string and the meaning of each.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $meaning:literal;)*) => {
        /// The reason for which a request ended without a reply of its worker.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: [Code; [$($text),*].len()] = [$(Code::$code),*];

            /// The code as a string, for callbacks and on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$code => $text,)*
                }
            }

            /// The meaning of the code, for the message of an error.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$code => $meaning,)*
                }
            }
        }
    };
}

codes! {
    /// No sign of the reply within the request's timeout.
    ClientTimeout = "C_TIMEOUT", "the reply made no progress within the timeout";

    /// The request was aborted, or its client is gone.
    Aborted = "C_ABORTED", "the request was aborted";

    /// The worker was lost, or stopped, while it had the request.
    WorkerLost = "W_LOST", "the worker was lost, or stopped, while it held the request";

    /// The service has no worker, and the request must not wait for one.
    NoWorker = "W_NONE", "no worker offers the service";

    /// Too many requests, or bytes, wait for the service or in the broker.
    QueueFull = "B_QUEUE_FULL", "the broker's queue for the service is full";

    /// The broker was lost, or the connection to it, while it had the request. It is unknown
    /// whether the request ran.
    BrokerLost = "B_LOST", "the broker was lost while it held the request";

    /// The access rules do not allow this user to call the service.
    Denied = "B_DENIED", "the broker denied the request";

    /// The client does not take the messages that are sent to it.
    ClientSlow = "C_SLOW", "the client did not read its messages";

    /// A reply is not valid JSON, or violates its dialect.
    BadReply = "W_BAD_REPLY", "the reply is not valid JSON";

    /// Another peer has the client's name, and keeps it.
    NameTaken = "C_NAME_TAKEN", "another peer of the broker has the same name";

    /// The request exceeds the maximum of the broker, or of its worker.
    RequestTooLarge = "C_TOO_LARGE", "the request is too large for its receiver";

    /// The reply exceeds the maximum of the broker, or of the client.
    ReplyTooLarge = "W_TOO_LARGE", "the reply is too large for its receiver";

    /// The handler took longer than its worker allows.
    WorkerTimeout = "W_TIMEOUT", "the handler took longer than its worker allows";

    /// The data are a stream, and its worker or its broker does not support streams.
    NoStreams = "W_NO_STREAMS", "the worker or its broker does not support streams as data of a request";

    /// Each worker of the service has rejected the request.
    Rejected = "W_REJECTED", "every worker of the service rejected the request";
}

impl Code {
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
