//! What is understood of the arguments of a CIS, and of what its container refers to.

use serde_json::{Value, json};

use super::*;

/// The CIS with these arguments.
fn cis(words: &[&str]) -> Result<Cis, Obstacle> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut all = Cis::all_in(&Workload::of_arguments(None), &words)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

/// A CIS whose pod has these parts more.
fn with_pod(container: &Value, volumes: &Value, words: &[&str]) -> Cis {
    let mut container = container.clone();
    container["name"] = json!("cis");
    container["args"] = json!(words);
    let pod = json!({
        "kind": "Pod",
        "metadata": {"name": "cis", "namespace": "kube-system"},
        "spec": {"containers": [container], "volumes": volumes},
    });
    let workload = Workload::of_document(&pod, None).unwrap().remove(0);
    Cis::all_in(&workload, &[]).unwrap().remove(0)
}

const TUNNEL: &str = "--cilium-name=/Common/flannel_vxlan";
const ADDRESS: &str = "--bigip-url=192.0.2.11";

fn key(secret: &str, key: &str) -> SecretKey {
    SecretKey {
        secret: secret.to_owned(),
        key: key.to_owned(),
    }
}

#[test]
fn every_form_of_an_argument_is_understood() {
    for words in [
        &[TUNNEL, ADDRESS][..],
        &[
            "--cilium-name",
            "/Common/flannel_vxlan",
            "--bigip-url",
            "192.0.2.11",
        ],
        &[
            "-cilium-name",
            "flannel_vxlan",
            "-bigip-url=https://192.0.2.11/",
        ],
        &[
            "--cilium-name=\"/Common/flannel_vxlan\"",
            "--bigip-url='192.0.2.11:443'",
        ],
        &[
            "/app/bin/k8s-bigip-ctlr",
            "--cilium-name=x",
            TUNNEL,
            ADDRESS,
        ],
    ] {
        let cis = cis(words).unwrap();
        assert_eq!((&*cis.partition, &*cis.tunnel), ("Common", "flannel_vxlan"));
        assert_eq!((&*cis.address, cis.port), ("192.0.2.11", 443));
    }
}

#[test]
fn bare_switch_is_on_and_takes_no_value() {
    let of = |words: &[&str]| {
        let cis = cis(&[&[TUNNEL, ADDRESS], words].concat()).unwrap();
        (cis.insecure, cis.uses_internal)
    };
    assert_eq!(of(&[]), (false, true));
    assert_eq!(
        of(&["--insecure", "--use-node-internal=false"]),
        (true, false)
    );
    assert_eq!(
        of(&["--use-node-internal", "false", "--insecure=0"]),
        (false, true)
    );
    assert_eq!(of(&["--insecure=true", "--insecure=F"]), (false, true));
}

#[test]
fn every_form_of_an_address_is_understood() {
    for (url, address, port) in [
        ("bigip-a.example.net", "bigip-a.example.net", 443),
        ("https://192.0.2.11:8443", "192.0.2.11", 8443),
        ("192.0.2.11:8443/", "192.0.2.11", 8443),
        ("https://[2001:db8::1]", "2001:db8::1", 443),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("https://admin:hunter2@192.0.2.11", "192.0.2.11", 443),
    ] {
        let cis = cis(&[TUNNEL, "--bigip-url", url]).unwrap();
        assert_eq!((&*cis.address, cis.port), (address, port), "{url}");
    }
}

#[test]
fn invalid_address_is_refused_and_not_shown() {
    for url in [
        "http://hunter2@192.0.2.11",
        "https://hunter2@",
        "192.0.2.11/hunter2",
        "192.0.2.11?hunter2",
        "hunter2 ",
        "hunter2_x",
        "-hunter2",
        "$(hunter2)",
        "https://192.0.2.11:99999#hunter2",
    ] {
        let refused = cis(&[TUNNEL, "--bigip-url", url]).unwrap_err();
        assert!(refused.problem.contains("--bigip-url"), "{url}");
        let told = format!("{}{}", refused.problem, refused.hint);
        assert!(!told.contains("hunter2"), "{url}: {told}");
    }
}

#[test]
fn missing_address_names_where_to_find_it() {
    let missing = cis(&[TUNNEL]).unwrap_err();
    assert!(missing.hint.contains("-- --bigip-url="), "{}", missing.hint);
    let pod = json!({
        "kind": "Pod",
        "metadata": {"name": "cis", "namespace": "kube-system"},
        "spec": {
            "containers": [{
                "name": "cis",
                "args": [TUNNEL, "--bigip-url=$(URL)"],
                "env": [{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "host"}}}],
            }],
        },
    });
    let workload = Workload::of_document(&pod, None).unwrap().remove(0);
    let hint = Cis::all_in(&workload, &[]).unwrap_err().hint;
    let command = "kubectl get secret s -n kube-system -o jsonpath='{.data.host}' | base64 -d";
    assert!(hint.contains(command), "{hint}");
    // Who has looked it up can say so.
    let more = [ADDRESS.to_owned()];
    assert_eq!(
        Cis::all_in(&workload, &more).unwrap()[0].address,
        "192.0.2.11"
    );
}

#[test]
fn arguments_refused_by_cis_are_refused() {
    for words in [
        &[TUNNEL, "--flannel-name=/Common/y", ADDRESS][..],
        &["--cilium-name=/Common/", ADDRESS],
        &["--cilium-name=/Common/a~b", ADDRESS],
        &[TUNNEL, ADDRESS, "--node-label-selector=cores>4"],
    ] {
        assert!(cis(words).is_err(), "{words:?}");
    }
}

#[test]
fn container_without_a_tunnel_is_no_writer() {
    let words = [ADDRESS.to_owned(), "--cilium-name=".to_owned()];
    let none = Cis::all_in(&Workload::of_arguments(None), &words).unwrap();
    assert_eq!(none, []);
}

#[test]
fn password_is_not_stored() {
    for words in [
        &["--bigip-password=hunter2"][..],
        &["--bigip-password", "-hunter2"],
        &["--bigip-password", "--hunter2"],
        &["-bigip-username", "hunter2"],
        &["--gtm-bigip-password", "--hunter-hunter2"],
        &["--bigip-password:hunter2"],
        &["--hunter2"],
        &["hunter2"],
    ] {
        let cis = cis(&[&[TUNNEL, ADDRESS], words].concat()).unwrap();
        assert!(!format!("{cis:?}").contains("hunter2"), "{words:?}");
    }
}

#[test]
fn unrelated_arguments_are_listed_once() {
    let words = [
        TUNNEL,
        ADDRESS,
        "--namespace=a",
        "--pool-member-type",
        "cluster",
        "--log-level=x",
    ];
    let cis = cis(&[&words[..], &["--log-level=y", "--insecure"]].concat()).unwrap();
    assert_eq!(cis.others, ["--pool-member-type", "--log-level"]);
}

#[test]
fn login_is_found_in_the_mounted_secret() {
    let mounts = json!({"volumeMounts": [{"name": "creds", "mountPath": "/tmp/creds"}]});
    let words = [TUNNEL, ADDRESS, "--credentials-directory", "/tmp/creds/"];
    let of = |volume: Value| with_pod(&mounts, &json!([volume]), &words).login;
    let whole = of(json!({"name": "creds", "secret": {"secretName": "login"}}));
    assert_eq!(whole.secret(), Some("login"));
    assert_eq!(whole.directory.as_deref(), Some("login"));
    let renamed = of(
        json!({"name": "creds", "secret": {"secretName": "login", "items": [
            {"key": "user", "path": "username"}, {"key": "password", "path": "password"},
        ]}}),
    );
    assert_eq!(renamed.username, Some(key("login", "user")));
    assert_eq!(renamed.secret(), None);
    let projected = of(json!({"name": "creds", "projected": {"sources": [
        {"configMap": {"name": "c"}}, {"secret": {"name": "login"}},
    ]}}));
    assert_eq!(projected.secret(), Some("login"));
    let elsewhere = of(json!({"name": "creds", "csi": {"driver": "secrets-store.csi.k8s.io"}}));
    assert_eq!(elsewhere, Login::default());
}

#[test]
fn login_is_found_in_variables() {
    let variable = |name: &str, secret: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
    let of = |password: Value, words: &[&str]| {
        let env = json!({"env": [variable("BIGIP_USERNAME", "login", "username"), password]});
        with_pod(&env, &json!([]), &[&[TUNNEL, ADDRESS], words].concat()).login
    };
    let usual = [
        "--bigip-username=$(BIGIP_USERNAME)",
        "--bigip-password=$(BIGIP_PASSWORD)",
    ];
    let password = || variable("BIGIP_PASSWORD", "login", "password");
    assert_eq!(of(password(), &usual).secret(), Some("login"));
    assert_eq!(of(password(), &[]).secret(), Some("login"));
    let other = of(
        variable("PW", "other", "password"),
        &["--bigip-password=$(PW)"],
    );
    assert_eq!(other.password, Some(key("other", "password")));
    assert_eq!(other.secret(), None);
    let typed = of(
        json!({"name": "PW", "value": "hunter2"}),
        &["--bigip-password=$(PW)"],
    );
    assert_eq!(typed.password, None);
}

#[test]
fn plain_text_variable_is_substituted() {
    let env = json!({"env": [{"name": "HOST", "value": "192.0.2.11"}]});
    let cis = with_pod(
        &env,
        &json!([]),
        &[TUNNEL, "--bigip-url=https://$(HOST):8443"],
    );
    assert_eq!((&*cis.address, cis.port), ("192.0.2.11", 8443));
}
