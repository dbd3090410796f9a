//! Access to the device: users, passwords, tokens, rights.
//!
//! Time and the seed of the token values are parameters. It must not know the configuration.

mod basic;
mod rights;
mod token;
mod users;

use std::collections::BTreeMap;
use std::fmt;

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use self::rights::Access;
use self::token::Token;
use crate::config::{SimConfig, TwoCredentials, UserConfig};
use crate::failure::Failure;
use crate::tmos::TmosVersion;
use crate::validate::text;

/// The login provider of a device without remote authentication (recorded, ANS).
const PROVIDER: &str = "https://localhost/mgmt/cm/system/authn/providers/tmos/\
    1f44a60e-11a7-3c51-a49f-82983026b41b";
/// The header that carries a token.
pub(crate) const TOKEN_HEADER: &str = "x-f5-auth-token";
/// The built-in user: the token leak spares it.
const BUILT_IN_USER: &str = "admin";

/// Users and their tokens.
#[derive(Clone)]
pub(crate) struct Accounts {
    version: TmosVersion,
    users: BTreeMap<String, Account>,
    tokens: BTreeMap<String, Token>,
    leaks_tokens: bool,
    accepts_basic: bool,
    two_credentials: TwoCredentials,
    token_state: u64,
    logins: u64,
    failed_logins: u64,
}

#[derive(Debug, Clone)]
struct Account {
    config: UserConfig,
    /// Refused logins since the last good one.
    failures: u32,
}

impl Account {
    fn new(config: UserConfig) -> Self {
        let failures = 0;
        Self { config, failures }
    }

    /// *Assumed*: no answer to a locked account was recorded.
    fn is_locked(&self) -> bool {
        let limit = self.config.lock_after;
        limit.is_some_and(|limit| self.failures >= limit)
    }
}

impl Accounts {
    pub(crate) fn new(config: &SimConfig, seed: u64) -> Self {
        let users = config.users.iter().cloned();
        Self {
            version: config.version,
            users: users
                .map(|user| (user.name.clone(), Account::new(user)))
                .collect(),
            tokens: BTreeMap::new(),
            leaks_tokens: config.leaks_tokens,
            accepts_basic: config.accepts_basic,
            two_credentials: config.two_credentials,
            token_state: seed,
            logins: 0,
            failed_logins: 0,
        }
    }

    pub(crate) fn set_version(&mut self, version: TmosVersion) {
        self.version = version;
    }

    /// Lets the tokens that are over or dropped count no more. A reboot does, as it empties `/run`, where
    /// they are (f5devcentral/application-study-tool#125).
    pub(crate) fn forget_leaked_tokens(&mut self) {
        self.tokens.retain(|_, token| !token.dropped);
        self.tokens
            .values_mut()
            .for_each(|token| token.leaks = false);
    }

    /// Changes a password, or adds the user. Tokens given out before stay good, a locked account
    /// stays locked (both *assumed*).
    pub(crate) fn set_password(&mut self, user: &str, password: &str) {
        let account = self
            .users
            .entry(user.to_owned())
            .or_insert_with(|| Account::new(UserConfig::new(user, "")));
        password.clone_into(&mut account.config.password);
    }

    /// Adds a user, or changes the one of this name.
    pub(crate) fn set_user(&mut self, user: &UserConfig) {
        let account = Account::new(user.clone());
        self.users.insert(user.name.clone(), account);
    }

    /// Removes a user; false if there was none.
    pub(crate) fn remove_user(&mut self, user: &str) -> bool {
        self.users.remove(user).is_some()
    }

    /// Lets a locked account log in again; false if there is no such user.
    pub(crate) fn unlock_user(&mut self, user: &str) -> bool {
        let account = self.users.get_mut(user);
        account.map(|account| account.failures = 0).is_some()
    }

    /// Login attempts so far.
    pub(crate) fn logins(&self) -> u64 {
        self.logins
    }

    /// Passwords refused, at the login or as Basic credentials: a wrong name or password, or a locked account.
    pub(crate) fn failed_logins(&self) -> u64 {
        self.failed_logins
    }

    /// Tokens of the user that are good at this time.
    pub(crate) fn live_tokens(&self, user: &str, now: Timestamp) -> usize {
        self.tokens_of(user)
            .filter(|token| token.is_good(now))
            .count()
    }

    fn tokens_of(&self, user: &str) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| token.user == user)
    }

    /// Whether the user holds as many tokens as it may.
    fn is_at_limit(&self, config: &UserConfig, now: Timestamp) -> bool {
        let counts = |token: &&Token| token.leaks || token.is_good(now);
        let held = self.tokens_of(&config.name).filter(counts).count();
        let limit = config.token_limit;
        self.version.limits_tokens() && limit.is_some_and(|limit| held >= limit)
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
        let Some(config) = self.account_of(&user, &password) else {
            return Err(Failure::authentication_failed(&user, &provider));
        };
        if self.is_at_limit(&config, now) {
            return Err(Failure::too_many_tokens(&user));
        }
        let leaks = self.leaks_tokens && user != BUILT_IN_USER;
        let token = Token::new(&user, client, leaks, now);
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

    /// The account, if the password is right and it is not locked. Counts a refusal.
    fn account_of(&mut self, user: &str, password: &str) -> Option<UserConfig> {
        let account = self.users.get_mut(user);
        let (is_right, account) = match account {
            Some(account) => (
                account.config.password == password && !account.is_locked(),
                Some(account),
            ),
            None => (false, None),
        };
        if is_right {
            return account.map(|account| {
                account.failures = 0;
                account.config.clone()
            });
        }
        self.failed_logins += 1;
        if let Some(account) = account {
            account.failures += 1;
        }
        None
    }

    /// The sender of a request, by its headers. *Assumed*: where a token and Basic credentials are taken
    /// together, the token counts.
    pub(crate) fn authorize(
        &mut self,
        headers: &HeaderMap,
        path: &str,
        client: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let token = headers
            .get(TOKEN_HEADER)
            .map(|value| value.to_str().unwrap_or_default());
        let client = client.unwrap_or("Unknown");
        let id = match (token, headers.get(AUTHORIZATION)) {
            (Some(_), Some(_)) if self.two_credentials == TwoCredentials::Refused => {
                return Err(Failure::authorization_header());
            }
            (Some(id), _) => id,
            (None, Some(basic)) => return self.by_basic(basic.as_bytes()),
            (None, None) => return Err(Failure::no_credentials(path, client)),
        };
        let token = self.tokens.get(id).filter(|token| !token.dropped);
        let token = token.ok_or_else(Failure::token_unknown)?;
        if token.is_over(now) {
            Err(Failure::token_expired())
        } else if self.users.contains_key(&token.user) {
            Ok(token.user.clone())
        } else {
            Err(Failure::user_gone(&token.user, path, client))
        }
    }

    /// The user of these Basic credentials. A wrong password counts towards the lock as one at the login does
    /// (*assumed*: both are checked by PAM).
    fn by_basic(&mut self, header: &[u8]) -> Result<String, Failure> {
        let refused = Failure::authorization_header;
        if !self.accepts_basic {
            return Err(refused());
        }
        let (user, password) = basic::credentials(header).ok_or_else(refused)?;
        self.account_of(&user, &password).ok_or_else(refused)?;
        Ok(user)
    }

    /// Whether a user's role allows this call.
    pub(crate) fn check_rights(&self, user: &str, access: &Access<'_>) -> Result<(), Failure> {
        let account = self.users.get(user);
        account.map_or(Ok(()), |account| {
            rights::check(&account.config.rights, user, access)
        })
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
        let token = self.tokens.get_mut(id).filter(|token| !token.dropped);
        let token = token.ok_or_else(Failure::token_not_found)?;
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
                token.dropped = true;
                let answer = token.show(id);
                if !token.leaks {
                    self.tokens.remove(id);
                }
                Ok(answer)
            }
            _ => Err(Failure::not_simulated(&format!("{method} of a token"))),
        }
    }

    /// `shared/authz/tokens`: the good tokens of the user. The kind is FCP's, the rest is *assumed* from the
    /// token itself.
    pub(crate) fn own_tokens(&self, user: &str, now: Timestamp) -> Value {
        let tokens = self.tokens.iter();
        let own = tokens.filter(|(_, token)| token.user == user && token.is_good(now));
        json!({
            "items": own.map(|(id, token)| token.show(id)).collect::<Vec<_>>(),
            "generation": 1,
            "kind": "shared:authz:tokens:authtokencollectionstate",
            "selfLink": "https://localhost/mgmt/shared/authz/tokens",
        })
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

/// Without token values: each is a login.
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

fn object(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::bad_login_body("the body is no JSON object"))
}

fn required(properties: &Map<String, Value>, key: &str) -> Result<String, Failure> {
    text(properties, key)
        .ok()
        .flatten()
        .ok_or_else(|| Failure::bad_login_body(&format!("{key} must be given")))
}
