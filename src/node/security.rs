//! Keys, mechanisms and rules as JavaScript gives them; `lib/security.js` has checked them.

use crate::io::security::{ClientSecurity, Key, ServerSecurity};
use crate::io::zap::{Password, RuleSet};
use crate::proto::broker::{Grant, Pattern};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::time::Duration;

/// A mechanism; the keys are Z85.
#[napi(object)]
pub struct SecurityConf {
    /// `curve` or `plain`.
    pub mechanism: String,
    /// CURVE.
    pub secret_key: Option<String>,
    /// CURVE, for who connects.
    pub public_key: Option<String>,
    /// CURVE, for who connects.
    pub server_key: Option<String>,
    /// PLAIN, for who connects.
    pub username: Option<String>,
    /// PLAIN, for who connects.
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
    /// In clear.
    pub clear: Option<String>,
    /// Of scrypt: log2 of the cost.
    pub log_n: Option<u32>,
    /// Of scrypt: the block size.
    pub r: Option<u32>,
    /// Of scrypt: the parallelism.
    pub p: Option<u32>,
    /// Of scrypt.
    pub salt: Option<Buffer>,
    /// Of scrypt.
    pub hash: Option<Buffer>,
}

/// What a user may do.
#[napi(object)]
pub struct GrantRule {
    /// The user.
    pub user: String,
    /// Patterns of services.
    pub serve: Vec<String>,
    /// Patterns of services.
    pub call: Vec<String>,
}

/// The rules of a broker.
#[napi(object)]
pub struct RulesConf {
    /// Whether every key is let in.
    pub open: bool,
    /// Who is let in.
    pub keys: Vec<KeyRule>,
    /// Who is let in.
    pub passwords: Vec<PasswordRule>,
    /// Who may do what.
    pub grants: Vec<GrantRule>,
    /// What those may do who are not listed.
    pub others: GrantRule,
    /// Whether JavaScript is asked whom to let in, and for how many ms.
    pub authenticate: Option<f64>,
    /// Whether JavaScript is asked what is allowed, and for how many ms.
    pub authorize: Option<f64>,
}

fn bad(what: &str) -> Error {
    Error::from_reason(format!("zmq-omdp: {what} that was not checked"))
}

fn key(text: Option<&str>) -> Result<Key> {
    text.and_then(Key::from_z85).ok_or_else(|| bad("a key"))
}

/// For a socket that connects.
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

/// For a socket that is bound.
pub(super) fn server(conf: &SecurityConf) -> Result<ServerSecurity> {
    if conf.mechanism == "curve" {
        let secret = key(conf.secret_key.as_deref())?;
        return Ok(ServerSecurity::Curve { secret });
    }
    Ok(ServerSecurity::Plain)
}

/// The rules for a authenticator.
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
    let ms = |ms: f64| Duration::from_millis(ms as u64);
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
