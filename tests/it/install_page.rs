//! The page that takes people from nothing to a Ready tunnel: what it tells them to type is accepted.

use std::process::Command;

use bigip_tunnel_harness::chart::{self, Helm};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_harness::products::Product;
use kube::api::PostParams;

fn page() -> String {
    std::fs::read_to_string(workspace_root().join("docs/how-to/install.md")).unwrap()
}

/// What stands between fences of this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The commands of the page that begin so, as words.
fn commands(page: &str, beginning: &str) -> Vec<Vec<String>> {
    let lines = blocks(page, "console").into_iter().flat_map(str::lines);
    let typed = lines.map(|line| line.trim_start_matches("$ "));
    let typed = typed.filter(|line| line.starts_with(beginning));
    let words = |line: &str| {
        line.split(' ')
            .map(|word| word.trim_matches('\'').to_owned())
            .collect()
    };
    let commands: Vec<Vec<String>> = typed.map(words).collect();
    assert!(commands.len() >= 2, "{beginning}: {commands:?}");
    commands
}

#[tokio::test]
async fn helm_commands_of_the_install_page_render() {
    let (page, helm) = (page(), Helm::new().unwrap());
    let folder = chart::folder();
    let folder = folder.to_string_lossy();
    for command in commands(&page, "helm ") {
        if !["install", "upgrade"].contains(&command[1].as_str()) {
            continue;
        }
        let mut args = vec!["template"];
        let rest = command[2..].iter().map(String::as_str);
        args.extend(rest.map(|word| {
            if word.starts_with("charts/") {
                &folder
            } else {
                word
            }
        }));
        // There is no release whose values could be used again.
        args.retain(|word| *word != "--reset-then-reuse-values" && *word != "--create-namespace");
        helm.run(&args).await.unwrap();
    }
}

#[test]
fn plugin_commands_of_the_install_page_are_valid() {
    let plugin = Product::Plugin.path().unwrap();
    for command in commands(&page(), "kubectl bigip-tunnel") {
        let output = Command::new(&plugin)
            .args(&command[2..])
            .arg("--help")
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn tunnel_of_the_install_page_is_accepted() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    objects::create_namespace(&client, "install-page")
        .await
        .unwrap();
    let page = page();
    let [tunnel] = blocks(&page, "yaml")[..] else {
        panic!("not one tunnel on the page");
    };
    let mut tunnel = chart::objects(tunnel).unwrap().remove(0);
    tunnel["metadata"]["namespace"] = "install-page".into();
    let tunnel = serde_json::from_value(tunnel).unwrap();
    let tunnels = objects::tunnels(&client, "install-page");
    tunnels
        .create(&PostParams::default(), &tunnel)
        .await
        .unwrap();
}
