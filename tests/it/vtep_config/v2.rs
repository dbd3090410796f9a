//! The shape v2 of CiliumVTEPConfig: one object, written alone.

use super::*;

#[tokio::test]
async fn v2_is_written_alone_with_the_mask_of_its_networks() {
    let control_plane = ControlPlane::start().unwrap();
    let mut world = world(&control_plane, "vtep-two", "10.61.16.1/20").await;
    let configs = install(&world.client, "v2").await;
    let nodes = serve(&world.client, "v2", "CiliumNode", "ciliumnodes").await;
    for (node, address) in NODES {
        let node = json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNode",
            "metadata": {"name": world.node_name(node)},
            "spec": {
                "addresses": [{"type": "InternalIP", "ip": address}],
                "ipam": {"podCIDRs": [format!("10.71.{node}.0/24")]},
            },
        });
        apply(&nodes, node).await;
    }
    let other = json!({
        "apiVersion": "cilium.io/v2", "kind": KIND, "metadata": {"name": "hybrid-gateway"},
        "spec": {"endpoints": [
            {"name": "g", "tunnelEndpoint": "192.0.2.50", "cidr": "10.60.0.0/24", "mac": "02:00:00:00:00:50"},
        ]},
    });
    apply(&configs, other.clone()).await;
    let before = bytes(&configs, "hybrid-gateway").await;
    start(&mut world).await;
    create(&world).await;
    let refused = until(&world, "False", "VTEPConfigNotAlone").await;
    assert!(refused.message.contains("hybrid-gateway"), "{refused:?}");
    world.settle().await;
    assert_eq!(
        configs
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    assert_eq!(bytes(&configs, "hybrid-gateway").await, before);
    let delete = DeleteParams::default();
    configs.delete("hybrid-gateway", &delete).await.unwrap();
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    let written = configs.get(&name(&world)).await.unwrap();
    let spec = &written.data["spec"];
    assert_eq!(spec["cidrMask"], "255.255.240.0");
    assert_eq!(spec["endpoints"][0]["cidr"], "10.61.16.0/20");
    // Without a generation it may be a status of before.
    let mut synced = json!({"status": {"endpointStatuses": [{"name": "bigip-a", "synced": true}]}});
    synced["status"]["conditions"] = json!([
        {"type": "Ready", "status": "True", "observedGeneration": written.metadata.generation},
    ]);
    configs
        .patch_status(
            &name(&world),
            &PatchParams::default(),
            &Patch::Merge(synced),
        )
        .await
        .unwrap();
    until(&world, "True", "VTEPProgrammed").await;
    apply(&configs, other).await;
    until(&world, "False", "VTEPConfigNotAlone").await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    let left = configs.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(
        left.iter()
            .map(kube::ResourceExt::name_any)
            .collect::<Vec<_>>(),
        ["hybrid-gateway"]
    );
}
