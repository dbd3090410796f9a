//! What is green is known to be right: units that do not answer, and Nodes that stand for a unit.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{from_value, json};

use crate::world::{RECORD_2, RECORD_3, World, condition, device};

#[tokio::test]
async fn unit_that_never_answered_is_unknown_and_not_counted() {
    let mut world = World::new("green-silent").await;
    for unit in world.devices.units() {
        unit.set_responsive(false);
    }
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["saveConfig"] = json!({"policy": "OnChange", "delaySeconds": 1});
    world.create(spec).await;
    let status = world.until_reason("DeviceUnreachable").await;
    let available = condition(&status.conditions, "Available");
    assert_eq!(available.status, "Unknown", "{}", available.message);
    for name in ["bigip-a", "bigip-b"] {
        let saved = condition(&device(&status, name).conditions, "Saved");
        assert_eq!(saved.status, "Unknown", "{}", saved.message);
    }
    let summary = status.summary.unwrap();
    assert_eq!((&*summary.devices, &*summary.nodes), ("0/2", "?/3"));
}

#[tokio::test]
async fn flannel_node_of_a_unit_causes_no_failure() {
    let world = World::in_sync("green-flannel").await;
    let status = world.object().await.status.unwrap();
    let tunnel = status.devices[0].tunnel.as_ref().unwrap();
    let local = tunnel.local_address.as_deref().unwrap();
    let address = local.split('%').next().unwrap();
    let labels = world.nodes.selector().match_labels.unwrap();
    let name = world.node_name("stand-in");
    let node: Node = from_value(json!({
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"flannel.alpha.coreos.com/public-ip": address},
        },
    }))
    .unwrap();
    let api: Api<Node> = Api::all(world.client.clone());
    api.create(&PostParams::default(), &node).await.unwrap();
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
    let status = world.until_ready().await;
    let nodes = status.nodes.unwrap();
    assert_eq!((nodes.selected, nodes.joining, nodes.skipped), (2, 0, 0));
    api.delete(&name, &DeleteParams::default()).await.unwrap();
}
