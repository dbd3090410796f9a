//! Runs fixtures against a device, one after the other, and cleans up after each what it wrote.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::conversation::Conversation;
use super::expect::{Seen, as_text, difference, fill, fill_pointer, fill_value};
use super::fixture::{Evidence, Fixture, Needs, Step};
use super::report::{Finding, Outcome, Report};
use super::target::{Asked, Target, TargetError};
use super::throwaway::Throwaway;

/// Between two tries of a request that is repeated.
const PAUSE: Duration = Duration::from_millis(250);

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
    /// The fixtures write IPv4 addresses.
    #[error(
        "the tunnel {0} has no IPv4 local address; the records that are written have IPv4 endpoints"
    )]
    TunnelFamily(String),
    /// Somebody needs it.
    #[error("the tunnel {0} holds records; name one that is there for nothing else")]
    TunnelInUse(String),
    /// Somebody else writes to it.
    #[error("record {0} is not ours: somebody else writes to the tunnel")]
    Foreign(String),
    /// What was written could not be removed.
    #[error("record {name} could not be removed ({seen})")]
    CleanUp {
        /// Its name.
        name: String,
        /// What was answered.
        seen: String,
    },
    /// The tunnel is not empty, or not known to be.
    #[error("{tunnel} could not be emptied after `{title}`; look at it by hand")]
    Left {
        /// The fixture.
        title: String,
        /// The tunnel.
        tunnel: String,
        /// Why it could not be emptied.
        source: Box<RunError>,
    },
}

/// Runs the fixtures. Once `stop` is set, the one that runs is ended and no other begun.
pub async fn run(
    target: &Target,
    fixtures: &[Fixture],
    allowed: &Allowed,
    stop: &AtomicBool,
) -> Result<Report, RunError> {
    let mut device = Conversation::log_in(target).await?;
    let report = run_all(&mut device, fixtures, allowed, stop).await;
    let given_back = device.log_out().await;
    let report = report?;
    given_back?;
    Ok(report)
}

async fn run_all(
    device: &mut Conversation<'_>,
    fixtures: &[Fixture],
    allowed: &Allowed,
    stop: &AtomicBool,
) -> Result<Report, RunError> {
    let version = version(device).await?;
    Throwaway::know_absent(device);
    let tunnel = match &allowed.tunnel {
        Some(path) => Some(Throwaway::find(device, path, allowed.write, fixtures).await?),
        None if allowed.write => return Err(RunError::NoTunnel),
        None => None,
    };
    let mut findings = Vec::new();
    for fixture in fixtures {
        let skip = if stop.load(Ordering::Relaxed) {
            Some("interrupted")
        } else {
            reason_to_skip(device, fixture, &version, allowed)
        };
        let (outcome, seen) = match (skip, &tunnel) {
            (Some(why), _) => (Outcome::Skipped { why }, String::new()),
            (None, Some(tunnel)) if fixture.needs == Needs::Write => {
                run_writing(device, fixture, tunnel).await?
            }
            (None, _) => run_one(device, fixture).await?,
        };
        findings.push(Finding {
            title: fixture.title.clone(),
            evidence: fixture.evidence,
            source: fixture.source.clone(),
            otherwise: fixture.otherwise.clone(),
            outcome,
            seen,
        });
    }
    let calls = device.calls.all();
    Ok(Report {
        version,
        findings,
        calls,
    })
}

async fn version(device: &mut Conversation<'_>) -> Result<String, RunError> {
    let answer = device.ask(Method::GET, "/mgmt/tm/sys/version").await?;
    let place = "/entries/https:~1~1localhost~1mgmt~1tm~1sys~1version~10/nestedStats/entries/Version/description";
    let version = answer.text_at(place);
    let version = version.ok_or_else(|| RunError::Version(device.shown(&answer, &[])))?;
    Ok(device.without_secrets(&version))
}

/// Runs a fixture that writes, and empties the tunnel, whatever came of it.
async fn run_writing(
    device: &mut Conversation<'_>,
    fixture: &Fixture,
    tunnel: &Throwaway,
) -> Result<(Outcome, String), RunError> {
    let outcome = run_one(device, fixture).await;
    let cleaned = tunnel.clean_up(device).await;
    cleaned.map_err(|source| RunError::Left {
        title: fixture.title.clone(),
        tunnel: fill("{tunnelPath}", &device.values),
        source: Box::new(source),
    })?;
    Ok(outcome?)
}

/// Runs one fixture up to its first difference. What it kept is forgotten, and a token that it got is given
/// back if it did not come to do so itself.
async fn run_one(
    device: &mut Conversation<'_>,
    fixture: &Fixture,
) -> Result<(Outcome, String), TargetError> {
    let before = device.values.clone();
    let done = run_steps(device, fixture).await;
    let is_complete = matches!(done, Ok((Outcome::Held | Outcome::Told, _)));
    if !is_complete && device.values.contains_key("token") {
        // The difference goes into the report; a token that stays is over in 20 minutes.
        let _ = device.give_back("token").await;
    }
    device.values = before;
    done
}

async fn run_steps(
    device: &mut Conversation<'_>,
    fixture: &Fixture,
) -> Result<(Outcome, String), TargetError> {
    let mut seen = String::new();
    for (index, step) in fixture.steps.iter().enumerate() {
        let (answer, differs) = take(device, step, fixture.asks_at(index)).await?;
        let places = step.tell.iter();
        let places: Vec<String> = places.map(|it| fill_pointer(it, &device.values)).collect();
        seen = device.shown(&answer, &places);
        let request = step.request.clone();
        let asks = fixture.asks_at(index);
        if (asks || differs.is_some()) && answer.is_lack_of_right() {
            return Ok((Outcome::NoRight { request }, seen));
        }
        if asks {
            return Ok((Outcome::Told, seen));
        }
        match differs {
            Some(_) if fixture.evidence == Evidence::Open => {
                let why = "what it takes to ask was refused";
                return Ok((Outcome::Skipped { why }, seen));
            }
            Some(expected) => {
                let expected = device.without_secrets(&expected);
                return Ok((Outcome::Differs { request, expected }, seen));
            }
            None => {}
        }
        for (name, pointer) in &step.keep {
            let value = answer.at(&fill_pointer(pointer, &device.values));
            device
                .values
                .insert(name.clone(), value.unwrap_or_default());
        }
    }
    Ok((Outcome::Held, seen))
}

/// Takes a step, again and again while its time lasts and the answer is not as expected.
async fn take(
    device: &mut Conversation<'_>,
    step: &Step,
    asks: bool,
) -> Result<(Seen, Option<String>), TargetError> {
    let end = Instant::now() + Duration::from_secs(step.within);
    loop {
        let answer = ask(device, step).await?;
        if asks {
            return Ok((answer, None));
        }
        let differs = difference(&step.expect, &answer, &device.values);
        if differs.is_none() || Instant::now() >= end {
            return Ok((answer, differs));
        }
        sleep(PAUSE).await;
    }
}

async fn ask(device: &mut Conversation<'_>, step: &Step) -> Result<Seen, TargetError> {
    let values = &device.values;
    let (method, path) = step.method_and_path().unwrap_or((Method::GET, "/"));
    let body = step.body.as_ref().map(|body| match body {
        Value::String(text) => fill(text, values),
        value => fill_value(value, values).to_string(),
    });
    let token = step.token.as_ref().map(|token| fill(token, values));
    let path = fill(path, values);
    let asked = Asked {
        method,
        path: &path,
        headers: &step.headers,
        token: token.as_deref(),
        body,
    };
    device.send(asked).await
}

fn reason_to_skip(
    device: &Conversation<'_>,
    fixture: &Fixture,
    version: &str,
    allowed: &Allowed,
) -> Option<&'static str> {
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
    if allowed.tunnel.is_none() && fixture.steps.iter().any(of_tunnel) {
        return Some("needs --tunnel");
    }
    let mut conditions = fixture.only_where.iter();
    let differs = conditions.any(|(name, wanted)| {
        let value = device.values.get(name).map(as_text);
        value.as_ref() != Some(wanted)
    });
    differs.then_some("not for a tunnel in this route domain")
}
