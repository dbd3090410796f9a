//! One login and what is said during it: values for placeholders, which of the product's calls are allowed,
//! and what must never be shown.
//!
//! It must not know fixtures.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use super::calls::Calls;
use super::expect::{Seen, Values, as_text, fill};
use super::run::RunError;
use super::target::{Asked, Target, TargetError};

/// Longest text of a device in a report, in characters.
const SHOWN_MAX: usize = 300;
/// Placeholders whose values are given in confidence.
const SECRETS: [&str; 4] = ["password", "wrongPassword", "session", "token"];

/// Somebody who is logged in.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    target: &'a Target,
    pub(crate) values: Values,
    pub(crate) calls: Calls,
}

impl<'a> Conversation<'a> {
    /// Logs in once. A refused login is not tried again.
    pub(crate) async fn log_in(target: &'a Target) -> Result<Self, RunError> {
        let credentials = &target.credentials;
        let values = [
            ("user", credentials.user.clone()),
            ("password", credentials.password.clone()),
            ("wrongPassword", format!("not-{}", credentials.password)),
            ("provider", credentials.login_provider.clone()),
        ];
        let mut conversation = Self {
            target,
            values: Values::new(),
            calls: Calls::default(),
        };
        conversation.know(values);
        let login = json!({
            "username": credentials.user,
            "password": credentials.password,
            "loginProviderName": credentials.login_provider,
        });
        let asked = Asked {
            method: Method::POST,
            path: "/mgmt/shared/authn/login",
            headers: &BTreeMap::new(),
            token: None,
            body: Some(login.to_string()),
        };
        let answer = conversation.send(asked).await?;
        let token = answer.text_at("/token/token");
        let token = token.ok_or_else(|| RunError::Login(conversation.shown(&answer, &[])))?;
        conversation.know([("session", token)]);
        Ok(conversation)
    }

    /// Gives the token back.
    pub(crate) async fn log_out(&mut self) -> Result<(), TargetError> {
        self.give_back("session").await
    }

    /// Gives a token back that has this name among the values.
    pub(crate) async fn give_back(&mut self, name: &str) -> Result<(), TargetError> {
        let token = self.values.get(name).map(as_text).unwrap_or_default();
        let path = format!("/mgmt/shared/authz/tokens/{token}");
        let asked = Asked {
            method: Method::DELETE,
            path: &path,
            headers: &BTreeMap::new(),
            token: Some(&token),
            body: None,
        };
        self.send(asked).await.map(drop)
    }

    /// Sends a request without a body by the token of this login.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Result<Seen, TargetError> {
        let token = fill("{session}", &self.values);
        let path = fill(path, &self.values);
        let asked = Asked {
            method,
            path: &path,
            headers: &BTreeMap::new(),
            token: Some(&token),
            body: None,
        };
        self.send(asked).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&mut self, asked: Asked<'_>) -> Result<Seen, TargetError> {
        let (method, path) = (asked.method.clone(), asked.path);
        let answer = self.target.send(asked).await?;
        self.calls.answered(&method, path, &answer);
        Ok(answer)
    }

    /// Adds values for placeholders.
    pub(crate) fn know(&mut self, values: impl IntoIterator<Item = (&'static str, String)>) {
        let values = values.into_iter();
        let values = values.map(|(name, value)| (name.to_owned(), Value::String(value)));
        self.values.extend(values);
    }

    /// An answer in a few words that may be shown.
    pub(crate) fn shown(&self, answer: &Seen, places: &[String]) -> String {
        self.without_secrets(&answer.summary(places))
    }

    /// A text of the device as it may be shown: short, without control characters and without what the
    /// device was given in confidence, also as JSON spells it.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let secrets = SECRETS.iter().filter_map(|name| self.values.get(*name));
        let text = secrets.fold(text.to_owned(), |text, secret| {
            let (plain, quoted) = (as_text(secret), secret.to_string());
            let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default();
            if plain.is_empty() || escaped.is_empty() {
                text
            } else {
                text.replace(escaped, "***").replace(&plain, "***")
            }
        });
        let shown = text.chars().filter(|c| !c.is_control());
        shown.take(SHOWN_MAX).collect()
    }
}
