//! What the API server takes and the operator would refuse, and what somebody may want to look at.

use std::collections::BTreeMap;

use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BulkWrites, Device, TlsVerification};
use serde_json::Value;

use super::{Level, Problem, Secrets};
use crate::catalogue::{BTN0007, BTN0009, BTN0010, BTN0103, BTN0115, BTN0305, Code};

/// What there is to say of an object that the API server takes.
pub(super) fn problems(object: &Value, secrets: &Secrets) -> Vec<Problem> {
    let tunnel: BigIpTunnel = match serde_json::from_value(object.clone()) {
        Ok(tunnel) => tunnel,
        Err(problem) => return vec![Problem::error("", problem.to_string())],
    };
    let mut problems = refused(&tunnel);
    problems.extend(verification(&tunnel));
    problems.extend(one_box(&tunnel));
    problems.extend(others(&tunnel));
    problems.extend(secrets.problems(&tunnel));
    problems
}

fn warning(path: impl Into<String>, code: Code, message: impl Into<String>) -> Problem {
    Problem {
        level: Level::Warning,
        path: path.into(),
        message: message.into(),
        code: Some(code),
    }
}

/// What the operator cannot work with.
fn refused(tunnel: &BigIpTunnel) -> Vec<Problem> {
    let spec = &tunnel.spec;
    let mut problems = Vec::new();
    let mut note = |path: String, result: Result<(), InvalidSpec>| {
        if let Err(problem) = result {
            problems.push(Problem {
                code: Some(BTN0007),
                ..Problem::error(path, problem.to_string())
            });
        }
    };
    note("spec.tunnel".into(), convert::tunnel_path(spec).map(drop));
    note(
        "spec.fdb.macPrefix".into(),
        convert::mac_prefix(spec).map(drop),
    );
    note(
        "spec.nodes.selector".into(),
        convert::selector(spec).map(drop),
    );
    note(
        "spec.nodes.addressSource".into(),
        convert::address_rule(spec).map(drop),
    );
    for (index, device) in spec.devices.iter().enumerate() {
        let path = format!("spec.devices[{index}]");
        note(format!("{path}.port"), convert::port(device).map(drop));
        note(path, convert::secret_name(device, spec).map(drop));
    }
    problems
}

fn verification(tunnel: &BigIpTunnel) -> Vec<Problem> {
    const MESSAGE: &str = "nobody is verified: whoever answers gets the password";
    let is_none = |tls: Option<&bigip_tunnel_crds::v1alpha1::Tls>| {
        tls.is_some_and(|tls| tls.verification == TlsVerification::None)
    };
    let of = |(index, device): (usize, &Device)| {
        let path = format!("spec.devices[{index}].tls.verification");
        is_none(device.tls.as_ref()).then(|| warning(path, BTN0103, MESSAGE))
    };
    let all = is_none(tunnel.spec.tls.as_ref())
        .then(|| warning("spec.tls.verification", BTN0103, MESSAGE));
    let devices = tunnel.spec.devices.iter().enumerate();
    all.into_iter().chain(devices.filter_map(of)).collect()
}

/// Two ports of one address lead to one box, unless somebody forwards them.
fn one_box(tunnel: &BigIpTunnel) -> Vec<Problem> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, device) in tunnel.spec.devices.iter().enumerate() {
        let address = device.address.to_ascii_lowercase();
        if let Some(other) = seen.insert(address, &device.name) {
            let path = format!("spec.devices[{index}].address");
            let message = format!("is the address of {other} too; is it another box?");
            problems.push(warning(path, BTN0115, message));
        }
    }
    problems
}

fn others(tunnel: &BigIpTunnel) -> Vec<Problem> {
    let spec = &tunnel.spec;
    let mut problems = Vec::new();
    // F5 CIS takes every tunnel of its partition with such a name for its own, and deletes it
    // (f5-cccl).
    if spec.tunnel.name.starts_with("k8s") {
        let message =
            "F5 CIS takes tunnels whose name begins with k8s for its own, and deletes them";
        problems.push(warning("spec.tunnel.name", BTN0305, message));
    }
    if spec.fdb.bulk_writes == BulkWrites::WhenEmpty {
        let message =
            "the first fill replaces the whole list: only for tunnels that nobody else writes";
        problems.push(warning("spec.fdb.bulkWrites", BTN0305, message));
    }
    if spec.suspend {
        problems.push(warning(
            "spec.suspend",
            BTN0009,
            "no work is done on the tunnel",
        ));
    }
    if spec.management_policy == bigip_tunnel_crds::v1alpha1::ManagementPolicy::Observe {
        let message = "nothing is written; the status says what would be";
        problems.push(warning("spec.managementPolicy", BTN0010, message));
    }
    problems
}
