//! (I/O) What the device holds: facts of the unit, the tunnel, its records.
//!
//! Asks for as little as the moment allows: one read of the records when everything else is known.
//! Decides only whether the answers are good enough to plan with.

use std::time::Duration;

use bigip_icontrol::{Error, ErrorKind, Unit};
use bigip_tunnel_core::claims::ClaimState;
use bigip_tunnel_core::endpoint::{Endpoint, RouteDomain};
use bigip_tunnel_core::outcome::{Failure, Reach};
use bigip_tunnel_core::proven::Verified;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::record::ObservedRecords;
use bigip_tunnel_core::unit::{ProvenUnit, UnitFacts, UnitIdentity};
use bigip_tunnel_core::vocabulary::reason;

use super::apply::give_up_all;
use super::dereference::Inputs;
use crate::device::{DeviceContext, DeviceState, Work};
use crate::pass::{Depth, Stop};

/// How long the unit's facts are taken for unchanged.
const FACTS_AGE_MAX: Duration = Duration::from_secs(300);
/// How many of our records may be missing before the unit is asked whether it is ready at all.
const MISSING_MAX: usize = 3;

/// Stands for the local address where none is needed.
const NO_ADDRESS: Endpoint = Endpoint {
    address: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    route_domain: RouteDomain::ZERO,
};

/// What a plan is made from.
pub(crate) struct Observed {
    /// The unit that all of it was read from. Only to it anything may be written.
    pub(crate) unit: Unit,
    /// The tunnel's local address: endpoints lie in its route domain.
    pub(crate) local_address: Endpoint,
    /// The records of the tunnel.
    pub(crate) records: ObservedRecords,
}

/// Reads the device, as far as `depth` asks for and as far as it is not known of the unit that answers now.
pub(crate) async fn observe(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &mut Inputs,
    depth: Depth,
) -> Result<Observed, Stop> {
    let observed = match log_in(ctx, state, inputs).await {
        Ok(unit) => {
            let observed = read(ctx, state, work, inputs, (unit, depth)).await;
            observed.inspect_err(|stop| note_doubt(ctx, stop))
        }
        Err(stop) => Err(stop),
    };
    if observed.is_err() {
        // After any error everything is asked again before something is concluded.
        state.facts = None;
        state.listing = None;
    }
    observed
}

fn note_doubt(ctx: &DeviceContext, stop: &Stop) {
    if makes_doubtful(stop) {
        ctx.identities.note_doubt(&ctx.device);
    }
}

/// Whether it is not known any more which unit stands there: it does not answer, or is another one.
fn makes_doubtful(stop: &Stop) -> bool {
    match stop {
        Stop::Unreachable(..) => true,
        Stop::Refused(failure) => failure.reason == reason::DEVICE_IDENTITY_CHANGED,
        Stop::Anew | Stop::Stopping => false,
    }
}

/// The unit that answers under the current login. What was read under another login may be of a different
/// one: behind the same address and certificate stands whatever unit a person or a failover puts there.
async fn log_in(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    inputs: &mut Inputs,
) -> Result<Unit, Stop> {
    let client = &inputs.session.client;
    let unit = match &inputs.no_new_login {
        None => match new_unit(ctx, inputs).await? {
            Ok(unit) => {
                if let Some(known) = &mut state.session {
                    known.previous = None;
                }
                state.report.password_refused = None;
                unit
            }
            Err(error) => {
                let unit = previous_unit(ctx, inputs, &error).await?;
                let unit = unit.ok_or_else(|| login_stop(ctx, &error))?;
                note_refusal(state, &error);
                unit
            }
        },
        Some(failure) => {
            let current = ctx.unless_stopping(client.current_unit()).await?;
            let stop = || Stop::Unreachable(failure.clone(), None);
            current
                .ok_or_else(stop)
                .inspect_err(|stop| note_doubt(ctx, stop))?
        }
    };
    let login = Some(unit.made_under());
    if state.login != login {
        state.facts = None;
        state.listing = None;
        state.login = login;
    }
    Ok(unit)
}

/// Why there is no login. One that only waits casts no doubt on the unit, which has just proven its key.
fn login_stop(ctx: &DeviceContext, error: &Error) -> Stop {
    let stop = stop_for(error);
    if !error.is_login_delayed() {
        note_doubt(ctx, &stop);
    }
    stop
}

/// The unit under a login that is made if there is none.
async fn new_unit(ctx: &DeviceContext, inputs: &Inputs) -> Result<Result<Unit, Error>, Stop> {
    let client = inputs.session.client.remembering(inputs.logins.clone());
    let unit = ctx.unless_stopping(client.unit()).await;
    // Also where the login was made for another object: each status shows the logins of its devices.
    if let Some(login) = client.login_record() {
        inputs.logins.show(login);
    }
    unit
}

/// The unit under the login of the password before, where the unit refuses the new one or it may not be sent yet: a
/// rotation that has changed the Secret first is over when the unit has the new password too.
async fn previous_unit(
    ctx: &DeviceContext,
    inputs: &mut Inputs,
    refusal: &Error,
) -> Result<Option<Unit>, Stop> {
    let is_refused = matches!(refusal.kind(), ErrorKind::LoginRefused { .. });
    if !is_refused && !refusal.is_login_delayed() {
        return Ok(None);
    }
    let Some(previous) = &inputs.previous else {
        return Ok(None);
    };
    let unit = ctx.unless_stopping(previous.client.current_unit()).await?;
    if unit.is_some() {
        inputs.session = previous.clone();
    }
    Ok(unit)
}

/// Notes that the new password was refused, and logs it when it begins.
fn note_refusal(state: &mut DeviceState, refusal: &Error) {
    let ErrorKind::LoginRefused { .. } = refusal.kind() else {
        // It was not sent yet.
        return;
    };
    let before = state.report.password_refused.replace(failure_of(refusal));
    if before.is_none() {
        let reason = refusal.reason().as_str();
        tracing::warn!(
            reason,
            "the login from before the Secret changed is used until its token ends: {refusal}"
        );
    }
}

async fn read(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    (unit, depth): (Unit, Depth),
) -> Result<Observed, Stop> {
    let now = ctx.shared.clock.now();
    let (mut facts, mut read_at) = match state.facts.take() {
        // A node that came is not made to wait for facts; the next verification reads them.
        Some(known) if depth == Depth::Quick => known,
        Some(known) if depth == Depth::Verify && known.1 + FACTS_AGE_MAX > now => known,
        _ => (read_unit(ctx, state, work, inputs, &unit).await?, now),
    };

    if depth != Depth::Quick || state.listing.is_none() {
        let mut listing = read_records(ctx, work, &unit).await?;
        if read_at != now && missing(inputs, &listing.observed) > MISSING_MAX {
            // A unit that is starting shows empty lists. Only one that says it is ready is believed.
            facts = read_unit(ctx, state, work, inputs, &unit).await?;
            read_at = now;
            listing = read_records(ctx, work, &unit).await?;
        }
        state.listing = Some(listing);
        let time = ctx.shared.clock.time();
        ctx.metrics.set_last_read(time.as_second());
        state.report.last_read_time = Some(time);
        state.report.reach = Reach::Answered;
        if let Some(device) = work.device(ctx) {
            let verified = Verified {
                place: device.place(),
                tunnel: work.settings.tunnel.clone(),
                at: now,
            };
            ctx.identities.note_verified(&ctx.device, verified);
        }
    }
    // Asked last: the other entry may have turned out to be this box only now.
    check_twin(ctx, work, &facts)?;
    // To remove what is claimed no endpoint has to be made.
    let local_address = if work.leaves(ctx) {
        NO_ADDRESS
    } else {
        local_address(&facts)?
    };
    state.facts = Some((facts, read_at));
    let records = state
        .listing
        .as_ref()
        .map(|l| l.observed.clone())
        .unwrap_or_default();
    Ok(Observed {
        unit,
        local_address,
        records,
    })
}

/// Reads the unit's facts, and checks that it is the box that it was and one that may be written.
async fn read_unit(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    unit: &Unit,
) -> Result<UnitFacts, Stop> {
    let request = unit.facts(&work.settings.tunnel);
    let mut facts = match ctx.unless_stopping(request).await? {
        Err(error) if error.reason() == reason::TUNNEL_NOT_FOUND => {
            // That a tunnel is gone counts only on the box that it was on.
            let identity = ctx.unless_stopping(unit.identity()).await?;
            let identity = identity.map_err(|error| stop_for(&error))?;
            check_box(ctx, state, work, inputs, &identity).await?;
            return Err(stop_for(&error));
        }
        facts => facts.map_err(|error| stop_for(&error))?,
    };
    if let Some(known) = &state.report.facts {
        facts.keep_mac(known);
    }
    check_box(ctx, state, work, inputs, &facts.identity).await?;
    state.report.key = ctx.identities.of(&ctx.device).map(|unit| unit.key);
    state.report.facts = Some(facts.clone());
    if !facts.version.is_supported() {
        return Err(refused(
            reason::UNSUPPORTED_VERSION,
            format!("TMOS {} is too old; 13.1 or later is needed", facts.version),
        ));
    }
    if let Some(unit) = ctx.identities.of(&ctx.device) {
        let (pool, applicant) = (&ctx.shared.pool, ctx.applicant());
        let joined = pool.join_unit(&inputs.session, &unit, &applicant);
        ctx.unless_stopping(joined).await?;
    }
    Ok(facts)
}

/// Notes which unit the device has proven to be. Without a handshake nothing is proven.
fn note_unit(ctx: &DeviceContext, inputs: &Inputs, identity: &UnitIdentity) {
    match inputs.session.client.peer_key() {
        Some(key) => {
            let identity = identity.clone();
            ctx.identities
                .note(&ctx.device, &ProvenUnit { identity, key });
        }
        None => ctx.identities.forget(&ctx.device),
    }
}

/// Reads the records.
pub(crate) async fn read_records(
    ctx: &DeviceContext,
    work: &Work,
    unit: &Unit,
) -> Result<bigip_icontrol::Listing, Stop> {
    let request = unit.records(&work.settings.tunnel);
    ctx.unless_stopping(request)
        .await?
        .map_err(|error| stop_for(&error))
}

/// How many records that were ours are not there.
fn missing(inputs: &Inputs, observed: &ObservedRecords) -> usize {
    let owned = inputs
        .claims
        .iter()
        .filter(|(_, state)| **state == ClaimState::Owned);
    owned.filter(|(mac, _)| !observed.contains(**mac)).count()
}

/// Claims were made on one box. Behind the same name there may be another one now: a replaced unit, a
/// changed address. Nothing is written to it until a person accepts it; then the claims are void,
/// and what matches is adopted as on a new device.
async fn check_box(
    ctx: &DeviceContext,
    state: &mut DeviceState,
    work: &Work,
    inputs: &Inputs,
    identity: &UnitIdentity,
) -> Result<(), Stop> {
    state.report.reach = Reach::Answered;
    // Also a unit that may not be written to is known: it is not one that has left.
    note_unit(ctx, inputs, identity);
    let identity = identity.to_string();
    state.report.found_identity = None;
    if state
        .identity
        .as_ref()
        .is_none_or(|known| *known == identity)
        || inputs.claims.is_empty()
    {
        state.report.identity = Some(identity.clone());
        state.identity = Some(identity);
        return Ok(());
    }
    let accepted = work.accepted.as_ref();
    let is_accepted = accepted.is_some_and(|answer| answer.names(&ctx.device, Some(&identity)));
    if is_accepted && !work.settings.observes {
        give_up_all(ctx, &inputs.claims).await?;
        state.report.identity = Some(identity.clone());
        state.identity = Some(identity);
        // What was changed on the other box is no business of this one.
        state.unsaved = None;
        state.report.save.unsaved_since = None;
        return Err(Stop::Anew);
    }
    state.report.found_identity = Some(identity.clone());
    Err(refused(
        reason::DEVICE_IDENTITY_CHANGED,
        format!(
            "this was {} and is now {identity}; nothing is written until the annotation {} is \
             {}={identity}",
            state.identity.as_deref().unwrap_or_default(),
            bigip_tunnel_crds::ANNOTATION_ACCEPT_DEVICE,
            ctx.device
        ),
    ))
}

/// Of two entries for one box only the one that is listed first is written to.
fn check_twin(ctx: &DeviceContext, work: &Work, facts: &UnitFacts) -> Result<(), Stop> {
    let twin = ctx.identities.twin(&ctx.device, &work.settings.devices);
    match twin {
        Some(twin) if !work.deleting && work.leaves(ctx) => Err(refused(
            reason::DUPLICATE_UNIT,
            format!("the same unit is listed as {twin}, and keeps its records"),
        )),
        Some(twin) if !work.deleting => Err(refused(
            reason::DUPLICATE_UNIT,
            format!(
                "this is the same unit as {twin} ({}); list each unit once",
                facts.identity
            ),
        )),
        _ => Ok(()),
    }
}

fn local_address(facts: &UnitFacts) -> Result<Endpoint, Stop> {
    match facts.tunnel.local_address {
        Some(local) if local.address.is_ipv4() => Ok(local),
        _ => Err(refused(
            reason::TUNNEL_MISMATCH,
            format!(
                "the local address of {} is not an IPv4 address; records could not tell their \
                 route domain",
                facts.tunnel.full_path
            ),
        )),
    }
}

fn refused(reason: Reason, message: String) -> Stop {
    Stop::Refused(Failure {
        reason,
        message,
        retryable: false,
    })
}

/// A device's error in the words that users see.
pub(crate) fn failure_of(error: &Error) -> Failure {
    Failure {
        reason: error.reason(),
        message: error.to_string(),
        retryable: error.is_retryable(),
    }
}

/// Where the fault lies: with reaching the device, or with what was asked of it.
pub(crate) fn stop_for(error: &Error) -> Stop {
    if *error.kind() == ErrorKind::LoginEnded {
        // It was not worked on. The client bounds how often a login is replaced.
        return Stop::Anew;
    }
    let failure = failure_of(error);
    match error.reason() {
        reason::TUNNEL_NOT_FOUND
        | reason::TOO_MANY_RECORDS
        | reason::REQUEST_REFUSED
        | reason::AUTHORIZATION_FAILED => Stop::Refused(failure),
        _ => Stop::Unreachable(failure, error.retry_after()),
    }
}
