//! What counts of an object, and what is to be done for it. Pure.

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeletionPolicy, ManagementPolicy, VtepConfig};
use kube::ResourceExt as _;

use crate::finalizer;
use crate::settings::{Settings, paused};

/// What counts of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noted {
    pub(super) uid: String,
    /// Whether it asks for a CiliumVTEPConfig.
    manages: bool,
    pub(super) observes: bool,
    /// Why no work is done on it, if none is.
    idle: Option<Reason>,
    life: Life,
    /// Whether its CiliumVTEPConfig stays when it is deleted.
    retains: bool,
    /// The process that works on it.
    writer: Option<String>,
    /// Name of the CiliumVTEPConfig that was written, or is about to be, as stored.
    pub(super) claim: Option<String>,
}

/// Where an object is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It has no finalizer yet, and goes without notice.
    New,
    /// It has the finalizer.
    Held,
    /// It is being deleted.
    Leaving,
}

impl Life {
    fn of(object: &BigIpTunnel) -> Self {
        if object.metadata.deletion_timestamp.is_some() {
            Self::Leaving
        } else if finalizer::is_set(object) {
            Self::Held
        } else {
            Self::New
        }
    }
}

/// What is to be done for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing, and nothing is to be said.
    None,
    /// Nothing now: what was said stays.
    Wait,
    /// Its CiliumVTEPConfig is to be as it should be.
    Keep,
    /// Its CiliumVTEPConfig is to be removed.
    Remove,
}

impl Noted {
    pub(super) fn of(object: &BigIpTunnel) -> Self {
        let (spec, status) = (&object.spec, object.status.as_ref());
        let rejected = Settings::read(spec).err().map(|_| Reason::InvalidSpec);
        Self {
            uid: object.uid().unwrap_or_default(),
            manages: spec.cilium.vtep_config == VtepConfig::Managed,
            observes: spec.management_policy == ManagementPolicy::Observe,
            idle: paused(object).or(rejected),
            life: Life::of(object),
            retains: spec.deletion_policy == DeletionPolicy::Retain,
            writer: status.and_then(|status| status.writer.clone()),
            claim: status.and_then(|status| status.vtep_config.clone()),
        }
    }

    /// What is to be done by this process. `is_leaving`: the object is being deleted, and clean otherwise.
    pub(super) fn duty(&self, writer: &str, is_leaving: bool) -> Duty {
        let is_anothers = self.writer.as_deref().is_some_and(|other| other != writer);
        if is_anothers {
            return Duty::Wait;
        }
        if self.life == Life::Leaving {
            // What an object leaves behind is decided before it is said to leave.
            // A spec that is rejected keeps nothing: the object is clean without it.
            let is_paused = self.idle.is_some_and(|why| why != Reason::InvalidSpec);
            return match (&self.claim, is_leaving && !is_paused && !self.retains) {
                (Some(_), true) => Duty::Remove,
                (Some(_), false) => Duty::Wait,
                (None, _) => Duty::None,
            };
        }
        match (self.manages, &self.claim) {
            (false, None) => Duty::None,
            _ if self.idle.is_some() => Duty::Wait,
            (true, _) => Duty::Keep,
            (false, Some(_)) => Duty::Remove,
        }
    }

    /// Whether an object of this name may be written for it, now.
    pub(super) fn may_write(&self, writer: &str, name: &str) -> bool {
        self.duty(writer, false) == Duty::Keep
            && !self.observes
            && self.life == Life::Held
            && self.writer.as_deref() == Some(writer)
            && self.claim.as_deref() == Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "us";

    fn managed() -> Noted {
        Noted {
            uid: "u".to_owned(),
            manages: true,
            observes: false,
            idle: None,
            life: Life::Held,
            retains: false,
            writer: Some(US.to_owned()),
            claim: Some("x".to_owned()),
        }
    }

    #[test]
    fn object_that_asks_for_nothing_and_has_nothing_is_left_alone() {
        let noted = Noted {
            manages: false,
            claim: None,
            ..managed()
        };
        assert_eq!(noted.duty(US, false), Duty::None);
        assert_eq!(managed().duty(US, false), Duty::Keep);
    }

    #[test]
    fn object_that_asks_no_more_has_it_removed() {
        let noted = Noted {
            manages: false,
            ..managed()
        };
        assert_eq!(noted.duty(US, false), Duty::Remove);
    }

    #[test]
    fn nothing_is_done_for_an_idle_object_or_one_of_another_writer() {
        for noted in [
            Noted {
                idle: Some(Reason::Suspended),
                ..managed()
            },
            Noted {
                idle: Some(Reason::InvalidSpec),
                manages: false,
                ..managed()
            },
            Noted {
                writer: Some("another".to_owned()),
                ..managed()
            },
        ] {
            assert_eq!(noted.duty(US, false), Duty::Wait, "{noted:?}");
            assert!(!noted.may_write(US, "x"));
        }
    }

    #[test]
    fn deleted_object_has_it_removed_when_all_else_is_clean() {
        let noted = Noted {
            life: Life::Leaving,
            ..managed()
        };
        assert_eq!(noted.duty(US, false), Duty::Wait);
        assert_eq!(noted.duty(US, true), Duty::Remove);
        assert!(!noted.may_write(US, "x"));
        // What it leaves behind on purpose stays, although it was about to go.
        for kept in [
            Noted {
                retains: true,
                ..noted.clone()
            },
            Noted {
                idle: Some(Reason::Suspended),
                ..noted.clone()
            },
        ] {
            assert_eq!(kept.duty(US, true), Duty::Wait);
        }
        let rejected = Noted {
            idle: Some(Reason::InvalidSpec),
            ..noted.clone()
        };
        assert_eq!(rejected.duty(US, true), Duty::Remove);
        let unclaimed = Noted {
            claim: None,
            ..noted
        };
        assert_eq!(unclaimed.duty(US, true), Duty::None);
    }

    #[test]
    fn write_needs_claim_finalizer_and_writer() {
        assert!(managed().may_write(US, "x"));
        for noted in [
            Noted {
                claim: None,
                ..managed()
            },
            Noted {
                claim: Some("y".to_owned()),
                ..managed()
            },
            Noted {
                life: Life::New,
                ..managed()
            },
            Noted {
                writer: None,
                ..managed()
            },
            Noted {
                observes: true,
                ..managed()
            },
        ] {
            assert!(!noted.may_write(US, "x"), "{noted:?}");
        }
    }
}
