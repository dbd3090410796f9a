//! Another unit behind the same address and the same certificate: a configuration that was restored on
//! other hardware, a floating management address. No request that changes something is worked on by it
//! before it was asked which unit it is.

use std::net::SocketAddr;

use bigip_sim::{LoggedRequest, Method, SimConfig, Simulator, TunnelConfig, UserConfig};
use bigip_tunnel_harness::devices::{USER, self_ip};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::world::{
    FOREIGN, LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device,
};

/// An address that leads to one unit after another.
struct Floating {
    port: u16,
    leads_to: watch::Sender<SocketAddr>,
    task: JoinHandle<()>,
}

impl Drop for Floating {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Floating {
    async fn new(unit: &Simulator) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (leads_to, target) = watch::channel(unit.address());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut target = target.clone();
                connections.spawn(async move {
                    let address = *target.borrow_and_update();
                    let Ok(mut onward) = TcpStream::connect(address).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut stream, &mut onward) => {}
                        // It moves: connections to the unit that had it break.
                        _ = target.changed() => {}
                    }
                });
            }
        });
        Self {
            port,
            leads_to,
            task,
        }
    }

    fn move_to(&self, unit: &Simulator) {
        self.leads_to.send_replace(unit.address());
    }
}

/// A unit that presents the standby unit's certificate, knows its user, and holds one foreign record.
async fn double(world: &World) -> Simulator {
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS).with_record(FOREIGN.0, FOREIGN.1);
    let config = SimConfig {
        hostname: "double.example.com".into(),
        base_mac: "00:94:a1:00:ff:01".into(),
        users: vec![UserConfig::new(USER, world.devices.password())],
        tunnels: vec![tunnel],
        self_ips: vec![self_ip(TUNNEL_PATH)],
        ..SimConfig::default()
    };
    let double = Simulator::start(config).await.unwrap();
    double.present_as(world.devices.standby());
    double
}

/// What it worked on that changes its configuration.
fn worked_on(unit: &Simulator) -> Vec<LoggedRequest> {
    let requests = unit.requests().into_iter();
    let changes = requests.filter(LoggedRequest::is_mutation);
    changes
        .filter(|request| request.status != Some(401))
        .collect()
}

#[tokio::test]
async fn replacing_unit_is_identified_before_any_write() {
    let world = World::in_sync("takeover").await;
    let floating = Floating::new(world.devices.standby()).await;
    world.patch_standby(&json!({"port": floating.port})).await;
    world.until_ready().await;
    let double = double(&world).await;

    // The moment of a new node: the operator knows facts and records, and sends a write first.
    floating.move_to(&double);
    world.create_node(NEW_NODE).await;
    let status = world.until_reason("DeviceIdentityChanged").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(programmed.reason, "DeviceIdentityChanged");
    world.settle().await;
    assert_eq!(worked_on(&double), []);
    let writes = double.requests();
    let posts = writes
        .iter()
        .filter(|request| request.method == Method::POST);
    let refused = posts.filter(|request| request.status == Some(401)).count();
    assert!(refused <= 1, "the write was sent again");
    world.until_unit(&double, &[FOREIGN]).await;
    let more = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    world.until_unit(world.devices.active(), &more).await;

    // The unit that the claims were made on comes back, and gets what it lacks.
    floating.move_to(world.devices.standby());
    world.reconcile().await;
    world.until_ready().await;
    world.assert_records(&more);
    assert_eq!(worked_on(&double), []);
}
