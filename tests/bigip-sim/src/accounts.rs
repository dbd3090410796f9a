//! Who may talk to the device: users, passwords, tokens.
//!
//! Time and the seed of the token values are parameters. It must not know the configuration.

use std::collections::BTreeMap;
use std::fmt;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::config::UserConfig;
use crate::failure::Failure;
use crate::tmos::TmosVersion;
use crate::validate::text;

/// Life of a new token in seconds (recorded, ANS).
const TOKEN_TIMEOUT_S: i64 = 1200;
/// Longest life a token can be given, in seconds (`DevCentral` 287462).
const MAX_TOKEN_TIMEOUT_S: i64 = 36_000;
/// The login provider of a device without remote authentication (recorded, ANS).
const PROVIDER: &str = "https://localhost/mgmt/cm/system/authn/providers/tmos/\
    1f44a60e-11a7-3c51-a49f-82983026b41b";
/// The header that carries a token.
const TOKEN_HEADER: &str = "x-f5-auth-token";

/// Users and their tokens.
pub(crate) struct Accounts {
    version: TmosVersion,
    users: BTreeMap<String, UserConfig>,
    tokens: BTreeMap<String, Token>,
    token_state: u64,
    logins: u64,
    failed_logins: u64,
}

#[derive(Debug, Clone)]
struct Token {
    user: String,
    client: Option<String>,
    start: Timestamp,
    timeout_s: i64,
    generation: u64,
    updated: Timestamp,
}

impl Accounts {
    pub(crate) fn new(version: TmosVersion, users: &[UserConfig], seed: u64) -> Self {
        Self {
            version,
            users: users
                .iter()
                .map(|user| (user.name.clone(), user.clone()))
                .collect(),
            tokens: BTreeMap::new(),
            token_state: seed,
            logins: 0,
            failed_logins: 0,
        }
    }

    /// Changes a password, or adds the user. Tokens given out before stay good (*assumed*).
    pub(crate) fn set_password(&mut self, user: &str, password: &str) {
        let account = self
            .users
            .entry(user.to_owned())
            .or_insert_with(|| UserConfig::new(user, ""));
        password.clone_into(&mut account.password);
    }

    /// Login attempts so far.
    pub(crate) fn logins(&self) -> u64 {
        self.logins
    }

    /// Login attempts refused for a wrong name or password.
    pub(crate) fn failed_logins(&self) -> u64 {
        self.failed_logins
    }

    /// Tokens of the user that are good at this time.
    pub(crate) fn live_tokens(&self, user: &str, now: Timestamp) -> usize {
        self.tokens
            .values()
            .filter(|token| token.user == user && !token.is_over(now))
            .count()
    }

    /// `POST shared/authn/login`. An `Authorization` header is neither needed nor looked at.
    pub(crate) fn login(
        &mut self,
        body: &[u8],
        client: Option<&str>,
        now: Timestamp,
    ) -> Result<Value, Failure> {
        self.logins += 1;
        let properties = object(body)?;
        let user = required(&properties, "username")?;
        let password = required(&properties, "password")?;
        let provider = required(&properties, "loginProviderName")?;
        if !matches!(provider.as_str(), "tmos" | "local") {
            return Err(Failure::login_provider());
        }
        let Some(account) = self
            .users
            .get(&user)
            .filter(|known| known.password == password)
        else {
            self.failed_logins += 1;
            return Err(Failure::authentication_failed(&user, &provider));
        };
        if account
            .token_limit
            .is_some_and(|limit| self.live_tokens(&user, now) >= limit)
        {
            return Err(Failure::too_many_tokens(&user));
        }
        let token = Token::new(&user, client, now);
        let id = self.next_id();
        let body = json!({
            "username": user,
            "loginReference": { "link": format!("{PROVIDER}/login") },
            "loginProviderName": provider,
            "token": token.show(&id),
            "generation": 0,
            "lastUpdateMicros": 0,
        });
        self.tokens.insert(id, token);
        Ok(body)
    }

    /// Tells who sends a request, by its headers.
    pub(crate) fn authorize(
        &self,
        headers: &HeaderMap,
        path: &str,
        client: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let token = headers
            .get(TOKEN_HEADER)
            .map(|value| value.to_str().unwrap_or_default());
        match (token, headers.contains_key(AUTHORIZATION)) {
            (Some(_), true) if self.version.refuses_two_credentials() => {
                Err(Failure::authorization_header())
            }
            (Some(id), _) => match self.tokens.get(id) {
                None => Err(Failure::token_unknown()),
                Some(token) if token.is_over(now) => Err(Failure::token_expired()),
                Some(token) => Ok(token.user.clone()),
            },
            (None, true) => Err(Failure::authorization_header()),
            (None, false) => Err(Failure::no_credentials(path, client.unwrap_or("Unknown"))),
        }
    }

    /// `shared/authz/tokens/ID`: look at, extend or drop a token. All answer the flat token; for
    /// DELETE that is *assumed*.
    pub(crate) fn token(
        &mut self,
        method: &Method,
        id: &str,
        user: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Value, Failure> {
        let token = self
            .tokens
            .get_mut(id)
            .ok_or_else(Failure::token_not_found)?;
        if token.user != user {
            return Err(Failure::other_users_token());
        }
        match *method {
            Method::GET => Ok(token.show(id)),
            Method::PATCH => {
                token.extend(&object(body)?, now)?;
                Ok(token.show(id))
            }
            Method::DELETE => {
                let answer = token.show(id);
                self.tokens.remove(id);
                Ok(answer)
            }
            _ => Err(Failure::not_simulated(&format!("{method} of a token"))),
        }
    }

    /// A new token value: 26 upper-case letters and digits (recorded, ANS).
    fn next_id(&mut self) -> String {
        const ALPHABET: [char; 32] = [
            'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q',
            'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7',
        ];
        let mut bits = u128::from(self.next_random()) << 64 | u128::from(self.next_random());
        let mut id = String::new();
        for _ in 0..26 {
            let digit = usize::try_from(bits & 31).unwrap_or_default();
            id.extend(ALPHABET.get(digit));
            bits >>= 5;
        }
        id
    }

    /// `SplitMix64`: token values only have to differ, between devices and restarts too.
    fn next_random(&mut self) -> u64 {
        self.token_state = self.token_state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed =
            (self.token_state ^ (self.token_state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Without token values: whoever has one is logged in.
impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("users", &self.users)
            .field("tokens", &self.tokens.len())
            .field("logins", &self.logins)
            .field("failed_logins", &self.failed_logins)
            .finish_non_exhaustive()
    }
}

impl Token {
    fn new(user: &str, client: Option<&str>, now: Timestamp) -> Self {
        Self {
            user: user.to_owned(),
            client: client.map(str::to_owned),
            start: now,
            timeout_s: TOKEN_TIMEOUT_S,
            generation: 1,
            updated: now,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.as_millisecond() >= self.expiration_ms()
    }

    /// Counts from the start, also after an extension (scottdware/go-bigip), in whole milliseconds
    /// (recorded, ANS).
    fn expiration_ms(&self) -> i64 {
        self.start.as_millisecond() + self.timeout_s * 1000
    }

    fn extend(&mut self, properties: &Map<String, Value>, now: Timestamp) -> Result<(), Failure> {
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

    fn show(&self, id: &str) -> Value {
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

fn object(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::bad_login_body("the body is no JSON object"))
}

fn required(properties: &Map<String, Value>, key: &str) -> Result<String, Failure> {
    text(properties, key)
        .ok()
        .flatten()
        .ok_or_else(|| Failure::bad_login_body(&format!("{key} must be given")))
}
