//! The authenticated user behind a peer.

use crate::wire::Frame;

/// Separator between the parts of a principal in its text form. No part may contain it.
const SEPARATOR: char = '\u{1f}';

/// The credential of peers in this process, which are admitted without a handshake.
const IN_PROCESS: &str = "inproc";

/// The authenticated user behind a peer, as established by the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The credential that was admitted. When the rules no longer contain it, its peers are
    /// disconnected.
    pub credential: String,
    /// The name of the user.
    pub user: String,
    /// The metadata that the authenticator added, as JSON; empty if there are none.
    pub metadata: String,
}

impl Principal {
    /// The principal of a peer in this process.
    pub fn in_process(user: &str) -> Self {
        Principal {
            credential: IN_PROCESS.into(),
            user: user.into(),
            metadata: String::new(),
        }
    }

    pub(super) fn is_in_process(&self) -> bool {
        self.credential == IN_PROCESS
    }

    /// The text form, which accompanies each message inside the process.
    pub fn to_text(&self) -> String {
        let Principal {
            credential,
            user,
            metadata,
        } = self;
        format!("{credential}{SEPARATOR}{user}{SEPARATOR}{metadata}")
    }

    /// Parses the form of [`to_text`](Self::to_text).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(SEPARATOR).map(str::to_owned);
        let principal = Principal {
            credential: parts.next()?,
            user: parts.next()?,
            metadata: parts.next()?,
        };
        parts.next().is_none().then_some(principal)
    }

    /// The frame that tells a 1.x worker the user: the name and, after a NUL, the metadata.
    pub(super) fn to_frame<F: Frame>(&self) -> F {
        if self.metadata.is_empty() {
            return F::from(self.user.as_bytes());
        }
        F::from(format!("{}\0{}", self.user, self.metadata).into_bytes())
    }
}

/// Whether two frames are of users of one name.
pub(super) fn is_same_user(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    name_of(a) == name_of(b)
}

/// The name in a user frame, without the metadata, which may have changed since.
fn name_of(user: Option<&[u8]>) -> Option<&[u8]> {
    user?.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_survives_its_text() {
        let principal = Principal {
            credential: "curve:key".into(),
            user: "somebody else".into(),
            metadata: "{\"a\":1}".into(),
        };
        assert_eq!(Principal::parse(&principal.to_text()), Some(principal));
        assert_eq!(Principal::parse("only\u{1f}two"), None);
        assert_eq!(Principal::parse("a\u{1f}b\u{1f}c\u{1f}d"), None);
    }
}
