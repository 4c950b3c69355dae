//! Keys, mechanisms and rules in their JavaScript form, checked by `lib/security.js`.

use super::units::ms;
use crate::io::security::{ClientSecurity, Key, ServerSecurity};
use crate::io::zap::{Password, RuleSet};
use crate::proto::broker::{Grant, Pattern};
use napi::bindgen_prelude::*;
use napi_derive::napi;

/// A security mechanism; keys are Z85.
#[napi(object)]
pub struct SecurityConf {
    /// `curve` or `plain`.
    pub mechanism: String,
    /// CURVE: the own secret key.
    pub secret_key: Option<String>,
    /// CURVE, connecting sockets: the own public key.
    pub public_key: Option<String>,
    /// CURVE, connecting sockets: the broker's public key.
    pub server_key: Option<String>,
    /// PLAIN, connecting sockets.
    pub username: Option<String>,
    /// PLAIN, connecting sockets.
    pub password: Option<String>,
}

/// A public key and its user.
#[napi(object)]
pub struct KeyRule {
    /// Z85.
    pub key: String,
    /// The user.
    pub user: String,
}

/// A user and the password, in clear or hashed.
#[napi(object)]
pub struct PasswordRule {
    /// The user.
    pub user: String,
    /// The password in clear text.
    pub clear: Option<String>,
    /// scrypt: log2 of the cost.
    pub log_n: Option<u32>,
    /// scrypt: the block size.
    pub r: Option<u32>,
    /// scrypt: the parallelism.
    pub p: Option<u32>,
    /// scrypt: the salt.
    pub salt: Option<Buffer>,
    /// scrypt: the expected output.
    pub hash: Option<Buffer>,
}

/// The permissions of a user.
#[napi(object)]
pub struct GrantRule {
    /// The user.
    pub user: String,
    /// Patterns of the services that it may serve.
    pub serve: Vec<String>,
    /// Patterns of the services that it may call.
    pub call: Vec<String>,
}

/// The rules of a broker.
#[napi(object)]
pub struct RulesConf {
    /// Whether every key is admitted.
    pub open: bool,
    /// The admitted keys.
    pub keys: Vec<KeyRule>,
    /// The admitted users with passwords.
    pub passwords: Vec<PasswordRule>,
    /// The permissions of the listed users.
    pub grants: Vec<GrantRule>,
    /// The permissions of all other users.
    pub others: GrantRule,
    /// The timeout of the callback `authenticate` in ms; no callback if missing.
    pub authenticate: Option<f64>,
    /// The timeout of the callback `authorize` in ms; no callback if missing.
    pub authorize: Option<f64>,
}

fn bad(what: &str) -> Error {
    Error::from_reason(format!("zmq-omdp: {what} that was not checked"))
}

fn key(text: Option<&str>) -> Result<Key> {
    text.and_then(Key::from_z85).ok_or_else(|| bad("a key"))
}

/// The mechanism of a connecting socket.
pub(super) fn client(conf: Option<&SecurityConf>) -> Result<ClientSecurity> {
    let Some(conf) = conf else {
        return Ok(ClientSecurity::Null);
    };
    if conf.mechanism == "curve" {
        return Ok(ClientSecurity::Curve {
            server: key(conf.server_key.as_deref())?,
            public: key(conf.public_key.as_deref())?,
            secret: key(conf.secret_key.as_deref())?,
        });
    }
    Ok(ClientSecurity::Plain {
        username: conf.username.clone().unwrap_or_default(),
        password: conf.password.clone().unwrap_or_default(),
    })
}

/// The mechanism of a bound socket.
pub(super) fn server(conf: &SecurityConf) -> Result<ServerSecurity> {
    if conf.mechanism == "curve" {
        let secret = key(conf.secret_key.as_deref())?;
        return Ok(ServerSecurity::Curve { secret });
    }
    Ok(ServerSecurity::Plain)
}

/// The rules for an authenticator.
pub(super) fn rules(conf: RulesConf) -> Result<RuleSet> {
    let keys = conf
        .keys
        .into_iter()
        .map(|rule| Ok((key(Some(&rule.key))?, rule.user)))
        .collect::<Result<_>>()?;
    let passwords = conf
        .passwords
        .into_iter()
        .map(|rule| {
            let user = rule.user.clone();
            Ok((user, password(rule)?))
        })
        .collect::<Result<_>>()?;
    Ok(RuleSet {
        open: conf.open,
        keys,
        passwords,
        grants: conf
            .grants
            .into_iter()
            .map(|rule| (rule.user.clone(), grant(&rule)))
            .collect(),
        others: grant(&conf.others),
        authenticate: conf.authenticate.map(ms),
        authorize: conf.authorize.map(ms),
    })
}

fn password(rule: PasswordRule) -> Result<Password> {
    if let Some(clear) = rule.clear {
        return Ok(Password::Clear(clear));
    }
    let (Some(log_n), Some(r), Some(p), Some(salt), Some(hash)) =
        (rule.log_n, rule.r, rule.p, rule.salt, rule.hash)
    else {
        return Err(bad("a password"));
    };
    Ok(Password::Scrypt {
        log_n: u8::try_from(log_n).map_err(|_| bad("a password"))?,
        r,
        p,
        salt: salt.to_vec(),
        hash: hash.to_vec(),
    })
}

fn grant(rule: &GrantRule) -> Grant {
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
    Grant {
        serve: patterns(&rule.serve),
        call: patterns(&rule.call),
    }
}
