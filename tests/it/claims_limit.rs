//! More nodes than claims can be stored for: the API server takes what fits, and the rest is refused in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use bigip_tunnel_core::claims::{ClaimState, Claims, stored_bytes};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::world::{NAME, World, condition, device, find, mutations};

/// A name as long as that of a node can be where it is a label.
const NAME_BYTES: usize = 63;
/// Longer than a test takes: what is claimed and not on a unit stays claimed meanwhile.
const SETTLES_SECONDS: u32 = 3600;

fn note(claims: &mut Claims, named: impl Iterator<Item = (usize, Arc<str>)>) {
    let mac = |number: usize| {
        let [.., a, b] = number.to_be_bytes();
        MacAddress::new([0x0a, 0x0a, 10, 77, a, b])
    };
    let named: BTreeMap<MacAddress, _> = named
        .map(|(number, name)| (mac(number), [name].into()))
        .collect();
    let owned = named.keys().map(|mac| (*mac, Some(ClaimState::Owned)));
    for device in ["bigip-a", "bigip-b"] {
        claims.apply(device, &owned.clone().collect());
    }
    claims.note_nodes(&named);
}

/// Claims on so many records as can be stored, each with a long name, and not a byte more.
fn full() -> Claims {
    let name: Arc<str> = Arc::from("n".repeat(NAME_BYTES));
    let entry = stored_bytes(Some(&name));
    let mut claims = Claims::default();
    note(&mut claims, [(0, name.clone())].into_iter());
    let count = claims.room_bytes() / entry;
    note(
        &mut claims,
        (0..=count).map(|number| (number, name.clone())),
    );
    let rest = claims.room_bytes().saturating_sub(stored_bytes(Some("")));
    if rest > 0 {
        let last = Arc::from("n".repeat(rest));
        note(&mut claims, [(count + 1, last)].into_iter());
    }
    claims
}

fn stored(status: &BigIpTunnelStatus) -> usize {
    let rows = status.ownership.iter().flat_map(|o| &o.claims);
    rows.map(|row| row.records.len()).sum()
}

#[tokio::test]
async fn nodes_over_the_claims_limit_are_refused_with_a_message() {
    let mut world = World::new("claims-full").await;
    world.create_nodes().await;
    world.create(world.spec()).await;
    let uid = world.object().await.metadata.uid.unwrap();
    let claims = full();
    let count = claims.of("bigip-a").len();
    assert!((12_000..13_000).contains(&count), "{count}");
    let patch = Patch::Merge(json!({"status": {"ownership": convert::ownership(&claims, &uid)}}));
    let patched = world
        .objects()
        .patch_status(NAME, &PatchParams::default(), &patch)
        .await;
    assert_eq!(stored(&patched.unwrap().status.unwrap()), count);
    world.start_operator_that_settles_for(SETTLES_SECONDS).await;
    let is_refused = |status: &BigIpTunnelStatus, name: &str| {
        let programmed = find(&device(status, name).conditions, "Programmed");
        programmed.is_some_and(|c| c.reason == "TooManyNodes" && c.message.contains("3 nodes"))
    };
    let refused = world.until_status("TooManyNodes on both units", |status| {
        status.devices.len() == 2 && is_refused(status, "bigip-a") && is_refused(status, "bigip-b")
    });
    let status = refused.await;
    assert_eq!(
        condition(&status.conditions, "Ready").reason,
        "TooManyNodes"
    );
    assert_eq!(stored(&status), count);
    for unit in world.devices.units() {
        assert_eq!(mutations(unit), []);
    }
}
