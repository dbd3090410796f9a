//! Tests of whose claims and desires count: a row of the rule is one of them.

use super::*;
use crate::proven::ProvenUnits;
use crate::testing::{mac, proven_at, tunnel, unit};

const HERE: &str = "192.0.2.11";
const NAME_OF_HERE: &str = "bigip-a.example.com";
const ELSEWHERE: &str = "192.0.2.12";

fn at(minute: u64) -> Moment {
    Moment::since_start(Duration::from_secs(minute * 60))
}

/// Another object with one device, beside an object that is verified on `bigip01` at [`HERE`].
struct Case {
    host: Option<&'static str>,
    proven: ProvenUnits,
    recorded: Option<ProvenUnit>,
    is_near: bool,
    activity: Activity,
    ours: Activity,
    now: Moment,
}

impl Default for Case {
    /// An object of the same namespace that names the unit otherwise and has not logged in, seen just now.
    fn default() -> Self {
        Self {
            host: Some(NAME_OF_HERE),
            proven: ProvenUnits::default(),
            recorded: None,
            is_near: true,
            activity: Activity::Working,
            ours: Activity::Working,
            now: at(0),
        }
    }
}

impl Case {
    fn part(&self) -> Option<Part> {
        let own = proven_at(HERE, &unit("bigip01", 1), 0);
        let (here, tunnel) = (Place::new(HERE, 443), tunnel());
        let place = self.host.map(|host| Place::new(host, 443));
        let ours = Ours {
            unit: UnitEvidence {
                place: Some(&here),
                proven: own.seen("unit"),
            },
            tunnel: &tunnel,
            activity: self.ours,
        };
        let claimed = claims();
        let theirs = Theirs {
            is_near: self.is_near,
            comes_first: true,
            activity: self.activity,
            devices: vec![TheirDevice {
                place: place.as_ref(),
                proven: self.proven.seen("unit"),
                recorded: self.recorded.as_ref(),
                claimed: &claimed,
                is_listed: true,
                first_seen: Some(at(0)),
            }],
        };
        part(&ours, &theirs, self.now)
    }

    /// Whether its claims count, whether a record is left to them, and whether its desires count.
    fn counts(&self) -> (bool, bool, bool) {
        let part = self.part().unwrap_or_default();
        (
            !part.claimed.is_empty(),
            !part.claimed_here.is_empty(),
            part.desires_count,
        )
    }
}

fn claims() -> Claimed {
    Claimed::These(Arc::new([mac("0a:0a:0a:00:00:01")].into()))
}

/// A device that is proven to be the unit, under its other name, and verified at this minute.
fn same_unit_verified(minute: u64) -> ProvenUnits {
    proven_at(NAME_OF_HERE, &unit("bigip01", 1), minute * 60)
}

#[test]
fn near_object_counts_for_ten_minutes_without_login() {
    assert_eq!(Case::default().counts(), (true, false, true));
    assert_eq!(Case::default().part().unwrap().until, Some(at(10)));
    let late = Case {
        now: at(10),
        ..Case::default()
    };
    assert_eq!(late.counts(), (true, false, false));
}

#[test]
fn near_object_with_standing_counts_for_good() {
    let standing = Case {
        proven: same_unit_verified(25),
        now: at(35),
        ..Case::default()
    };
    assert_eq!(standing.counts(), (true, true, true));
    let lapsed = Case {
        now: at(36),
        ..standing
    };
    assert_eq!(lapsed.counts(), (true, true, false));
}

#[test]
fn near_object_proven_to_be_elsewhere_has_no_part() {
    let other = Case {
        host: Some(ELSEWHERE),
        proven: proven_at(ELSEWHERE, &unit("bigip02", 2), 0),
        ..Case::default()
    };
    assert_eq!(other.part(), None);
    let mut in_doubt = other;
    in_doubt.proven.note_doubt("unit");
    assert_eq!(in_doubt.counts(), (true, false, true));
}

#[test]
fn near_object_of_unknown_address_is_not_yet_known() {
    let unreadable = Case {
        host: None,
        ..Case::default()
    };
    assert_eq!(unreadable.counts(), (true, false, true));
}

#[test]
fn foreign_object_naming_the_unit_counts_for_nothing() {
    for host in [Some(HERE), Some(NAME_OF_HERE), None] {
        let stranger = Case {
            host,
            is_near: false,
            ..Case::default()
        };
        assert_eq!(stranger.counts(), (false, false, false), "{host:?}");
    }
    // It may write there all the same: no whole list is written beside it.
    let at_the_address = Case {
        host: Some(HERE),
        is_near: false,
        ..Case::default()
    };
    assert!(at_the_address.part().is_some());
}

#[test]
fn foreign_object_with_standing_counts_for_ten_minutes() {
    let standing = Case {
        is_near: false,
        proven: same_unit_verified(25),
        now: at(35),
        ..Case::default()
    };
    assert_eq!(standing.counts(), (true, true, true));
    let lapsed = Case {
        now: at(36),
        ..standing
    };
    assert_eq!(lapsed.counts(), (true, true, false));
}

#[test]
fn claims_of_foreign_object_count_by_unit_and_key() {
    let recorded = |unit: ProvenUnit| Case {
        is_near: false,
        recorded: Some(unit),
        ..Case::default()
    };
    assert_eq!(recorded(unit("bigip01", 1)).counts(), (true, true, false));
    assert_eq!(recorded(unit("bigip01", 9)).counts(), (false, false, false));
    assert_eq!(recorded(unit("bigip02", 1)).counts(), (false, false, false));
}

#[test]
fn standing_on_another_tunnel_does_not_count() {
    let mut proven = same_unit_verified(25);
    let mut verified = proven.seen("unit").unwrap().verified().unwrap().clone();
    verified.tunnel = TunnelPath::new("Common".parse().unwrap(), "t2".parse().unwrap());
    proven.note_verified("unit", verified);
    let elsewhere = Case {
        proven,
        now: at(26),
        ..Case::default()
    };
    assert_eq!(elsewhere.counts(), (true, true, false));
}

#[test]
fn idle_and_leaving_objects_desire_nothing_and_claim() {
    for activity in [Activity::Idle, Activity::Leaving] {
        let case = Case {
            activity,
            proven: same_unit_verified(0),
            ..Case::default()
        };
        assert_eq!(case.counts(), (true, true, false), "{activity:?}");
    }
}

#[test]
fn exactly_one_of_two_claiming_objects_keeps_record() {
    let all = [Activity::Idle, Activity::Working, Activity::Leaving];
    for (theirs, ours) in all
        .into_iter()
        .flat_map(|one| all.map(|other| (one, other)))
    {
        let of = |activity, ours, comes_first| {
            let theirs = Theirs {
                is_near: true,
                comes_first,
                activity,
                devices: Vec::new(),
            };
            let (place, tunnel) = (Place::new(HERE, 443), tunnel());
            let unit = UnitEvidence {
                place: Some(&place),
                proven: None,
            };
            theirs.precedes(&Ours {
                unit,
                tunnel: &tunnel,
                activity: ours,
            })
        };
        assert_ne!(
            of(theirs, ours, true),
            of(ours, theirs, false),
            "{theirs:?} {ours:?}"
        );
    }
}
