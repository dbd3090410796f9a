//! A token: its life, and how the device shows it.
//!
//! It must not know whose turn it is to hold one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::PROVIDER;
use crate::failure::Failure;

/// Life of a new token in seconds (recorded, ANS).
const TOKEN_TIMEOUT_S: i64 = 1200;
/// Longest life a token can be given, in seconds (`DevCentral` 287462).
const MAX_TOKEN_TIMEOUT_S: i64 = 36_000;
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    /// Whether it counts towards the limit after its end, too.
    pub(super) leaks: bool,
    /// Logged out; such a token is kept only if it leaks.
    pub(super) dropped: bool,
    client: Option<String>,
    start: Timestamp,
    timeout_s: i64,
    generation: u64,
    updated: Timestamp,
}

impl Token {
    pub(super) fn new(user: &str, client: Option<&str>, leaks: bool, now: Timestamp) -> Self {
        Self {
            user: user.to_owned(),
            leaks,
            dropped: false,
            client: client.map(str::to_owned),
            start: now,
            timeout_s: TOKEN_TIMEOUT_S,
            generation: 1,
            updated: now,
        }
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.as_millisecond() >= self.expiration_ms()
    }

    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        !self.dropped && !self.is_over(now)
    }

    /// Counts from the start, also after an extension (scottdware/go-bigip), in whole milliseconds
    /// (recorded, ANS).
    fn expiration_ms(&self) -> i64 {
        self.start.as_millisecond() + self.timeout_s * 1000
    }

    pub(super) fn extend(
        &mut self,
        properties: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let timeout_s = properties.get("timeout").and_then(Value::as_i64);
        match timeout_s {
            Some(timeout_s) if timeout_s > MAX_TOKEN_TIMEOUT_S => Err(Failure::token_timeout()),
            Some(timeout_s) if timeout_s > 0 => {
                self.timeout_s = timeout_s;
                self.generation += 1;
                self.updated = now;
                Ok(())
            }
            _ => Err(Failure::bad_login_body(
                "timeout must be a positive number of seconds",
            )),
        }
    }

    pub(super) fn show(&self, id: &str) -> Value {
        let user = &self.user;
        // The link of other users holds a UUID (recorded); *assumed* that the name does as well.
        let user_link = if user == "admin" {
            "https://localhost/mgmt/shared/authz/users/admin".to_owned()
        } else {
            format!("{PROVIDER}/users/{user}")
        };
        json!({
            "token": id,
            "name": id,
            "userName": user,
            "authProviderName": "tmos",
            "user": { "link": user_link },
            "timeout": self.timeout_s,
            "startTime": self.start.strftime("%Y-%m-%dT%H:%M:%S%.3f%z").to_string(),
            "address": self.client,
            "partition": "[All]",
            "generation": self.generation,
            "lastUpdateMicros": self.updated.as_microsecond(),
            "expirationMicros": self.expiration_ms() * 1000,
            "kind": "shared:authz:tokens:authtokenitemstate",
            "selfLink": format!("https://localhost/mgmt/shared/authz/tokens/{id}"),
        })
    }
}
