//! One round on one unit: its records, its ARP table, a ping after the other, its ARP table again.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Instant;

use bigip_icontrol::{Echo, ErrorKind};
use bigip_tunnel_core::arp::ArpEntry;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::verify::{self, Doubt, NotAsked, Outcome, OverlayAddress, source};

use super::Unit;
use super::targets::Target;
use crate::direct::{Live, Trouble, trouble};
use crate::report::verify::Asked;

/// What a round found.
pub(super) struct Round {
    /// The self IP that was pinged from.
    pub(super) source: Option<Ipv4Addr>,
    /// How many endpoints an ARP request is flooded to.
    pub(super) endpoints: Option<usize>,
    pub(super) asked: Vec<Asked>,
}

impl Round {
    /// Whether every node is reached, and nothing but a known path keeps its record from being proven.
    pub(super) fn is_fine(&self) -> bool {
        let is_fine = |asked: &Asked| match &asked.outcome {
            Outcome::Proven => true,
            Outcome::Reached(doubts) => doubts.iter().all(|doubt| *doubt == Doubt::KnownBefore),
            _ => false,
        };
        self.asked.iter().all(is_fine)
    }
}

/// How far all rounds are.
pub(super) struct Progress {
    done: Cell<usize>,
    all: usize,
}

impl Progress {
    pub(super) fn of(units: &[Unit<'_>]) -> Self {
        let pings = units.iter().filter(|unit| unit.live.is_ok());
        Self {
            done: Cell::new(0),
            all: pings.map(|unit| unit.targets.addresses()).sum(),
        }
    }

    pub(super) const fn done(&self) -> usize {
        self.done.get()
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} pings sent", self.done(), self.all)
    }
}

/// What one node answered.
enum Answer {
    Yes { round_trip_us: Option<u64> },
    No,
    NotKnown(NotAsked),
}

/// Asks a unit for all targets of its tunnel. Ends the pings when the time is over.
pub(super) async fn ask(unit: &Unit<'_>, until: Option<Instant>, progress: &Progress) -> Round {
    let targets = &unit.targets.all;
    let mut round = Round {
        source: None,
        endpoints: None,
        asked: Vec::new(),
    };
    let result = match &unit.live {
        Ok(live) => {
            let asking = Asking {
                live,
                until,
                progress,
            };
            asking.round(targets, &mut round).await
        }
        Err(trouble) => Err(failed(trouble.clone())),
    };
    if let Err(why) = result {
        let not = targets.iter().map(|target| match &target.address {
            Ok(_) => Asked::not(target.node.clone(), why.clone()),
            Err(why) => Asked::not(target.node.clone(), why.clone()),
        });
        round.asked = not.collect();
    }
    round
}

fn failed(Trouble { reason, message }: Trouble) -> NotAsked {
    NotAsked::Failed { reason, message }
}

struct Asking<'a> {
    live: &'a Live,
    until: Option<Instant>,
    progress: &'a Progress,
}

impl Asking<'_> {
    /// Fills the round in, unless nothing can be asked at all.
    async fn round(&self, targets: &[Target], round: &mut Round) -> Result<(), NotAsked> {
        let unit = &self.live.unit;
        let of = |error: bigip_icontrol::Error| failed(trouble(&error));
        let source = self.source().await?;
        round.source = Some(source);
        let listing = unit.records(&self.live.tunnel).await.map_err(of)?;
        let records = &listing.observed.records;
        let endpoints: BTreeSet<_> = records.values().collect();
        round.endpoints = Some(endpoints.len());
        // Without an address of any node nothing is sent.
        let has_address = targets.iter().any(|target| target.address.is_ok());
        let (before, answers, after) = if has_address {
            let before = unit.arp_entries().await.map_err(of)?;
            let answers = self.answers(source, targets).await;
            (before, answers, unit.arp_entries().await.map_err(of)?)
        } else {
            (Vec::new(), self.answers(source, targets).await, Vec::new())
        };
        let tables = (before.as_slice(), after.as_slice());
        let asked = targets.iter().zip(answers);
        let asked = asked.map(|(target, answer)| self.judged(target, answer, records, tables));
        round.asked = asked.collect();
        Ok(())
    }

    /// The self IP that pings are sent from.
    async fn source(&self) -> Result<Ipv4Addr, NotAsked> {
        let all = self.live.unit.self_ips().await;
        let all = all.map_err(|error| failed(trouble(&error)))?;
        let facts = &self.live.facts;
        let on_tunnel = all
            .iter()
            .filter(|self_ip| self_ip.interface == facts.tunnel.full_path);
        let on_tunnel = on_tunnel.map(|self_ip| OverlayAddress {
            address: self_ip.address.addr(),
            route_domain: self_ip.route_domain,
            floats: self_ip.floats,
        });
        let on_tunnel: Vec<OverlayAddress> = on_tunnel.collect();
        source(&on_tunnel, facts.failover_state)
    }

    /// Pings one after the other. A unit that refuses one, or does not answer, is asked for no other.
    async fn answers(&self, source: Ipv4Addr, targets: &[Target]) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut over: Option<NotAsked> = None;
        for target in targets {
            let is_late = self.until.is_some_and(|until| Instant::now() >= until);
            let answer = match (&target.address, &over) {
                (Err(why), _) | (Ok(_), Some(why)) => Answer::NotKnown(why.clone()),
                (Ok(_), None) if is_late => Answer::NotKnown(NotAsked::OutOfTime),
                (Ok(address), None) => match self.live.unit.ping(source, *address).await {
                    Ok(echo) => answer(echo),
                    Err(error) => {
                        let why = failed(trouble(&error));
                        if !matches!(error.kind(), ErrorKind::Protocol(_)) {
                            over = Some(why.clone());
                        }
                        Answer::NotKnown(why)
                    }
                },
            };
            if target.address.is_ok() {
                self.progress.done.set(self.progress.done() + 1);
            }
            answers.push(answer);
        }
        answers
    }

    fn judged(
        &self,
        target: &Target,
        answer: Answer,
        records: &Records,
        (before, after): (&[ArpEntry], &[ArpEntry]),
    ) -> Asked {
        let tunnel = &self.live.facts.tunnel;
        let domain = tunnel.local_address.map(|local| local.route_domain);
        let has_record = target.record.is_some_and(|(mac, address)| {
            records.get(&mac).is_some_and(|endpoint| {
                let is_there = domain.is_none_or(|domain| endpoint.route_domain == domain);
                endpoint.address == address && is_there
            })
        });
        let mut asked = Asked {
            has_record: Some(has_record),
            ..Asked::not(target.node.clone(), NotAsked::OutOfTime)
        };
        let address = match &target.address {
            Ok(address) => *address,
            Err(why) => {
                asked.outcome = Outcome::NotAsked(why.clone());
                return asked;
            }
        };
        asked.address = Some(address);
        let answered = match answer {
            Answer::NotKnown(why) => {
                asked.outcome = Outcome::NotAsked(why);
                return asked;
            }
            Answer::Yes { round_trip_us } => {
                asked.round_trip_us = round_trip_us;
                true
            }
            Answer::No => false,
        };
        let round = verify::Round {
            has_record,
            floods: tunnel.flooding_type.as_deref() == Some("multipoint"),
            answered,
            address,
            tunnel: &tunnel.full_path,
            before,
            after,
        };
        asked.arp_mac = round.answered_mac();
        asked.outcome = round.outcome();
        asked
    }
}

fn answer(echo: Echo) -> Answer {
    match echo {
        Echo::Answered { round_trip_us } => Answer::Yes { round_trip_us },
        Echo::Silent => Answer::No,
        Echo::NotSent { said } => Answer::NotKnown(NotAsked::NotSent(said)),
    }
}
