//! (I/O) What the device holds: facts of the unit, the tunnel, its records.
//!
//! Makes the reads that `core` asks for. Has no way to write to the unit.

use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::pass::assignment::Assignment;
use bigip_tunnel_core::pass::claiming::ClaimRequest;
use bigip_tunnel_core::pass::identity::{Trust, check_duplicate, judge_unit, take_over};
use bigip_tunnel_core::pass::inputs::Inputs;
use bigip_tunnel_core::pass::memory::{KnownFacts, Memory};
use bigip_tunnel_core::pass::reading::{
    casts_doubt, check_version, has_lost_many, local_address, required_reading,
};
use bigip_tunnel_core::pass::{Depth, PassError};
use bigip_tunnel_core::record::ObservedRecords;
use bigip_tunnel_core::unit::{UnitFacts, UnitIdentity};

use super::ports::{Access, Cluster, Ledger, LoggedIn, Password, Ports, UnitReader};

/// What a plan is made from.
pub(super) struct Observed<U> {
    /// The unit that all of it was read from. Only to it anything may be written.
    pub(super) unit: U,
    /// The tunnel's local address: endpoints lie in its route domain. `None` where none is made.
    pub(super) local_address: Option<Endpoint>,
    /// The records of the tunnel.
    pub(super) records: ObservedRecords,
}

/// Logs in, and reads the device as far as `depth` asks for and as far as it is not known of the unit that answers
/// now.
pub(super) async fn observe<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    (inputs, session): (&Inputs, A::Session),
    depth: Depth,
) -> Result<Observed<A::Unit>, PassError> {
    let observed = match log_in(ports.access, memory, session).await {
        Ok(unit) => {
            let read = read(ports, memory, work, inputs, (unit, depth)).await;
            if read.as_ref().is_err_and(casts_doubt) {
                ports.access.note_doubt();
            }
            read
        }
        Err(error) => Err(error),
    };
    if observed.is_err() {
        // After any error everything is read again before anything is concluded.
        memory.forget_unit();
    }
    observed
}

async fn log_in<A: Access>(
    access: &mut A,
    memory: &mut Memory,
    session: A::Session,
) -> Result<A::Unit, PassError> {
    let LoggedIn {
        unit,
        login,
        password,
    } = access.log_in(session).await?;
    memory.note_login(login);
    match password {
        Password::Accepted => memory.report.password_refused = None,
        Password::Refused(failure) => memory.note_password_refused(failure),
        Password::NotTried => {}
    }
    Ok(unit)
}

async fn read<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    (unit, depth): (A::Unit, Depth),
) -> Result<Observed<A::Unit>, PassError> {
    let began = ports.clock.now();
    let reading = required_reading(memory, depth, began);
    let known = memory.facts.take().filter(|_| !reading.facts);
    let mut facts = match known {
        Some(known) => known,
        None => read_facts(ports, memory, work, inputs, &unit).await?,
    };
    let known = memory.listing.as_ref().filter(|_| !reading.records);
    let records = if let Some(listing) = known {
        listing.observed.clone()
    } else {
        let mut listing = unit.records().await?;
        if !reading.facts && has_lost_many(&inputs.claims, &listing.observed) {
            facts = read_facts(ports, memory, work, inputs, &unit).await?;
            listing = unit.records().await?;
        }
        let records = listing.observed.clone();
        let time = ports.clock.time();
        memory.note_listing(listing, time);
        unit.note_verified(began, time);
        records
    };
    // Checked last: the other entry may have turned out to be this unit only now.
    check_duplicate(work, unit.twin().as_deref(), &facts.facts.identity)?;
    let local_address = local_address(work, &facts.facts)?;
    memory.facts = Some(facts);
    Ok(Observed {
        unit,
        local_address,
        records,
    })
}

/// Reads the unit's facts, and checks that it is the unit that it was and one that may be written to.
async fn read_facts<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    unit: &A::Unit,
) -> Result<KnownFacts, PassError> {
    let read_at = ports.clock.now();
    let mut facts: UnitFacts = match unit.facts().await {
        Err(error) if error.is_tunnel_not_found() => {
            // That a tunnel is gone counts only on the unit that it was on.
            let identity = unit.identity().await?;
            check_unit(ports, memory, work, inputs, &identity).await?;
            return Err(error);
        }
        facts => facts?,
    };
    if let Some(known) = &memory.report.facts {
        facts.keep_mac(known);
    }
    check_unit(ports, memory, work, inputs, &facts.identity).await?;
    memory.report.key = unit.key();
    memory.report.facts = Some(facts.clone());
    check_version(&facts)?;
    unit.join_queue().await?;
    Ok(KnownFacts { facts, read_at })
}

/// Checks that the claims were made on this unit. Those on a unit before an accepted one are dropped.
async fn check_unit<C: Cluster, A: Access, L: Ledger>(
    ports: &mut Ports<'_, C, A, L>,
    memory: &mut Memory,
    work: &Assignment,
    inputs: &Inputs,
    identity: &UnitIdentity,
) -> Result<(), PassError> {
    let trust = judge_unit(memory, work, &inputs.claims, identity);
    match trust? {
        Trust::Known => Ok(()),
        Trust::Accepted => {
            let release = ClaimRequest::release(&inputs.claims);
            ports.ledger.claim(release).await?;
            take_over(memory, identity);
            Err(PassError::Restart)
        }
    }
}
