//! Writer queues: a unit that hangs keeps only its own objects waiting.

use std::time::Duration;

use bigip_sim::{Effect, Fault, Method, SimConfig, Simulator, TunnelConfig, UserConfig};
use bigip_tunnel_harness::devices::{USER, self_ip};
use bigip_tunnel_harness::wait::{Answer, eventually};
use serde_json::json;

use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, requests,
};

/// How long the first write may take to arrive.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine that repeats the standby unit's name and base MAC address, and works on no write.
async fn impostor(world: &World) -> Simulator {
    let config = SimConfig {
        hostname: "bigip-b.example.com".into(),
        base_mac: "00:94:a1:00:0b:00".into(),
        users: vec![UserConfig::new(USER, world.devices.password())],
        tunnels: vec![TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)],
        self_ips: vec![self_ip(TUNNEL_PATH)],
        ..SimConfig::default()
    };
    let impostor = Simulator::start(config).await.unwrap();
    let stalls = Fault::new(Effect::stall()).method(Method::POST);
    impostor.fault(stalls.path_contains("/records"));
    let bundle = world.devices.ca_bundle();
    world.trust(&[bundle.as_str(), &impostor.ca_pem()]).await;
    impostor
}

fn adds(unit: &Simulator) -> usize {
    let posts = requests(unit, &Method::POST).into_iter();
    posts
        .filter(|request| request.path.contains("/records"))
        .count()
}

#[tokio::test]
async fn repeated_identity_that_hangs_delays_no_new_node() {
    let world = World::in_sync("queue-impostor").await;
    let impostor = impostor(&world).await;
    let address = impostor.address();
    let device =
        json!({"name": "bigip-x", "address": address.ip().to_string(), "port": address.port()});
    for number in 0..8 {
        let mut spec = world.spec();
        spec["devices"] = json!([device]);
        world.create_named(&format!("x{number}"), spec).await;
    }
    let hangs = eventually("a write that hangs", LIMIT, async || {
        Answer::when(adds(&impostor), |adds| *adds > 0)
    });
    world.must(hangs.await).await;
    world.create_node(NEW_NODE).await;
    let took = world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    assert!(took < Duration::from_secs(30), "{took:?}");
    // It was the first of eight writes, one at a time.
    assert_eq!(adds(&impostor), 1);
}
