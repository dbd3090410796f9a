//! Completion, and the names that it needs no cluster for.

use std::net::TcpListener;
use std::path::PathBuf;

use super::*;

/// What kubectl gets for these words.
fn told(words: &[&str]) -> Vec<String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    for_kubectl(&words).lines().map(str::to_owned).collect()
}

/// The values alone.
fn values(words: &[&str]) -> Vec<String> {
    let told = told(words);
    let value = |line: &String| line.split('\t').next().unwrap().to_owned();
    told.iter().take(told.len() - 1).map(value).collect()
}

fn kubeconfig() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(
        &path,
        "\
contexts:
- {name: prod, context: {cluster: east, user: me}}
- {name: lab, context: {cluster: lab-cluster, user: other}}
clusters:
- {name: east, cluster: {server: https://192.0.2.1}}
users:
- {name: me, user: {}}
",
    )
    .unwrap();
    (folder, path)
}

#[test]
fn verb_is_completed_and_explained() {
    assert_eq!(
        told(&["sus"]),
        [
            "suspend\tStop work on tunnels; the BIG-IPs keep their records",
            ":4"
        ]
    );
    let verbs = values(&[""]);
    assert!(verbs.iter().any(|verb| verb == "fdb"), "{verbs:?}");
    assert_eq!(values(&["completion", "p"]), ["powershell"]);
}

#[test]
fn flags_are_offered_after_a_dash() {
    assert!(
        !values(&["fdb", ""])
            .iter()
            .any(|value| value.starts_with('-'))
    );
    let flags = values(&["fdb", "--"]);
    for flag in ["--device", "--problems", "--context", "--ascii"] {
        assert!(flags.iter().any(|value| value == flag), "{flag}: {flags:?}");
    }
    assert_eq!(values(&["fdb", "--prob"]), ["--problems"]);
}

#[test]
fn format_values_depend_on_the_verb() {
    assert_eq!(
        values(&["status", "-o", ""]),
        ["wide", "name", "json", "yaml"]
    );
    assert_eq!(values(&["diff", "x", "-o", "t"]), ["tmsh"]);
    assert_eq!(values(&["graph", "x", "-o", "m"]), ["mermaid"]);
}

#[test]
fn only_the_value_is_completed_after_an_equals_sign() {
    assert_eq!(values(&["status", "--output=n"]), ["name"]);
    assert_eq!(values(&["--color=ne"]), ["never"]);
}

#[test]
fn files_are_left_to_the_shell() {
    assert_eq!(told(&["diff", "-f", ""]), [":0"]);
    assert_eq!(told(&["status", "--kubeconfig", "/etc/"]), [":0"]);
    assert_eq!(told(&["status", "--kubeconfig=/etc/"]), [":0"]);
    assert_eq!(told(&["completion", "install", "--dir", ""]), [":0"]);
}

#[test]
fn kubeconfig_names_are_completed_from_the_given_file() {
    let (_folder, path) = kubeconfig();
    let file = path.to_str().unwrap();
    assert_eq!(
        told(&["--kubeconfig", file, "status", "--context", ""]),
        ["prod\teast", "lab\tlab-cluster", ":4"]
    );
    assert_eq!(values(&["--kubeconfig", file, "--context=p"]), ["prod"]);
    assert_eq!(
        told(&["status", "--kubeconfig", file, "--cluster", ""]),
        ["east\thttps://192.0.2.1", ":4"]
    );
    assert_eq!(
        values(&["status", "--kubeconfig", file, "--user", ""]),
        ["me"]
    );
}

#[test]
fn codes_and_reasons_are_completed_with_their_titles() {
    let told = told(&["explain", "BTN030"]);
    assert!(told.len() > 5 && told.iter().all(|line| line == ":4" || line.contains('\t')));
    assert_eq!(values(&["explain", "MassRem"]), ["MassRemovalBlocked"]);
}

#[test]
fn completion_queries_only_the_given_cluster() {
    let typed = |words: &[&str]| {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Typed::of(&words)
    };
    // Nobody would notice that it is another one than was meant.
    for words in [
        &["status", "--bogus", "-n", "x", ""][..],
        &["status", "--server", "not a url", ""],
    ] {
        assert!(typed(words).is_none(), "{words:?}");
        assert_eq!(told(words), [":4"], "{words:?}");
    }
    let typed = typed(&["fdb", "-n", "bigip", "prod", "--device", "a", "--node", ""]).unwrap();
    assert_eq!(typed.connection.namespace.as_deref(), Some("bigip"));
    assert_eq!(typed.tunnels, ["prod"]);
}

#[test]
fn silent_cluster_completes_no_names() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("https://{}", silent.local_addr().unwrap());
    assert_eq!(told(&["status", "--server", &server, ""]), [":4"]);
}

#[test]
fn completion_without_arguments_lists_the_verbs() {
    assert_eq!(told(&[]), told(&[""]));
}

#[test]
fn only_the_link_name_starts_kubectl_completion() {
    for name in [LINK, "/opt/bin/kubectl_complete-bigip_tunnel.exe"] {
        assert!(is_link(OsStr::new(name)), "{name}");
    }
    for name in [PLUGIN, "kubectl_complete-other", ""] {
        assert!(!is_link(OsStr::new(name)), "{name}");
    }
}
