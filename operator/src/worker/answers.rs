//! The answers of a user about one device, `accept-device` and `release`: hears them, and notes which were
//! handled.
//!
//! Decides nothing: what becomes of an answer is decided in `bigip_tunnel_core::answers`.

use bigip_tunnel_core::answers::{
    self, Answer, Heard, Held, Listed, Subject, Verdict, hear, judge_acceptance, judge_release,
};
use bigip_tunnel_core::outcome::Reach;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{ANNOTATION_ACCEPT_DEVICE, ANNOTATION_RELEASE};
use kube::ResourceExt;

use super::Worker;

/// The answers that this process has handled.
#[derive(Debug, Default)]
pub(super) struct Answers {
    accepted: Vec<String>,
    released: Vec<String>,
}

impl Answers {
    /// The acceptances that were handled.
    pub(super) fn handled_acceptances(&self) -> &[String] {
        &self.accepted
    }

    /// The releases that were handled.
    pub(super) fn handled_releases(&self) -> &[String] {
        &self.released
    }
}

impl Worker {
    /// The acceptance that counts.
    pub(super) async fn acceptance(&self, object: &BigIpTunnel) -> Option<Answer> {
        match self.hear(object).await.0 {
            Heard::Answer(answer) => Some(answer),
            Heard::Nothing | Heard::Malformed(_) => None,
        }
    }

    /// The release that counts.
    pub(super) async fn release(&self, object: &BigIpTunnel) -> Option<Answer> {
        match self.hear(object).await.1 {
            Heard::Answer(answer) => Some(answer),
            Heard::Nothing | Heard::Malformed(_) => None,
        }
    }

    /// Whether there is an answer that was not handled.
    pub(super) async fn has_answer(&self, object: &BigIpTunnel) -> bool {
        self.hear(object).await != (Heard::Nothing, Heard::Nothing)
    }

    /// Acceptance and release as they stand there now.
    async fn hear(&self, object: &BigIpTunnel) -> (Heard, Heard) {
        let stored = self.ledger.status().await;
        let text = |annotation| object.annotations().get(annotation).map(String::as_str);
        // What was handled is known before it is stored.
        let heard = |annotation, stored: &[String], handled: &[String]| {
            hear(text(annotation), &[stored, handled].concat())
        };
        (
            heard(
                ANNOTATION_ACCEPT_DEVICE,
                &stored.handled_acceptances,
                &self.answers.accepted,
            ),
            heard(
                ANNOTATION_RELEASE,
                &stored.handled_releases,
                &self.answers.released,
            ),
        )
    }

    /// Notes that the release was carried out.
    pub(super) fn note_released(&mut self) {
        let object = self.object.borrow();
        note(&object, ANNOTATION_RELEASE, &mut self.answers.released);
    }

    /// Notes which answers are carried out, or about something else than what is there: they never count
    /// again.
    pub(super) async fn judge_answers(&mut self, object: &BigIpTunnel) {
        let (acceptance, release) = self.hear(object).await;
        let acceptance = verdict(acceptance, |answer| {
            judge_acceptance(answer, self.listed(object, answer))
        });
        if self.is_over(object, ANNOTATION_ACCEPT_DEVICE, acceptance) {
            note(object, ANNOTATION_ACCEPT_DEVICE, &mut self.answers.accepted);
        }
        let deleting = object.metadata.deletion_timestamp.is_some();
        let release = verdict(release, |answer| {
            judge_release(answer, deleting, self.held(object, answer))
        });
        if self.is_over(object, ANNOTATION_RELEASE, release) {
            note(object, ANNOTATION_RELEASE, &mut self.answers.released);
        }
    }

    /// Logs a verdict. Returns whether the answer is handled with it.
    fn is_over(&self, object: &BigIpTunnel, annotation: &'static str, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Open => false,
            Verdict::Done => true,
            Verdict::Ignored(why) => {
                tracing::warn!(annotation, "annotation ignored: {why}");
                let events = &self.shared.events;
                events.tell(object, Some(answers::ignored(annotation, &why)));
                true
            }
        }
    }

    /// What is known of the device that an acceptance names. Only a pass that knew of the acceptance counts.
    fn listed(&self, object: &BigIpTunnel, answer: &Answer) -> Listed<'_> {
        let mut listed = object.spec.devices.iter();
        let Some(device) = listed.find(|device| answer.is_about(&device.name)) else {
            return Listed::No;
        };
        let last = self.devices.get(&device.name);
        let last = last.and_then(|handle| handle.last.as_ref());
        let report = match last {
            Some(update) if update.accepted.as_ref() == Some(answer) => &update.report,
            _ => return Listed::Unknown,
        };
        match (&report.found_identity, &report.identity) {
            _ if report.reach != Reach::Answered => Listed::Unknown,
            (Some(found), _) => Listed::Found(found),
            (None, Some(identity)) => Listed::As(identity),
            (None, None) => Listed::Unknown,
        }
    }

    /// What is known of the device that a release names.
    fn held(&self, object: &BigIpTunnel, answer: &Answer) -> Held<'_> {
        let Subject::Device { name, .. } = &answer.subject else {
            return Held::Nowhere;
        };
        if object
            .spec
            .devices
            .iter()
            .any(|device| device.name == *name)
        {
            return Held::Listed;
        }
        let former = self.former.devices.get(name);
        former.map_or(Held::Nowhere, |former| {
            Held::Former(former.identity.as_deref())
        })
    }
}

/// Notes what the annotation says as handled.
fn note(object: &BigIpTunnel, annotation: &str, handled: &mut Vec<String>) {
    if let Some(text) = object.annotations().get(annotation) {
        answers::note(handled, text);
    }
}

fn verdict(heard: Heard, judge: impl FnOnce(&Answer) -> Verdict) -> Verdict {
    match heard {
        Heard::Nothing => Verdict::Open,
        Heard::Answer(answer) => judge(&answer),
        Heard::Malformed(problem) => Verdict::Ignored(problem.to_string()),
    }
}
