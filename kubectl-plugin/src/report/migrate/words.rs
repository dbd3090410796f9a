//! What a person has to know and do to take over from CIS. What is said of CIS is from its source as it
//! was public until December 2025, unless it says *assumed*.

use super::Item;
use super::object::{NEW_SECRET, place_of};
use crate::cis::{Cis, place};
use crate::report::new_tunnel::NewTunnel;

/// What a person has to see to before anything else.
pub(super) fn to_do(tunnel: &NewTunnel, group: &[Cis]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut add = |item: Option<Item>| {
        if let Some(item) = item.filter(|item| !items.contains(item)) {
            items.push(item);
        }
    };
    for cis in group {
        add(login(tunnel, cis));
        add(url(cis));
        add(Some(certificate(tunnel, cis)));
        add(flag(cis));
        add(name(cis));
        add(silent(cis));
    }
    add(Some(Item {
        text: "Name the BIG-IPs in each Secret: the operator sends a password to no other address."
            .to_owned(),
        commands: tunnel.binding_commands(),
    }));
    if tunnel.devices.len() == 1 {
        add(Some(Item::new(
            "If the BIG-IP is a unit of an HA pair, list the other one under devices too: FDB records are not \
             carried over by config-sync.",
        )));
    }
    items
}

fn login(tunnel: &NewTunnel, cis: &Cis) -> Option<Item> {
    let command = |secret: &str| {
        format!(
            "kubectl create secret generic {secret}{} --from-literal=username=USER \
             --from-file=password=/dev/stdin",
            place_of(tunnel)
        )
    };
    if let Some(secret) = cis.login.secret() {
        return other_namespace(tunnel, cis, secret, &command(secret));
    }
    let keys = [&cis.login.username, &cis.login.password];
    let keys = keys.into_iter().flatten();
    let places: Vec<String> = keys
        .map(|place| format!("key {} of Secret {}", place.key, place.secret))
        .collect();
    let place = if places.is_empty() {
        "no Secret".to_owned()
    } else {
        places.join(" and ")
    };
    Some(
        Item::new(format!(
            "Make the Secret {NEW_SECRET}, with the keys username and password, out of the login of {}, \
             which has it from {place}.",
            cis.source
        ))
        .with(command(NEW_SECRET)),
    )
}

/// A Secret that CIS can use is of use to the operator where that may read it.
fn other_namespace(tunnel: &NewTunnel, cis: &Cis, secret: &str, command: &str) -> Option<Item> {
    let (wanted, own) = (tunnel.namespace.as_ref()?, &cis.source.namespace);
    if own.as_ref() == Some(wanted) {
        return Some(Item::new(format!(
            "The operator has to be able to read Secret {secret} in namespace {wanted}. Installed with Helm it \
             does so in its own namespace and in those of watchNamespaces; --into makes the object for another \
             one."
        )));
    }
    let item = Item::new(format!(
        "Make Secret {secret} in namespace {wanted} too, with the login that CIS has: an object uses only what \
         is in its own namespace."
    ));
    Some(item.with(command))
}

fn url(cis: &Cis) -> Option<Item> {
    let secret = cis.url_secret.as_ref()?;
    Some(
        Item::new(format!(
            "See whether Secret {secret} has a key url: CIS uses that one and not --bigip-url. If it \
             prints something, the address below has to be that."
        ))
        .with(format!(
            "kubectl get secret {secret}{} -o jsonpath='{{.data.url}}' | base64 -d",
            place(cis.source.namespace.as_deref())
        )),
    )
}

fn certificate(tunnel: &NewTunnel, cis: &Cis) -> Item {
    if let Some((namespace, name)) = &cis.trusted {
        let elsewhere = namespace
            .as_ref()
            .filter(|namespace| Some(*namespace) != tunnel.namespace.as_ref());
        let copy = elsewhere.map(|namespace| {
            format!(" Copy it from namespace {namespace}: an object uses only what is in its own.")
        });
        return Item::new(format!(
            "Look at ConfigMap {name}: CIS takes all its keys, here caBundleRef.key names one, and it is \
             ca.crt if it is not set.{}",
            copy.unwrap_or_default()
        ));
    }
    let insecure = if cis.insecure {
        "CIS verifies no certificate (--insecure)."
    } else {
        "CIS writes records without a look at the certificate, whatever --insecure says."
    };
    let host = if cis.address.contains(':') {
        format!("[{}]", cis.address)
    } else {
        cis.address.clone()
    };
    Item::new(format!(
        "{insecure} Here it is verified. With one of a known CA nothing is to be set; with one of your own CA \
         set tls.caBundleRef; with the one that the BIG-IP made for itself set tls.verification: Pinned and \
         tls.sha256Fingerprints, after you made sure that it is the right one."
    ))
    .with(format!(
        "openssl s_client -connect {host}:{} </dev/null | openssl x509 -noout -fingerprint -sha256",
        cis.port
    ))
}

fn flag(cis: &Cis) -> Option<Item> {
    match cis.flag {
        "flannel-name" => Some(Item::new(
            "With --flannel-name CIS takes address and MAC from flannel's annotations, where nodes have \
             them. This product is for Cilium; for flannel the records would be other ones.",
        )),
        "openshift-sdn-name" => Some(Item::new(
            "--openshift-sdn-name was also used for Cilium, before there was --cilium-name. This product \
             is for Cilium; make sure that the cluster runs it.",
        )),
        _ => None,
    }
}

fn name(cis: &Cis) -> Option<Item> {
    if cis.tunnel.starts_with("k8s") {
        return Some(Item::new(format!(
            "The name of tunnel {} begins with k8s: CIS takes such tunnels for its own and tries to delete \
             them. Make one with another name before you take the argument away.",
            cis.tunnel
        )));
    }
    if cis.partition.contains('/') {
        return Some(Item::new(format!(
            "CIS does not understand folders, and has probably never written tunnel /{}/{}.",
            cis.partition, cis.tunnel
        )));
    }
    None
}

fn silent(cis: &Cis) -> Option<Item> {
    cis.is_ipv6.then(|| {
        Item::new(format!(
            "With --enable-ipv6, as {} has it, CIS writes no records at all: all of them will be new.",
            cis.source
        ))
    })
}

/// What is not the same afterwards.
pub(super) fn differences(cis: &Cis) -> Vec<String> {
    let kind = if cis.uses_internal {
        "InternalIP"
    } else {
        "ExternalIP"
    };
    vec![
        format!(
            "Of several {kind}s of a node CIS takes the last, Cilium and this product the first. Where diff \
             shows two records for one node, say which with nodes.addressSource.cidrs."
        ),
        "CIS takes the record of a node away while it is NotReady; here it stays. diff shows it as one to add."
            .to_owned(),
        "CIS puts records into the default route domain of the tunnel's partition, this product into that of \
         the tunnel's local address."
            .to_owned(),
        "CIS removes every record of the tunnel that it did not make; here those of others stay.".to_owned(),
        "After changes the configuration is saved (saveConfig), and with it what others left unsaved."
            .to_owned(),
    ]
}

/// The way, in order.
pub(super) fn steps(tunnel: &NewTunnel, group: &[Cis]) -> Vec<Item> {
    let (name, place) = (&tunnel.name, place_of(tunnel));
    let mut steps = vec![
        Item::new("Apply this. It only observes: nothing is written to a BIG-IP.")
            .with(format!("kubectl apply -f {name}.yaml{place}")),
        Item::new(
            "Go on when nothing differs. Records that are the same are taken over without a write.",
        )
        .with(format!("kubectl bigip-tunnel diff {name}{place}")),
    ];
    steps.extend(by_source(group, |cis| {
        let item = Item::new(format!(
            "Take --{}, and nothing else, from {}, there where it is kept (Helm values, Git). That it \
             goes on with its other work is assumed for CIS 2.x. Until the operator writes, new nodes get no \
             record.",
            cis.flag, cis.source
        ));
        match deployment(cis) {
            Some(deployment) => item
                .with(format!("kubectl edit {deployment}"))
                .with(format!("kubectl rollout status {deployment}")),
            None => item,
        }
    }));
    steps.push(Item::new("Let the operator write.").with(policy(tunnel, "FDBOnly")));
    let see = Item::new("See that all is well.");
    steps.push(see.with(format!("kubectl bigip-tunnel status {name}{place} --wait")));
    steps
}

/// The way back.
pub(super) fn back(tunnel: &NewTunnel, group: &[Cis]) -> Vec<Item> {
    let mut steps = vec![
        Item::new(
            "Let it only observe. Do not delete it instead: an object that writes takes its records with it.",
        )
        .with(policy(tunnel, "Observe")),
    ];
    steps.extend(by_source(group, |cis| {
        Item::new(format!("Give --{} back to {}.", cis.flag, cis.source))
    }));
    steps
}

/// One step for each that CIS is started by, and not for each of its containers.
fn by_source(group: &[Cis], step: impl Fn(&Cis) -> Item) -> Vec<Item> {
    let mut steps = Vec::new();
    for cis in group {
        let step = step(cis);
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

fn deployment(cis: &Cis) -> Option<String> {
    let source = &cis.source;
    if source.kind.as_deref() != Some("Deployment") {
        return None;
    }
    let name = source.name.as_ref()?;
    let place = place(source.namespace.as_deref());
    Some(format!("deployment {name}{place}"))
}

fn policy(tunnel: &NewTunnel, policy: &str) -> String {
    format!(
        "kubectl patch btun {}{} --type merge -p '{{\"spec\":{{\"managementPolicy\":\"{policy}\"}}}}'",
        tunnel.name,
        place_of(tunnel)
    )
}
