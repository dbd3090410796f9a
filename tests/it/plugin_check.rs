//! `check` of the plugin on a real API server: what it finds, how it exits, and that whoever may read
//! nodes and tunnels gets everything that these say.

use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::devices::USER;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::devices::create_secret;
use crate::world::plugin::Ended;
use crate::world::{LOCAL_ADDRESS, NAME, World};

/// Puts a configuration of Cilium into the namespace of the world, with the tunnel of the pair.
async fn configure_cilium(world: &World) {
    let status = world.status().await;
    let tunnel = status.devices[0].tunnel.as_ref().unwrap();
    assert_eq!(tunnel.self_ips, ["10.244.255.1/16"]);
    let config: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "cilium-config"},
        "data": {
            "enable-vtep": "true",
            "routing-mode": "tunnel",
            "vtep-endpoint": LOCAL_ADDRESS,
            "vtep-cidr": "10.244.0.0/16",
            "vtep-mask": "255.255.0.0",
            "vtep-mac": tunnel.mac,
        },
    }))
    .unwrap();
    let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.name);
    api.create(&PostParams::default(), &config).await.unwrap();
}

/// The codes of a report in JSON with this result.
fn codes(ended: &Ended, result: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let categories = report["categories"].as_array().unwrap().iter();
    let checks = categories.flat_map(|category| category["checks"].as_array().unwrap());
    checks
        .filter(|check| check["result"] == result)
        .map(|check| check["code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn reader_of_nodes_and_tunnels_can_check_these() {
    let world = World::in_sync("check-reader").await;
    let account = world.account().await;
    let rules = [
        rule("", &["nodes"], &["get", "list"]),
        rule("bigip-tunnel.dev", &["bigiptunnels"], &["get", "list"]),
    ];
    account.allow(&rules).await.unwrap();
    let json = world
        .plugin_as(&account, &["check", NAME, "-o", "json"])
        .await;
    assert_eq!((json.code, &*json.err), (Some(0), ""), "{json:?}");
    assert_eq!(codes(&json, "error"), [""; 0]);
    // Everything but nodes and tunnels, each for itself.
    assert!(
        codes(&json, "skipped")
            .iter()
            .filter(|code| *code == "BTN0011")
            .count()
            >= 4
    );
    let text = world.plugin_as(&account, &["check", NAME]).await;
    assert!(
        text.out.contains("bigip-a: 3 of 3 records present"),
        "{text:?}"
    );
    assert!(
        text.out.contains("not allowed to list deployments"),
        "{text:?}"
    );
}

#[tokio::test]
async fn matching_cilium_configuration_has_no_finding() {
    let world = World::in_sync("check-cilium").await;
    configure_cilium(&world).await;
    let args = [
        "check",
        NAME,
        "--cilium-namespace",
        "check-cilium",
        "-o",
        "json",
    ];
    let ended = world.plugin(&args).await;
    // The operator of a test is no Deployment, and those of other tests have no pods.
    let mut errors = codes(&ended, "error");
    errors.dedup();
    assert_eq!(errors, ["BTN0003"], "{ended:?}");
    // No agent runs. The units share an address, and one entry cannot have the MAC address of both.
    assert_eq!(codes(&ended, "skipped"), ["BTN0011"]);
    let warnings = codes(&ended, "warning");
    assert!(warnings.contains(&"BTN0403".to_owned()), "{warnings:?}");
    assert_eq!(ended.code, Some(1));
}

#[tokio::test]
async fn wrong_password_is_an_error_with_code_and_link() {
    let world = World::in_sync("check-password").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "wrong-login", &wrong).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "wrong-login"}}))
        .await;
    world.until_reason("AuthenticationFailed").await;
    let ended = world.plugin(&["check", NAME]).await;
    assert_eq!(ended.code, Some(1));
    for said in ["BTN0104", "see https://", "/docs/codes/BTN0104.md"] {
        assert!(ended.out.contains(said), "{said}: {ended:?}");
    }
    assert!(!ended.out.contains("wrong-guess"), "{ended:?}");
}

#[tokio::test]
async fn preflight_check_lists_missing_permissions() {
    let world = World::new("check-pre").await;
    let account = world.account().await;
    account
        .allow(&[rule("", &["nodes"], &["get", "list"])])
        .await
        .unwrap();
    let ended = world.plugin_as(&account, &["check", "--pre"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.out.contains("you may not create clusterroles"),
        "{ended:?}"
    );
    let able = world.plugin(&["check", "--pre"]).await;
    assert!(able.out.contains("you may create clusterroles"), "{able:?}");
    assert_eq!(able.code, Some(0), "{able:?}");
}

#[tokio::test]
async fn entries_for_cilium_are_printed_and_compared() {
    let world = World::in_sync("cilium-entries").await;
    let args = ["cilium", NAME, "--cilium-namespace", "cilium-entries"];
    // The units of the pair share an address, and Cilium holds one MAC address for it.
    let refused = world.plugin(&args).await;
    assert_eq!((refused.code, &*refused.out), (Some(1), ""), "{refused:?}");
    assert!(refused.err.contains("one local address"), "{refused:?}");
    let unknown = world.plugin(&[&args[..], &["--diff"]].concat()).await;
    assert_eq!(unknown.code, Some(3), "{unknown:?}");

    let devices = world.spec()["devices"].clone();
    world.patch_spec(json!({"devices": [devices[0]]})).await;
    let is_alone = |status: &BigIpTunnelStatus| status.devices.len() == 1;
    world.until_status("one device", is_alone).await;
    configure_cilium(&world).await;
    let printed = world.plugin(&args).await;
    let endpoint = format!("  endpoint: \"{LOCAL_ADDRESS}\"\n");
    assert!(printed.out.contains(&endpoint), "{printed:?}");
    let same = world.plugin(&[&args[..], &["--diff"]].concat()).await;
    assert_eq!((same.code, &*same.out), (Some(0), ""), "{same:?}");
}
