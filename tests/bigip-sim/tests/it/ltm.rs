//! Virtual servers, pools and SNAT pools.

use bigip_sim::{Method, SourceTranslation, VirtualServer};
use serde_json::json;

use crate::support::world;

/// Shapes of FCP and ANS, 11.6 and 12.1.2.
#[test]
fn virtual_server_is_shown_with_its_pools() {
    let mut world = world();
    let server = VirtualServer {
        path: "/Common/web".to_owned(),
        members: vec!["10.0.1.57".to_owned()],
        translation: SourceTranslation::Pool(vec!["10.1.6.99".to_owned()]),
    };
    world.state.add_virtual_server(&server).unwrap();
    let servers = world.get("/mgmt/tm/ltm/virtual").json();
    assert_eq!(servers["kind"], "tm:ltm:virtual:virtualcollectionstate");
    let shown = &servers["items"][0];
    assert_eq!(shown["pool"], "/Common/web_pool");
    let snat = json!({"type": "snat", "pool": "/Common/web_snat"});
    assert_eq!(shown["sourceAddressTranslation"], snat);
    let pools = world
        .get("/mgmt/tm/ltm/pool?expandSubcollections=true")
        .json();
    let member = &pools["items"][0]["membersReference"]["items"][0];
    assert_eq!(
        (&member["name"], &member["address"]),
        (&json!("10.0.1.57:80"), &json!("10.0.1.57"))
    );
    let snat_pools = world.get("/mgmt/tm/ltm/snatpool").json();
    assert_eq!(
        snat_pools["items"][0]["members"],
        json!(["/Common/10.1.6.99"])
    );
}

#[test]
fn request_makes_no_virtual_server() {
    let mut world = world();
    let body = json!({"name": "web"}).to_string();
    let answer = world.send(Method::POST, "/mgmt/tm/ltm/virtual", &body);
    assert_eq!(answer.status, 501);
}
