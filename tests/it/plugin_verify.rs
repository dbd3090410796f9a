//! `verify` of the plugin against units that answer by script: each outcome, each refusal, and what is never sent.

use std::net::Ipv4Addr;

use bigip_sim::{LoggedRequest, Rights, Simulator, UserConfig};
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::devices::{USER, self_ip};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::addresses::{cilium_world, write_cilium_node_with};
use crate::world::plugin::Ended;
use crate::world::{NAME, NODES, RECORD_1, TUNNEL_PATH, World, mutations};

/// The address of the pod that is pinged.
const POD: &str = "10.97.1.7";
/// What answers ARP for it.
const MAC: &str = "be:fe:00:00:00:01";

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// Makes a pod with this address on a node, Ready or not.
async fn create_pod(
    world: &World,
    name: &str,
    (node, ip): (&str, &str),
    labels: Value,
    ready: bool,
) {
    let api: Api<Pod> = Api::namespaced(world.client.clone(), &world.name);
    let pod = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "cilium-agent", "image": "example.com/cilium:v1.18.8"}],
        },
    }));
    api.create(&PostParams::default(), &pod.unwrap())
        .await
        .unwrap();
    let ready = if ready { "True" } else { "False" };
    let status = json!({"status": {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "conditions": [{"type": "Ready", "status": ready}],
    }});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

/// A world in sync, with a pod on the first node.
async fn with_pod(name: &str) -> World {
    let world = World::in_sync(name).await;
    let node = world.node_name("1");
    create_pod(&world, "web", (&node, POD), json!({}), true).await;
    world
}

/// Pings the pod from all units.
async fn verify(world: &World) -> Ended {
    let pod = format!("{}/web", world.name);
    world
        .plugin(&["verify", NAME, "--pod", &pod, "-o", "json"])
        .await
}

/// Outcome and code of the cause, by unit.
fn outcomes(ended: &Ended) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let devices = report["tunnels"][0]["devices"].as_array().unwrap();
    let outcomes = devices.iter().flat_map(|device| {
        let paths = device["paths"].as_array().unwrap().iter();
        paths.map(|path| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&device["device"]),
                text(&path["outcome"]),
                text(&path["cause"]["code"]),
            )
        })
    });
    outcomes.collect()
}

fn assert_outcomes(ended: &Ended, expected: [(&str, &str); 2]) {
    let [a, b] = expected;
    let of = |device: &str, (outcome, code): (&str, &str)| {
        (device.to_owned(), outcome.to_owned(), code.to_owned())
    };
    let expected = [of("bigip-a", a), of("bigip-b", b)];
    assert_eq!(outcomes(ended), expected, "{ended:?}");
}

/// Lets the pod answer ARP and pings of a unit.
fn answers(unit: &Simulator) {
    unit.answer_ping(address(POD), Some(1_500));
    unit.answer_arp(address(POD), Some(MAC), TUNNEL_PATH);
}

fn pings(unit: &Simulator) -> Vec<LoggedRequest> {
    let requests = unit.requests().into_iter();
    requests
        .filter(|request| request.path.contains("util/ping"))
        .collect()
}

#[tokio::test]
async fn pod_is_proven_once_and_reached_afterwards() {
    let world = with_pod("verify-proven").await;
    for unit in world.devices.units() {
        answers(unit);
        unit.clear_log();
    }
    let proven = verify(&world).await;
    assert_eq!(proven.code, Some(0), "{proven:?}");
    assert_outcomes(&proven, [("Proven", ""), ("Proven", "")]);
    for unit in world.devices.units() {
        assert_eq!(pings(unit).len(), 1);
        assert_eq!(mutations(unit).len(), 0);
    }
    // The ARP entry is known now: a path that is in use proves nothing.
    let reached = verify(&world).await;
    assert_eq!(reached.code, Some(0), "{reached:?}");
    assert_outcomes(&reached, [("Reached", ""), ("Reached", "")]);
}

#[tokio::test]
async fn removed_record_with_warm_path_is_not_proven() {
    let world = with_pod("verify-warm").await;
    world.patch_spec(json!({"suspend": true})).await;
    world
        .until_status("the suspension", |status| {
            status.conditions.iter().any(|c| c.type_ == "Paused")
        })
        .await;
    for unit in world.devices.units() {
        answers(unit);
    }
    let standby = world.devices.standby();
    standby.learn_arp(POD, Some(MAC), TUNNEL_PATH);
    assert!(standby.drop_record(TUNNEL_PATH, RECORD_1.0));
    let ended = verify(&world).await;
    assert_outcomes(&ended, [("Proven", ""), ("Reached", "BTN0301")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn each_silence_has_its_outcome_and_cause() {
    let world = with_pod("verify-silent").await;
    let zero = "00:00:00:00:00:00";
    let (active, standby) = (world.devices.active(), world.devices.standby());
    active.answer_arp(address(POD), Some(zero), TUNNEL_PATH);
    standby.answer_arp(address(POD), Some(MAC), TUNNEL_PATH);
    let ended = verify(&world).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_outcomes(&ended, [("ARPMACZero", "BTN0411"), ("NoReply", "BTN0412")]);

    active.forget_arp(POD);
    active.answer_arp(address(POD), None, TUNNEL_PATH);
    standby.forget_arp(POD);
    // An answer by a VLAN is none of the tunnel.
    standby.answer_ping(address(POD), Some(900));
    standby.answer_arp(address(POD), Some(MAC), "/Common/internal");
    let ended = verify(&world).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let found = outcomes(&ended);
    assert!(found.iter().all(|(_, outcome, _)| outcome == "NoARPAnswer"));
}

#[tokio::test]
async fn unit_that_refuses_pings_is_named_with_the_call() {
    let world = with_pod("verify-refused").await;
    for unit in world.devices.units() {
        answers(unit);
    }
    world.devices.standby().set_user(&UserConfig {
        rights: Rights::ReadOnly,
        ..UserConfig::new(USER, world.devices.password())
    });
    let ended = verify(&world).await;
    assert_outcomes(&ended, [("Proven", ""), ("NotAsked", "BTN0105")]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.out.contains("may not POST the ping (util/ping)"),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("1 of 2 paths were not asked for"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn pings_end_when_the_time_is_over() {
    let world = with_pod("verify-late").await;
    let pod = format!("{}/web", world.name);
    let args = ["verify", NAME, "--pod", &pod, "--timeout", "1us"];
    let ended = world.plugin(&args).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert_eq!(
        ended.out.matches("the time of --timeout was over").count(),
        2,
        "{ended:?}"
    );
    for unit in world.devices.units() {
        assert_eq!(pings(unit).len(), 0);
    }
}

#[tokio::test]
async fn unit_without_self_ip_on_the_tunnel_is_not_pinged() {
    let world = with_pod("verify-self-ip").await;
    for unit in world.devices.units() {
        answers(unit);
    }
    let standby = world.devices.standby();
    assert!(standby.delete_self_ip(&self_ip(TUNNEL_PATH).path));
    let ended = verify(&world).await;
    assert_outcomes(&ended, [("Proven", ""), ("NotAsked", "BTN0216")]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(pings(standby).len(), 0);
}

#[tokio::test]
async fn missing_verify_permissions_are_named() {
    let world = with_pod("verify-rights").await;
    let account = world.account().await;
    let mut rules = vec![
        rule("", &["nodes"], &["get", "list"]),
        rule("bigip-tunnel.dev", &["bigiptunnels"], &["get", "list"]),
    ];
    account.allow(&rules).await.unwrap();
    let pod = format!("{}/web", world.name);
    let args = ["verify", NAME, "--pod", &pod];
    let no_pods = world.plugin_as(&account, &args).await;
    assert_eq!(no_pods.code, Some(3), "{no_pods:?}");
    assert!(
        no_pods.err.contains("not allowed to get pods"),
        "{no_pods:?}"
    );
    rules.push(rule("", &["pods"], &["get"]));
    account.allow(&rules).await.unwrap();
    let no_secret = world.plugin_as(&account, &args).await;
    assert_eq!(no_secret.code, Some(3), "{no_secret:?}");
    assert!(
        no_secret.out.contains("you may not get Secret"),
        "{no_secret:?}"
    );
    for unit in world.devices.units() {
        assert_eq!(pings(unit).len(), 0);
    }
}

/// A world with a health endpoint on each node; the agent of the last one is not Ready.
async fn with_health_endpoints(name: &str) -> World {
    let world = cilium_world(name).await.into_sync().await;
    for (number, (node, address)) in NODES.into_iter().enumerate() {
        let health = format!("10.97.{number}.66");
        let spec = json!({"addresses": [{"type": "InternalIP", "ip": address}], "health": {"ipv4": health}});
        write_cilium_node_with(&world, node, spec).await;
        let agent = format!("cilium-{node}");
        let labels = json!({"k8s-app": "cilium"});
        let place = (&*world.node_name(node), address);
        create_pod(&world, &agent, place, labels, number < 2).await;
    }
    world
}

#[tokio::test]
async fn health_endpoint_of_every_ready_agent_is_pinged() {
    let world = with_health_endpoints("verify-health").await;
    for unit in world.devices.units() {
        for health in ["10.97.0.66", "10.97.1.66"] {
            unit.answer_ping(address(health), Some(700));
            unit.answer_arp(address(health), Some(MAC), TUNNEL_PATH);
        }
    }
    let text = world.plugin(&["verify", NAME, "-o", "wide"]).await;
    assert_eq!(text.code, Some(3), "{text:?}");
    assert_eq!(text.out.matches(" Proven ").count(), 4, "{text:?}");
    let not_asked = " its Cilium agent is not Ready";
    assert_eq!(text.out.matches(not_asked).count(), 2, "{text:?}");
    assert!(text.out.contains("0.700 ms"), "{text:?}");

    let node = world.node_name("1");
    let args = ["verify", NAME, "--node", &node, "--device", "bigip-b"];
    let one = world.plugin(&args).await;
    assert_eq!(one.code, Some(0), "{one:?}");
    let summary = "0 proven, 1 reached by a known path, 0 not reached, 0 not asked";
    assert!(one.out.contains(summary), "{one:?}");
    let unknown = world.plugin(&["verify", NAME, "--node", "nowhere"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}

#[tokio::test]
async fn all_nodes_are_pinged_only_after_confirmation() {
    let world = with_health_endpoints("verify-all").await;
    let args = ["verify", NAME, "--all"];
    let silent = world.plugin(&args).await;
    assert_eq!(silent.code, Some(2), "{silent:?}");
    let cost = "bigip-a: 2 pings, one at a time, 4 s at most; an ARP request for an unknown address goes to \
                3 endpoints: up to 6 copies in all";
    assert!(silent.err.contains(cost), "{silent:?}");
    let asked = world.plugin_asking(&args).await;
    assert!(
        asked.shown.contains("Send 4 pings? [y/N]"),
        "{}",
        asked.shown
    );
    assert_eq!(asked.answer("n").await.code, Some(1));
    for unit in world.devices.units() {
        assert_eq!(pings(unit).len(), 0);
    }
    let all = [&args[..], &["--yes", "-o", "junit"]].concat();
    let ended = world.plugin(&all).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let suite =
        r#"<testsuite name="verify-all/prod-east bigip-a" tests="3" failures="2" errors="1">"#;
    assert!(ended.out.contains(suite), "{ended:?}");
    for unit in world.devices.units() {
        assert_eq!(pings(unit).len(), 2);
    }
}
