//! The verbs of the plugin that talk to BIG-IPs themselves: what they show, what they remove, and
//! what they leave alone.

use std::io::Write as _;

use bigip_sim::{SelfIp, SourceTranslation, VirtualServer};
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::devices::USER;
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::devices::{create_secret, patch_secret};
use crate::witness::Rule;
use crate::world::{
    FOREIGN, LOCAL_ADDRESS, NAME, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    mutations,
};

/// A record of our form that belongs to nobody here.
const LEFTOVER: (&str, &str) = ("0a:0a:0a:63:00:07", "10.99.0.7%0");

/// A world in sync, on which nobody works any more: what the standby holds is made to differ.
async fn out_of_sync(name: &str) -> World {
    let world = World::in_sync(name).await;
    world.patch_spec(json!({"suspend": true})).await;
    world
        .until_status("the suspension", |status| {
            status.conditions.iter().any(|c| c.type_ == "Paused")
        })
        .await;
    let standby = world.devices.standby();
    assert!(standby.drop_record(TUNNEL_PATH, RECORD_2.0));
    for (mac, endpoint) in [LEFTOVER, FOREIGN] {
        standby.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
    }
    world
}

#[tokio::test]
async fn differences_are_read_from_the_bigips_and_nothing_is_written() {
    let world = out_of_sync("direct-diff").await;
    let before = world
        .devices
        .units()
        .each_ref()
        .map(|unit| mutations(unit).len());
    let ended = world.plugin(&["diff", NAME, "--direct"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = [
        "bigip-a  /Common/flannel_vxlan: no differences (3 right)".to_owned(),
        "bigip-b  /Common/flannel_vxlan: 1 to add, 2 kept (2 right)".to_owned(),
        format!(
            "  + {}  {}  direct-diff-{}",
            RECORD_2.0, RECORD_2.1, NODES[1].0
        ),
        format!("  = {}  {}  not ours", LEFTOVER.0, LEFTOVER.1),
        format!("  = {}  {}  not ours", FOREIGN.0, FOREIGN.1),
    ];
    assert_eq!(ended.out.lines().collect::<Vec<_>>(), expected);
    let tmsh = world
        .plugin(&[
            "diff", NAME, "--direct", "--device", "bigip-b", "-o", "tmsh",
        ])
        .await;
    assert!(
        tmsh.out.contains("records add { 0a:0a:0a:a9:48:e9 {"),
        "{tmsh:?}"
    );
    let same = world
        .plugin(&["diff", NAME, "--direct", "--device", "bigip-a"])
        .await;
    assert_eq!(same.code, Some(0), "{same:?}");
    let after = world
        .devices
        .units()
        .each_ref()
        .map(|unit| mutations(unit).len());
    assert_eq!(before, after);
    // The plugin gives its tokens back; the operator has one.
    assert!(world.devices.standby().live_tokens(USER) <= 1);
}

#[tokio::test]
async fn diff_of_a_file_shows_its_changes() {
    let world = World::in_sync("direct-file").await;
    let mut object: Value = serde_json::to_value(world.object().await).unwrap();
    object["spec"]["nodes"]["addressSource"] =
        json!({"type": "InternalIP", "cidrs": ["10.169.72.239/32"]});
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(object.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let ended = world.plugin(&["diff", "-f", path, "-o", "tmsh"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for (mac, _) in [RECORD_2, RECORD_3] {
        assert!(ended.out.contains(mac), "{ended:?}");
    }
    assert!(!ended.out.contains(RECORD_1.0), "{ended:?}");
    let broken = world.plugin(&["diff", "-f", "/nonexistent"]).await;
    assert_eq!(broken.code, Some(3), "{broken:?}");
}

#[tokio::test]
async fn refused_login_gives_an_error_and_no_differences() {
    let world = World::in_sync("direct-login").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "wrong-login", &wrong).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "wrong-login"}}))
        .await;
    let refused = world.plugin(&["diff", NAME, "--direct"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    let hint = "hint: kubectl bigip-tunnel explain AuthenticationFailed";
    assert!(refused.err.contains(hint), "{refused:?}");
    assert!(
        refused
            .out
            .contains("bigip-a  /Common/flannel_vxlan: no differences")
    );
    assert!(!format!("{refused:?}").contains("wrong-guess"));

    let account = world.account().await;
    let rules = [
        rule("", &["nodes"], &["get", "list"]),
        rule("bigip-tunnel.dev", &["bigiptunnels"], &["get", "list"]),
    ];
    account.allow(&rules).await.unwrap();
    let forbidden = world.plugin_as(&account, &["diff", NAME, "--direct"]).await;
    assert_eq!(forbidden.code, Some(3));
    assert!(
        forbidden.err.contains("you may not get Secret"),
        "{forbidden:?}"
    );
}

#[tokio::test]
async fn refused_login_is_not_repeated_while_check_waits() {
    let mut world = World::in_sync("direct-wait").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "wrong-login", &wrong).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "wrong-login"}}))
        .await;
    world
        .until_status("the refused login of the operator", |status| {
            let standby = status.devices.iter().find(|d| d.name == "bigip-b");
            let conditions = standby.iter().flat_map(|standby| &standby.conditions);
            conditions
                .into_iter()
                .any(|c| c.reason == "AuthenticationFailed")
        })
        .await;
    // Another password, which no status knows: the budget has one login left for it.
    world.kill_operator().await;
    let other = json!({"password": "another-wrong-guess"});
    patch_secret(&world, "wrong-login", other).await;
    let before = world.devices.standby().logins();
    let check = ["check", NAME, "--direct", "--wait", "--timeout", "11s"];
    let ended = world.plugin(&check).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert_eq!(world.devices.standby().logins(), before + 1);
}

#[tokio::test]
async fn plugin_sends_no_password_to_an_unbound_address() {
    let world = World::in_sync("direct-binding").await;
    let bound = [("username", USER), ("password", world.devices.password())];
    create_secret(&world, "bound-login", &bound).await;
    let annotation = json!({"metadata": {"annotations": {
        "bigip-tunnel.dev/allowed-addresses": "192.0.2.1",
    }}});
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let (name, patch) = ("bound-login", Patch::Merge(annotation));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "bound-login"}}))
        .await;
    let logins = world.devices.standby().logins();
    let ended = world
        .plugin(&["diff", NAME, "--direct", "--device", "bigip-b"])
        .await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.err.contains("does not allow its password"),
        "{ended:?}"
    );
    assert_eq!(world.devices.standby().logins(), logins);
}

#[tokio::test]
async fn only_orphans_are_pruned_after_confirmation() {
    let world = out_of_sync("direct-prune").await;
    let reason = "a user prunes orphaned records";
    world.witness.exempt(Rule::ForeignRecord, reason);
    let held = |world: &World| world.devices.standby().records(TUNNEL_PATH);
    let before = held(&world);
    let prune = ["prune", NAME, "--direct"];
    let dry = world
        .plugin(&[&prune[..], &["--dry-run=client"]].concat())
        .await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let line = format!("bigip-b: {} {} would be removed", LEFTOVER.0, LEFTOVER.1);
    assert!(dry.out.contains(&line), "{dry:?}");
    // Nobody is there to be asked.
    let silent = world.plugin(&prune).await;
    assert_eq!(silent.code, Some(2), "{silent:?}");
    let asked = world.plugin_asking(&prune).await;
    assert!(asked.shown.contains("another cluster"), "{}", asked.shown);
    assert!(asked.shown.contains(LEFTOVER.0) && !asked.shown.contains(FOREIGN.0));
    assert_eq!(asked.answer("n").await.code, Some(1));
    assert_eq!(held(&world), before);

    let asked = world.plugin_asking(&prune).await;
    let ended = asked.answer("y").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("bigip-a: no leftovers"), "{ended:?}");
    let mut expected = before;
    expected.remove(LEFTOVER.0);
    assert_eq!(held(&world), expected);
}

#[tokio::test]
async fn virtual_server_unreachable_for_pods_is_found() {
    let world = World::in_sync("direct-snat").await;
    let nodes: Api<Node> = Api::all(world.client.clone());
    let pods = json!({"spec": {"podCIDR": "10.97.1.0/24", "podCIDRs": ["10.97.1.0/24"]}});
    let (node, patch) = (world.node_name("1"), Patch::Merge(pods));
    nodes
        .patch(&node, &PatchParams::default(), &patch)
        .await
        .unwrap();
    let active = world.devices.active();
    let inside = SelfIp {
        path: "/Common/internal_self".to_owned(),
        address: format!("{LOCAL_ADDRESS}/24"),
        vlan: "/Common/internal".to_owned(),
    };
    let floating = SelfIp {
        path: "/Common/external_self".to_owned(),
        address: "198.51.100.5/24".to_owned(),
        vlan: "/Common/external".to_owned(),
    };
    for self_ip in [&inside, &floating] {
        active.add_self_ip(self_ip).unwrap();
    }
    active
        .add_route("/Common/pods", "10.96.0.0/12", TUNNEL_PATH)
        .unwrap();
    let server = VirtualServer {
        path: "/Common/web".to_owned(),
        members: vec!["10.97.1.20".to_owned()],
        translation: SourceTranslation::Automap,
    };
    active.add_virtual_server(&server).unwrap();
    let check = async || {
        let ended = world
            .plugin(&["check", NAME, "--direct", "-o", "json"])
            .await;
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let categories = report["categories"].as_array().unwrap().iter();
        let checks = categories.flat_map(|category| category["checks"].as_array().unwrap());
        let of_device = checks.filter(|check| {
            let text = check["description"].as_str().unwrap();
            text.starts_with("bigip-a") && check["result"] != "success"
        });
        of_device
            .map(|check| check["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = mutations(active).len();
    assert_eq!(check().await, [""; 0]);
    assert!(active.float_self_ip(&floating.path));
    assert_eq!(check().await, ["BTN0217"]);
    let inside_overlay = VirtualServer {
        translation: SourceTranslation::Pool(vec!["10.244.255.9".to_owned()]),
        ..server.clone()
    };
    active.add_virtual_server(&inside_overlay).unwrap();
    assert_eq!(check().await, [""; 0]);
    let outside = VirtualServer {
        translation: SourceTranslation::Pool(vec!["198.51.100.9".to_owned()]),
        ..server
    };
    active.add_virtual_server(&outside).unwrap();
    assert_eq!(check().await, ["BTN0217"]);
    assert_eq!(mutations(active).len(), before);
}
