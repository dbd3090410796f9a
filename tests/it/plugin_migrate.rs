//! `migrate cis` on a real API server: a pair that two F5 CIS write is taken over without a write.

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, ClaimState};
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::objects::{CA_CONFIG_MAP, SECRET};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::world::{RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims};

/// The name that is made of the tunnel's.
const MADE: &str = "flannel-vxlan";

/// The Deployment of a CIS with these arguments, and its login out of a Secret as Helm mounts it.
async fn deploy(world: &World, name: &str, arguments: &[String]) {
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            // A CIS that runs is not needed to read what it is told.
            "replicas": 0,
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{
                        "name": "k8s-bigip-ctlr",
                        "image": "f5networks/k8s-bigip-ctlr:2.20.4",
                        "command": ["/app/bin/k8s-bigip-ctlr"],
                        "args": arguments,
                        "volumeMounts": [{"name": "creds", "mountPath": "/tmp/creds"}],
                    }],
                    "volumes": [{"name": "creds", "secret": {"secretName": SECRET}}],
                },
            },
        },
    }))
    .unwrap();
    let api: Api<Deployment> = Api::namespaced(world.client.clone(), &world.name);
    api.create(&PostParams::default(), &deployment)
        .await
        .unwrap();
}

/// A CIS for each unit of the pair, and one that has nothing to do with a tunnel.
async fn deploy_pair(world: &World) {
    let labels = world.nodes.selector().match_labels.unwrap();
    let (label, value) = labels.iter().next().unwrap();
    for (device, name) in world
        .devices
        .spec_devices()
        .as_array()
        .unwrap()
        .iter()
        .zip(["cis-a", "cis-b"])
    {
        let (address, port) = (device["address"].as_str().unwrap(), &device["port"]);
        let arguments = [
            "--credentials-directory=/tmp/creds".to_owned(),
            format!("--bigip-url=https://{address}:{port}"),
            format!("--cilium-name={TUNNEL_PATH}"),
            format!("--trusted-certs-cfgmap={}/{CA_CONFIG_MAP}", world.name),
            format!("--node-label-selector={label}={value}"),
            "--pool-member-type=cluster".to_owned(),
        ];
        deploy(world, name, &arguments).await;
    }
    let other = ["--bigip-url=192.0.2.1", "--pool-member-type=nodeport"];
    deploy(world, "cis-nodeport", &other.map(str::to_owned)).await;
}

#[tokio::test]
async fn pair_of_cis_is_taken_over_without_a_write() {
    let mut world = World::new("migrate-pair").await;
    world.create_nodes().await;
    for unit in world.devices.units() {
        for (mac, endpoint) in [RECORD_1, RECORD_2, RECORD_3] {
            unit.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
        }
    }
    deploy_pair(&world).await;
    let account = world.account().await;
    account
        .allow(&[rule("apps", &["deployments"], &["list"])])
        .await
        .unwrap();
    let made = world.plugin_as(&account, &["migrate", "cis"]).await;
    assert_eq!((made.code, &*made.err), (Some(0), ""), "{made:?}");

    // What is printed can be applied as it is, and only observes.
    let object: BigIpTunnel = serde_saphyr::from_str(&made.out).unwrap();
    let api = world.objects();
    api.create(&PostParams::default(), &object).await.unwrap();
    world.start_operator().await;
    let wait = ["status", MADE, "--wait", "--timeout", "60s"];
    let observed = world.plugin(&wait).await;
    assert_eq!(observed.code, Some(0), "{observed:?}");
    let same = world.plugin(&["diff", MADE]).await;
    assert_eq!(same.code, Some(0), "{same:?}");

    let policy = Patch::Merge(json!({"spec": {"managementPolicy": "FDBOnly"}}));
    api.patch(MADE, &PatchParams::default(), &policy)
        .await
        .unwrap();
    let taken = world.plugin(&wait).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let status = api.get(MADE).await.unwrap().status.unwrap();
    let owned = [RECORD_1, RECORD_2, RECORD_3].map(|(mac, _)| (mac.to_owned(), ClaimState::Owned));
    assert_eq!(status.devices.len(), 2);
    for device in &status.devices {
        assert_eq!(claims(&status, &device.name), owned.clone().into());
    }
    assert!(
        status
            .conditions
            .iter()
            .any(|c| c.type_ == ConditionType::Ready.as_str() && c.status == "True")
    );
    for unit in world.devices.units() {
        assert_eq!(unit.mutations(), 0);
    }
}

#[tokio::test]
async fn named_cis_is_read_with_the_get_permission_only() {
    let world = World::new("migrate-one").await;
    deploy_pair(&world).await;
    let account = world.account().await;
    account
        .allow(&[rule("apps", &["deployments"], &["get"])])
        .await
        .unwrap();
    let named = ["migrate", "cis", "cis-b", "-o", "json"];
    let ended = world.plugin_as(&account, &named).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["tunnels"][0]["from"][0]["name"], "cis-b");
    let devices = &report["tunnels"][0]["object"]["spec"]["devices"];
    assert_eq!(devices[0]["port"], world.devices.spec_devices()[1]["port"]);

    for (args, code, said) in [
        (
            &["migrate", "cis", "cis-nodeport"][..],
            1,
            "there is nothing to take over",
        ),
        (&["migrate", "cis", "cis-c"], 1, "\"cis-c\" not found"),
        (&["migrate", "cis"], 3, "not allowed to list deployments"),
        (&["migrate", "cis", "cis-a", "-A"], 2, "all namespaces"),
    ] {
        let ended = world.plugin_as(&account, args).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.contains(said), "{said}: {ended:?}");
        assert_eq!(ended.out, "");
    }
}
