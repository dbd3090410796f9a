//! `migrate cis` without a cluster: of manifests and of arguments.

use std::path::PathBuf;

use super::*;

const HELM: &str = include_str!("helm.yaml");

fn args(file: Option<PathBuf>, arguments: &[&str]) -> MigrateCommand {
    MigrateCommand::Cis(CisArgs {
        deployment: None,
        file,
        into: None,
        output: None,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    })
}

async fn said(command: &MigrateCommand, namespace: Option<&str>) -> Result<String, Error> {
    let connection = Connection {
        namespace: namespace.map(str::to_owned),
        ..Connection::default()
    };
    let mut out = Vec::new();
    let outcome = run(&connection, command, Style::PLAIN, &mut out).await?;
    assert_eq!(outcome, Outcome::Fine);
    Ok(String::from_utf8(out).unwrap())
}

/// What is said about a manifest.
async fn said_of(manifest: &str, arguments: &[&str]) -> Result<String, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cis.yaml");
    std::fs::write(&file, manifest).unwrap();
    said(&args(Some(file), arguments), None).await
}

#[tokio::test]
async fn helm_manifest_becomes_an_object_and_commands() {
    insta::assert_snapshot!(said_of(HELM, &[]).await.unwrap());
}

#[tokio::test]
async fn migration_report_is_machine_readable() {
    let mut command = args(None, &["--cilium-name=/Common/x", "--bigip-url=192.0.2.11"]);
    let MigrateCommand::Cis(args) = &mut command;
    args.output = Some(DataFormat::Json);
    let json: serde_json::Value =
        serde_json::from_str(&said(&command, Some("bigip")).await.unwrap()).unwrap();
    assert_eq!(json["kind"], "MigrateReport");
    let tunnel = &json["tunnels"][0];
    assert_eq!(tunnel["object"]["metadata"]["namespace"], "bigip");
    assert_eq!(tunnel["from"][0]["arguments"][0], "--cilium-name=/Common/x");
    for list in ["toDo", "differences", "steps", "back"] {
        assert!(!tunnel[list].as_array().unwrap().is_empty(), "{list}");
    }
}

#[tokio::test]
async fn list_of_objects_is_searched() {
    let list = serde_json::json!({"kind": "List", "items": [
        {"kind": "Service", "spec": {}},
        {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "c", "args": ["--cilium-name=/Common/x", "--bigip-url=192.0.2.11"]},
        ]}},
    ]});
    let text = said_of(&list.to_string(), &[]).await.unwrap();
    assert!(text.starts_with("# From Pod p\n"), "{text}");
}

#[tokio::test]
async fn arguments_are_appended_to_the_file_arguments() {
    let text = said_of(HELM, &["--bigip-url=192.0.2.99"]).await.unwrap();
    assert!(text.contains("address: \"192.0.2.99\""), "{text}");
    let twice = format!("{HELM}\n---\n{HELM}");
    let error = said_of(&twice, &["--bigip-url=192.0.2.99"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), 2);
}

#[tokio::test]
async fn manifest_without_a_writer_gives_no_object() {
    for manifest in ["", "kind: ConfigMap\ndata: {}\n", "- a\n", "plain text"] {
        let error = said_of(manifest, &[]).await.unwrap_err();
        assert_eq!(error.code(), 1, "{manifest}: {error}");
    }
    let error = said(&args(None, &["--bigip-url=192.0.2.11"]), None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), 1);
}

#[tokio::test]
async fn unreadable_file_does_not_show_its_passwords() {
    for manifest in [
        "kind: Secret\nstringData:\n  password: hunter2\n  hunter2: [",
        "kind: Pod\nspec:\n  containers: hunter2\n",
        "kind: Pod\nspec:\n  containers:\n  - args: {password: hunter2}\n",
    ] {
        let error = said_of(manifest, &[]).await.unwrap_err();
        let mut told = Vec::new();
        error.tell(&mut told).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(matches!(error, Error::File { .. }), "{told}");
        assert!(told.contains("line "), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn nothing_in_a_manifest_ends_a_comment() {
    let manifest = HELM.replace("f5networks/", "x\\nkind: Evil\\n");
    assert_ne!(manifest, HELM);
    let text = said_of(&manifest, &[]).await.unwrap();
    assert!(
        !text.lines().any(|line| line.starts_with("kind: Evil")),
        "{text}"
    );
}

#[tokio::test]
async fn manifest_refused_by_the_api_server_is_not_printed() {
    let manifest = HELM.replace(
        "secretName: f5-bigip-ctlr-login",
        "secretName: Login_Of_CIS",
    );
    let error = said_of(&manifest, &[]).await.unwrap_err();
    assert!(matches!(error, Error::NotAccepted { .. }), "{error}");
    assert!(
        error.to_string().contains("credentialsSecretRef"),
        "{error}"
    );
}
