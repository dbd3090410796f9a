//! Runs fixtures against a device and tells which hold. Cleans up what it wrote.
//!
//! No password and no token is in a report.

use hyper::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::expect::{Seen, Values, difference, fill, fill_value};
use super::fixture::{Evidence, Fixture, Needs, Step};
use super::target::{Asked, Target, TargetError};

/// Longest text of a device in a report, in characters.
const SEEN_MAX: usize = 300;

/// What may be done to the device.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Full path of a tunnel, such as `/Common/throwaway`. Without it, nothing about records is asked.
    pub tunnel: Option<String>,
    /// Whether records of the tunnel may be written. It has to be empty.
    pub write: bool,
    /// Whether a wrong password may be tried, twice.
    pub wrong_password: bool,
}

/// What became of the fixtures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version that the device runs.
    pub version: String,
    /// One of every fixture, in their order.
    pub findings: Vec<Finding>,
}

/// What became of one fixture.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The fixture.
    pub title: String,
    /// How it was known.
    pub evidence: Evidence,
    /// From where.
    pub source: String,
    /// Of an assumption: what the product does if it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub result: Result,
    /// The last answer in a few words.
    pub seen: String,
}

/// Whether a device does what a fixture says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum Result {
    /// It does.
    Held,
    /// It does not.
    Differs {
        /// The request, with its placeholders.
        request: String,
        /// What was expected.
        expected: String,
    },
    /// It was not asked.
    Skipped {
        /// Why not.
        why: &'static str,
    },
}

/// The set cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The device.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// It refuses the login.
    #[error("the login is refused ({0}); no second one is tried")]
    Login(String),
    /// It does not tell its version.
    #[error("it does not tell its version ({0})")]
    Version(String),
    /// Without a tunnel.
    #[error("name the tunnel that may be written to")]
    NoTunnel,
    /// Not a full path.
    #[error("`{0}` is no full path of a tunnel; write it as /Common/name")]
    TunnelPath(String),
    /// The tunnel is not there.
    #[error("the tunnel {tunnel} cannot be read ({seen}); create it first")]
    Tunnel {
        /// Its path.
        tunnel: String,
        /// What was answered.
        seen: String,
    },
    /// Somebody needs it.
    #[error("the tunnel {0} holds records; name one that is there for nothing else")]
    TunnelInUse(String),
    /// What was written could not be removed.
    #[error("record {name} of {tunnel} could not be removed ({seen}); remove it by hand")]
    CleanUp {
        /// Its name.
        name: String,
        /// Its tunnel.
        tunnel: String,
        /// What was answered.
        seen: String,
    },
}

/// Runs the fixtures one after the other.
pub async fn run(
    target: &Target,
    fixtures: &[Fixture],
    allowed: &Allowed,
) -> std::result::Result<Report, RunError> {
    let mut runner = Runner::log_in(target).await?;
    let report = runner.run_all(fixtures, allowed).await;
    runner.log_out().await?;
    report
}

struct Runner<'a> {
    target: &'a Target,
    values: Values,
}

impl<'a> Runner<'a> {
    async fn log_in(target: &'a Target) -> std::result::Result<Self, RunError> {
        let credentials = &target.credentials;
        let values = [
            ("user", credentials.user.clone()),
            ("password", credentials.password.clone()),
            ("wrongPassword", format!("not-{}", credentials.password)),
            ("provider", credentials.login_provider.clone()),
        ];
        let mut runner = Self {
            target,
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
        };
        let login = json!({
            "username": credentials.user,
            "password": credentials.password,
            "loginProviderName": credentials.login_provider,
        });
        let path = "/mgmt/shared/authn/login";
        let answer = runner.ask(Method::POST, path, None, Some(login)).await?;
        let token = answer.at("/token/token");
        let token = token.ok_or_else(|| RunError::Login(runner.shown(&answer)))?;
        runner.values.insert("session".to_owned(), token);
        Ok(runner)
    }

    async fn log_out(&self) -> std::result::Result<(), RunError> {
        let path = fill("/mgmt/shared/authz/tokens/{session}", &self.values);
        self.ask(Method::DELETE, &path, self.session(), None)
            .await?;
        Ok(())
    }

    async fn run_all(
        &mut self,
        fixtures: &[Fixture],
        allowed: &Allowed,
    ) -> std::result::Result<Report, RunError> {
        let version = self.version().await?;
        match &allowed.tunnel {
            Some(tunnel) => self.use_tunnel(tunnel, allowed.write).await?,
            None if allowed.write => return Err(RunError::NoTunnel),
            None => {}
        }
        let mut findings = Vec::new();
        for fixture in fixtures {
            let (result, seen) = match reason_to_skip(fixture, &version, allowed) {
                Some(why) => (Result::Skipped { why }, String::new()),
                None => self.run_one(fixture).await?,
            };
            if fixture.needs == Needs::Write && allowed.write {
                self.clean_up().await?;
            }
            findings.push(Finding {
                title: fixture.title.clone(),
                evidence: fixture.evidence,
                source: fixture.source.clone(),
                otherwise: fixture.otherwise.clone(),
                result,
                seen,
            });
        }
        Ok(Report { version, findings })
    }

    async fn version(&self) -> std::result::Result<String, RunError> {
        let path = "/mgmt/tm/sys/version";
        let answer = self.ask(Method::GET, path, self.session(), None).await?;
        let place = "/entries/https:~1~1localhost~1mgmt~1tm~1sys~1version~10/nestedStats/entries/Version/description";
        let version = answer.at(place);
        version.ok_or_else(|| RunError::Version(self.shown(&answer)))
    }

    async fn use_tunnel(&mut self, tunnel: &str, write: bool) -> std::result::Result<(), RunError> {
        let path = tunnel.strip_prefix('/').filter(|rest| rest.contains('/'));
        let path = path.ok_or_else(|| RunError::TunnelPath(tunnel.to_owned()))?;
        let segment = format!("~{}", path.replace('/', "~"));
        let url = format!("/mgmt/tm/net/tunnels/tunnel/{segment}");
        let answer = self.ask(Method::GET, &url, self.session(), None).await?;
        let local = answer.at("/localAddress").ok_or_else(|| RunError::Tunnel {
            tunnel: tunnel.to_owned(),
            seen: self.shown(&answer),
        })?;
        let domain = local.split_once('%').map_or("0", |(_, domain)| domain);
        let values = [
            ("tunnel", segment),
            ("tunnelPath", tunnel.to_owned()),
            (
                "local",
                local.split('%').next().unwrap_or_default().to_owned(),
            ),
            ("rd", domain.to_owned()),
            ("otherRd", if domain == "0" { "1" } else { "0" }.to_owned()),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value));
        self.values.extend(values);
        if write && !self.records().await?.is_empty() {
            return Err(RunError::TunnelInUse(tunnel.to_owned()));
        }
        Ok(())
    }

    /// The names of the tunnel's records.
    async fn records(&self) -> std::result::Result<Vec<String>, RunError> {
        let url = fill("/mgmt/tm/net/fdb/tunnel/{tunnel}/records", &self.values);
        let answer = self.ask(Method::GET, &url, self.session(), None).await?;
        let list: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status != 200 || !list.is_object() {
            return Err(RunError::Tunnel {
                tunnel: fill("{tunnelPath}", &self.values),
                seen: self.shown(&answer),
            });
        }
        let items = list.get("items").and_then(Value::as_array);
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        Ok(items.into_iter().flatten().filter_map(name).collect())
    }

    /// Removes what a fixture has left in the tunnel, which was empty before.
    async fn clean_up(&self) -> std::result::Result<(), RunError> {
        for name in self.records().await? {
            let url = fill("/mgmt/tm/net/fdb/tunnel/{tunnel}/records/", &self.values) + &name;
            let answer = self.ask(Method::DELETE, &url, self.session(), None).await?;
            if answer.status != 200 {
                return Err(RunError::CleanUp {
                    name,
                    tunnel: fill("{tunnelPath}", &self.values),
                    seen: self.shown(&answer),
                });
            }
        }
        Ok(())
    }

    /// Runs one fixture up to its first difference.
    async fn run_one(
        &mut self,
        fixture: &Fixture,
    ) -> std::result::Result<(Result, String), RunError> {
        let before = self.values.clone();
        let mut outcome = (Result::Held, String::new());
        for step in &fixture.steps {
            let answer = self.step(step).await?;
            outcome.1 = self.shown(&answer);
            if let Some(expected) = difference(&step.expect, &answer, &self.values) {
                let request = step.request.clone();
                let expected = self.without_secrets(&expected);
                outcome.0 = Result::Differs { request, expected };
                break;
            }
            for (name, pointer) in &step.keep {
                let value = answer.at(&fill(pointer, &self.values)).unwrap_or_default();
                self.values.insert(name.clone(), value);
            }
        }
        self.values = before;
        Ok(outcome)
    }

    async fn step(&self, step: &Step) -> std::result::Result<Seen, RunError> {
        let (method, path) = step
            .request
            .split_once(' ')
            .unwrap_or(("GET", &step.request));
        let body = step.body.as_ref().map(|body| match body {
            Value::String(text) => fill(text, &self.values),
            value => fill_value(value, &self.values).to_string(),
        });
        let token = step.token.as_ref().map(|token| fill(token, &self.values));
        let asked = Asked {
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            path: &fill(path, &self.values),
            headers: &step.headers,
            token: token.as_deref(),
            body,
        };
        Ok(self.target.send(asked).await?)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> std::result::Result<Seen, RunError> {
        let asked = Asked {
            method,
            path,
            headers: &std::collections::BTreeMap::new(),
            token,
            body: body.map(|body| body.to_string()),
        };
        Ok(self.target.send(asked).await?)
    }

    fn session(&self) -> Option<&str> {
        self.values.get("session").map(String::as_str)
    }

    fn shown(&self, answer: &Seen) -> String {
        self.without_secrets(&answer.summary())
    }

    /// A text of the device as it may be shown: short, without control characters and without what the
    /// device was given in confidence.
    fn without_secrets(&self, text: &str) -> String {
        let secrets = ["password", "wrongPassword", "session", "token"];
        let values = secrets.iter().filter_map(|name| self.values.get(*name));
        let text = values
            .filter(|value| !value.is_empty())
            .fold(text.to_owned(), |text, value| text.replace(value, "***"));
        let shown = text.chars().filter(|c| !c.is_control());
        shown.take(SEEN_MAX).collect()
    }
}

fn reason_to_skip(fixture: &Fixture, version: &str, allowed: &Allowed) -> Option<&'static str> {
    if !fixture.is_for(version) {
        return Some("not expected of this version");
    }
    match fixture.needs {
        Needs::Write if !allowed.write => return Some("needs --write"),
        Needs::WrongPassword if !allowed.wrong_password => {
            return Some("needs --wrong-password-login");
        }
        Needs::Write | Needs::WrongPassword | Needs::Read => {}
    }
    let of_tunnel = |step: &Step| step.request.contains("{tunnel}");
    let lacks_tunnel = allowed.tunnel.is_none() && fixture.steps.iter().any(of_tunnel);
    lacks_tunnel.then_some("needs --tunnel")
}
