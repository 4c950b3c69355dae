//! Security mechanisms of sockets, keys of CURVE, and the reasons of failed handshakes.

use super::Error;
use std::ffi::{CString, c_char};
use std::fmt;

/// A CURVE key, public or secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub(super) [u8; 32]);

/// Length of a key as Z85 text.
const Z85_LEN: usize = 40;

impl Key {
    /// Parses 40 characters of Z85, which the caller has checked.
    pub fn from_z85(text: &str) -> Option<Self> {
        let text = CString::new(text)
            .ok()
            .filter(|text| text.as_bytes().len() == Z85_LEN)?;
        let mut key = [0; 32];
        // SAFETY: 40 characters and a NUL become 32 bytes.
        let decoded = unsafe { zmq_sys::zmq_z85_decode(key.as_mut_ptr(), text.as_ptr()) };
        (!decoded.is_null()).then_some(Key(key))
    }

    /// Encodes the key as 40 characters of Z85.
    pub fn to_z85(self) -> String {
        let mut text = [0u8; Z85_LEN + 1];
        // SAFETY: 32 bytes become 40 characters and a NUL.
        unsafe { zmq_sys::zmq_z85_encode(text.as_mut_ptr().cast(), self.0.as_ptr(), 32) };
        String::from_utf8_lossy(&text[..Z85_LEN]).into_owned()
    }
}

/// Keys are not printed.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Makes a new key pair: public and secret key as Z85.
pub fn key_pair() -> Result<(String, String), Error> {
    let mut public = [0u8; Z85_LEN + 1];
    let mut secret = [0u8; Z85_LEN + 1];
    // SAFETY: both have room for 40 characters and a NUL.
    let rc = unsafe {
        zmq_sys::zmq_curve_keypair(public.as_mut_ptr().cast(), secret.as_mut_ptr().cast())
    };
    if rc != 0 {
        return Err(Error::last("cannot create a key pair"));
    }
    let text = |key: &[u8]| String::from_utf8_lossy(&key[..Z85_LEN]).into_owned();
    Ok((text(&public), text(&secret)))
}

/// Derives the public key from a secret key, both as Z85.
pub fn public_key(secret: &str) -> Option<String> {
    let secret = CString::new(secret).ok()?;
    let mut public = [0 as c_char; Z85_LEN + 1];
    // SAFETY: the text ends in NUL, and there is room for 40 characters and a NUL.
    let rc = unsafe { zmq_sys::zmq_curve_public(public.as_mut_ptr(), secret.as_ptr()) };
    let public: Vec<u8> = public[..Z85_LEN].iter().map(|&c| c as u8).collect();
    (rc == 0).then(|| String::from_utf8_lossy(&public).into_owned())
}

/// The mechanism of a connecting socket.
#[derive(Clone)]
pub enum ClientSecurity {
    /// No mechanism.
    Null,
    /// CURVE.
    Curve {
        /// The broker's public key.
        server: Key,
        /// This peer's public key.
        public: Key,
        /// This peer's secret key.
        secret: Key,
    },
    /// PLAIN.
    Plain {
        /// 1 to 255 bytes.
        username: String,
        /// 1 to 255 bytes.
        password: String,
    },
}

impl fmt::Debug for ClientSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClientSecurity::Null => "Null",
            ClientSecurity::Curve { .. } => "Curve",
            ClientSecurity::Plain { .. } => "Plain",
        })
    }
}

/// The mechanism of a bound socket.
#[derive(Clone, Copy, Debug)]
pub enum ServerSecurity {
    /// CURVE.
    Curve {
        /// The broker's secret key.
        secret: Key,
    },
    /// PLAIN.
    Plain,
}

/// A monitor's report about a failed handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The other side has refused; the value is its ZAP status.
    Refused(u32),
    /// The two sides use different mechanisms.
    Mechanism,
    /// A message cannot be decrypted with the present keys.
    Cryptographic,
    /// Another violation of the protocol.
    Protocol,
    /// The connection ended before the handshake.
    Closed,
}

impl HandshakeFailure {
    /// Converts a monitor's event; `None` if it is another event.
    pub(super) fn from_event(event: u32, value: u32) -> Option<Self> {
        const CRYPTOGRAPHIC: u32 = 0x1100_0001;
        const MECHANISM_MISMATCH: u32 = 0x1100_0002;
        Some(match (event, value) {
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, status) => HandshakeFailure::Refused(status),
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, MECHANISM_MISMATCH) => {
                HandshakeFailure::Mechanism
            }
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, CRYPTOGRAPHIC) => {
                HandshakeFailure::Cryptographic
            }
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, _) => HandshakeFailure::Protocol,
            (zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, _) => HandshakeFailure::Closed,
            _ => return None,
        })
    }

    /// The description for the refused peer.
    pub fn as_str(self) -> &'static str {
        match self {
            HandshakeFailure::Refused(500) => "the broker could not decide",
            HandshakeFailure::Refused(_) => "not admitted by the broker",
            HandshakeFailure::Mechanism => "the broker uses another security mechanism",
            HandshakeFailure::Cryptographic => "the keys do not match",
            HandshakeFailure::Protocol => "the handshake was not understood",
            HandshakeFailure::Closed => "the broker ended the handshake",
        }
    }

    /// The description for the broker that has refused a peer.
    pub fn reason_at_broker(self) -> &'static str {
        match self {
            HandshakeFailure::Mechanism => "another security mechanism",
            HandshakeFailure::Cryptographic => "the keys do not match",
            HandshakeFailure::Closed => "the handshake was not finished",
            _ => "the handshake was not understood",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_two_forms() {
        let (public, secret) = key_pair().unwrap();
        assert_eq!(public_key(&secret), Some(public.clone()));
        let key = Key::from_z85(&public).unwrap();
        assert_eq!(key.to_z85(), public);
        assert_eq!(Key::from_z85("short"), None);
        assert!(!format!("{key:?}").contains(&public));
    }
}
