//! The rows of logins in a status.
//!
//! Pure. A row stays whatever else becomes of its device: only a later login replaces it.

use std::collections::BTreeMap;

use bigip_tunnel_core::account::LoginRecord;
use jiff::SignedDuration;

use crate::convert::{login, stored_login};
use crate::v1alpha1::{BigIpTunnelStatus, LoginStatus};

/// The least time between two moves of a row that says the same otherwise.
const ACCEPTED_GAP: SignedDuration = SignedDuration::from_hours(24);

/// Puts into the next status what the one before says of logins, and the logins that this process has tried, by
/// the name of the device.
pub fn note_logins(
    previous: &BigIpTunnelStatus,
    next: &mut BigIpTunnelStatus,
    tried: &BTreeMap<String, LoginRecord>,
) {
    let row = |name: &str| {
        let before = known_login(previous, name);
        match tried.get(name) {
            Some(record) => Some(following(before, record)),
            None => before.cloned(),
        }
    };
    for device in &mut next.devices {
        device.login = row(&device.name);
    }
    for device in &mut next.former_devices {
        device.login = row(&device.name);
    }
}

/// The row of a device, listed or not.
fn known_login<'a>(status: &'a BigIpTunnelStatus, name: &str) -> Option<&'a LoginStatus> {
    let listed = status.devices.iter().map(|d| (&d.name, &d.login));
    let former = status.former_devices.iter().map(|d| (&d.name, &d.login));
    let mut rows = listed.chain(former).filter(|(device, _)| *device == name);
    rows.find_map(|(_, login)| login.as_ref())
}

/// The row after this login. One that was accepted, like the one before, moves the times only after a while: a
/// process that begins again and again changes no status.
fn following(before: Option<&LoginStatus>, record: &LoginRecord) -> LoginStatus {
    let same = before.filter(|before| {
        let before = login(before);
        let pause = record.last_tried.duration_since(before.last_tried).abs();
        let alike = LoginRecord {
            accepted: before.accepted,
            last_tried: before.last_tried,
            ..record.clone()
        };
        record.refusals == 0 && before.accepted.is_some() && alike == before && pause < ACCEPTED_GAP
    });
    same.cloned().unwrap_or_else(|| stored_login(record))
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::account::{AccountId, SecretVersion};
    use jiff::Timestamp;

    use super::*;
    use crate::v1alpha1::DeviceStatus;

    const ACCEPTED: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn record(refusals: u32, after_s: i64) -> LoginRecord {
        let tried = ACCEPTED + SignedDuration::from_secs(after_s);
        LoginRecord {
            account: AccountId::stored("account"),
            secret: SecretVersion::default(),
            accepted: Some(if refusals == 0 { tried } else { ACCEPTED }),
            refusals,
            window_start: (refusals > 0).then_some(tried),
            last_tried: tried,
        }
    }

    fn status(login: Option<&LoginRecord>) -> BigIpTunnelStatus {
        BigIpTunnelStatus {
            devices: vec![DeviceStatus {
                name: "a".into(),
                login: login.map(stored_login),
                ..DeviceStatus::default()
            }],
            ..BigIpTunnelStatus::default()
        }
    }

    /// What follows a row when this login was tried.
    fn after(before: &LoginRecord, tried: LoginRecord) -> LoginRecord {
        let mut next = status(None);
        let tried = BTreeMap::from([("a".to_owned(), tried)]);
        note_logins(&status(Some(before)), &mut next, &tried);
        login(next.devices[0].login.as_ref().unwrap())
    }

    #[test]
    fn row_stays_until_another_login_is_tried() {
        let before = status(Some(&record(2, 0)));
        let mut next = status(None);
        note_logins(&before, &mut next, &BTreeMap::new());
        assert_eq!(next, before);
    }

    #[test]
    fn row_goes_along_when_a_device_leaves_the_list() {
        let before = status(Some(&record(2, 0)));
        let former = serde_json::json!({
            "name": "a", "address": "192.0.2.1", "port": 443, "since": "2026-11-30T12:00:00Z",
        });
        let mut next = BigIpTunnelStatus {
            former_devices: vec![serde_json::from_value(former).unwrap()],
            ..BigIpTunnelStatus::default()
        };
        note_logins(&before, &mut next, &BTreeMap::new());
        assert_eq!(next.former_devices[0].login, before.devices[0].login);
    }

    #[test]
    fn accepted_login_moves_its_times_once_a_day() {
        assert_eq!(after(&record(0, 0), record(0, 86_399)), record(0, 0));
        assert_eq!(after(&record(0, 0), record(0, 86_400)), record(0, 86_400));
    }

    #[test]
    fn login_with_another_secret_or_window_is_shown_at_once() {
        let (before, mut changed) = (record(0, 0), record(0, 1));
        changed.secret.resource_version = "2".into();
        assert_eq!(after(&before, changed.clone()), changed);
        let mut window = record(0, 1);
        window.window_start = Some(ACCEPTED);
        assert_eq!(after(&before, window.clone()), window);
    }

    #[test]
    fn refused_login_is_shown_at_once() {
        assert_eq!(after(&record(0, 0), record(1, 1)), record(1, 1));
        assert_eq!(after(&record(1, 1), record(2, 2)), record(2, 2));
        assert_eq!(after(&record(2, 2), record(0, 3)), record(0, 3));
    }

    #[test]
    fn row_read_back_is_the_one_that_was_stored() {
        for refusals in 0..2 {
            let record = record(refusals, 7);
            assert_eq!(login(&stored_login(&record)), record);
        }
    }
}
