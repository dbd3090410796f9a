//! Objects that do not parse, as a newer or a tampered definition of the resource lets them in.

use std::time::Duration;

use bigip_sim::TunnelConfig;
use bigip_tunnel_crds::schema;
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::nodes::Nodes;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::standing::assert_owner_is_free;
use crate::world::{
    LOCAL_ADDRESS, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
};

/// How long a status or a definition may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Name of the object beside the usual one.
const OTHER: &str = "other";

/// A world on the control plane of these tests, whose API server takes any object.
pub(crate) async fn world(name: &str) -> World {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || {
        let control_plane = ControlPlane::start().unwrap();
        loosen(&control_plane.client().await.unwrap()).await;
        control_plane
    };
    let control_plane = CONTROL_PLANE.get_or_init(start).await;
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    World::on(control_plane, name, tunnel).await
}

/// Takes the rules out of the definition, and waits until the API server has forgotten them.
async fn loosen(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = schema::crd().name_any();
    let mut definition = definitions.get(&name).await.unwrap();
    for version in &mut definition.spec.versions {
        let anything = || JSONSchemaProps {
            type_: Some("object".into()),
            x_kubernetes_preserve_unknown_fields: Some(true),
            ..JSONSchemaProps::default()
        };
        let schema = &mut version.schema.as_mut().unwrap().open_api_v3_schema;
        let rules = schema.replace(anything()).unwrap().properties.unwrap();
        // The only default that is needed: a new object has a status.
        let status = JSONSchemaProps {
            default: rules["status"].default.clone(),
            ..anything()
        };
        schema.as_mut().unwrap().properties = Some([("status".to_owned(), status)].into());
        version.selectable_fields = None;
    }
    let params = PostParams::default();
    definitions
        .replace(&name, &params, &definition)
        .await
        .unwrap();
    let taken = eventually("an object without rules", LIMIT, async || {
        let made = objects::create_tunnel(client, "default", "probe", json!("anything")).await;
        Answer::when(made.map_err(|error| error.to_string()), Result::is_ok)
    });
    taken.await.unwrap().unwrap();
}

/// Changes parts of an object that need not parse.
async fn patch(world: &World, spec: Value) {
    let patch = Patch::Merge(json!({ "spec": spec }));
    objects::tunnels(&world.client, &world.name)
        .patch(NAME, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// A spec in which one field is no number.
fn bad(mut spec: Value) -> Value {
    spec["drift"]["intervalSeconds"] = json!("hunter2");
    spec
}

/// The condition of this type, `null` when there is none.
fn condition<'a>(object: &'a DynamicObject, kind: &str) -> &'a Value {
    let conditions = object.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == kind);
    found.unwrap_or(&Value::Null)
}

/// Waits until an object says in its current generation that it cannot be read, in these words.
async fn until_invalid(world: &World, name: &str, words: &str) -> DynamicObject {
    let tunnels = objects::tunnels(&world.client, &world.name);
    let seen = eventually(format!("{name} says: {words}"), LIMIT, async || {
        let object = tunnels.get(name).await.unwrap();
        let ready = condition(&object, "Ready");
        let says = |word: &str| ready["message"].as_str().is_some_and(|m| m.contains(word));
        let observed = object.data["status"]["observedGeneration"].as_i64();
        if says(words) && observed == object.metadata.generation {
            Answer::Done(object)
        } else {
            Answer::NotYet(object.data["status"].to_string())
        }
    });
    let object = world.must(seen.await).await;
    for (kind, status) in [
        ("Ready", "False"),
        ("Accepted", "False"),
        ("Stalled", "True"),
    ] {
        let condition = condition(&object, kind);
        assert_eq!(condition["status"], status, "{condition}");
        assert_eq!(condition["reason"], "InvalidSpec", "{condition}");
    }
    assert_eq!(condition(&object, "Reconciling"), &Value::Null);
    assert!(!object.data["status"].to_string().contains("hunter2"));
    object
}

#[tokio::test]
async fn unparsable_object_stops_no_other() {
    let world = world("unreadable-beside").await;
    world.create_named(OTHER, bad(world.spec())).await;
    let world = world.into_sync().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    until_invalid(&world, OTHER, "spec.drift.intervalSeconds").await;
}

#[tokio::test]
async fn status_of_an_unparsable_object_is_written_once() {
    let world = world("unreadable-once").await.into_sync().await;
    world.create_named(OTHER, bad(world.spec())).await;
    let written = until_invalid(&world, OTHER, "spec.drift.intervalSeconds").await;
    world.settle().await;
    let later = objects::tunnels(&world.client, &world.name)
        .get(OTHER)
        .await
        .unwrap();
    assert_eq!(later.resource_version(), written.resource_version());
}

#[tokio::test]
async fn object_that_becomes_unparsable_loses_no_record() {
    let world = world("unreadable-later").await.into_sync().await;
    let tunnels = objects::tunnels(&world.client, &world.name);
    let claims = tunnels.get(NAME).await.unwrap().data["status"]["ownership"].clone();
    assert!(claims.is_object(), "{claims}");
    patch(&world, bad(world.spec())).await;
    let broken = until_invalid(&world, NAME, "spec.drift.intervalSeconds").await;
    assert_eq!(broken.data["status"]["ownership"], claims);
    assert_eq!(world.counter("bigiptunnel_tunnels", "").await, 0);

    // A node of it goes; the object beside it goes on, and shows that there was time to act.
    world.delete_node("1").await;
    let pool = Nodes::new(world.client.clone(), "unreadable-later-pool");
    pool.create(&world.node_name("pool"), NEW_NODE.1)
        .await
        .unwrap();
    let mut spec = world.spec();
    spec["nodes"]["selector"] = json!(pool.selector());
    world.create_named(OTHER, spec).await;
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    world.until_records(&all).await;
    let ready = eventually("the other object is Ready", LIMIT, async || {
        let other = tunnels.get(OTHER).await.unwrap();
        Answer::when(condition(&other, "Ready").clone(), |c| {
            c["status"] == "True"
        })
    });
    world.must(ready.await).await;
    world.assert_records(&all);

    patch(&world, world.spec()).await;
    world.until_records(&all[1..]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn deleted_unparsable_object_names_its_finalizer() {
    let world = world("unreadable-deleted").await.into_sync().await;
    patch(&world, bad(world.spec())).await;
    until_invalid(&world, NAME, "spec.drift.intervalSeconds").await;
    objects::tunnels(&world.client, &world.name)
        .delete(NAME, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    until_invalid(&world, NAME, "finalizer bigip-tunnel.dev/cleanup").await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);

    patch(&world, world.spec()).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn object_with_unreadable_peers_reports_its_block() {
    let world = world("unreadable-neighbour").await.into_sync().await;
    world.create_named(OTHER, bad(world.spec())).await;
    until_invalid(&world, OTHER, "spec.drift.intervalSeconds").await;
    world.delete(NAME).await;
    let status = world.until_reason("HeldByNeighbour").await;
    let ready = crate::world::condition(&status.conditions, "Ready");
    assert!(
        ready.message.contains("BigIpTunnel other may need them"),
        "{}",
        ready.message
    );
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);

    objects::tunnels(&world.client, &world.name)
        .delete(OTHER, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

/// An object of a stranger whose selector makes no sense, as an older definition let it in, does not hold
/// what others on another tunnel remove and delete.
#[tokio::test]
async fn foreign_invalid_selector_elsewhere_blocks_nothing() {
    let mut owner = world("unreadable-stranger").await;
    let stranger = world("unreadable-tenant").await;
    let mut spec = owner.spec();
    spec["tunnel"] = json!({"name": "another", "partition": "Common"});
    spec["nodes"] = json!({"selector": {"matchExpressions": [{"key": "k", "operator": "In"}]}});
    stranger.create(spec).await;
    owner.create_nodes().await;
    let tenant = format!("--watch-namespace={}", stranger.name);
    owner.start_operator_with(&[&tenant]).await;
    owner.create(owner.spec()).await;
    owner.until_ready().await;
    stranger.until_reason("InvalidSpec").await;

    assert_owner_is_free(&owner).await;
}
