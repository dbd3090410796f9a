//! What the chart gives Prometheus and Grafana: alerts and a dashboard that ask for what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::events::Occurrence;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_harness::alerts;
use bigip_tunnel_harness::chart::{Helm, folder};
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_harness::products::Product;

const ENABLED: &str = r#"metrics={"prometheusRule":{"enabled":true}}"#;
/// Labels that Prometheus gives every series.
const OF_TARGETS: [&str; 4] = ["job", "instance", "pod", "namespace"];
/// Labels of everything that is of a tunnel.
const OF_TUNNELS: [&str; 2] = ["namespace", "name"];

/// The groups of rules as a release with these values has them.
async fn groups(values: &[&str]) -> Value {
    let helm = Helm::new().unwrap();
    let objects = helm.render("x", "bigip-system", values).await.unwrap();
    let mut rules = objects
        .into_iter()
        .filter(|o| o["kind"] == "PrometheusRule");
    rules.next().unwrap()["spec"].take()
}

fn rules(groups: &Value) -> Vec<&Value> {
    let groups = groups["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect()
}

fn names(groups: &Value) -> BTreeSet<String> {
    let name = |rule: &&Value| rule["alert"].as_str().unwrap().to_owned();
    rules(groups).iter().map(name).collect()
}

fn dashboard() -> Value {
    let text = fs::read_to_string(folder().join("files/dashboard.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The panels, those in rows too.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.flat_map(|panel| {
        let inner = panel["panels"].as_array().into_iter().flatten();
        std::iter::once(panel).chain(inner)
    })
}

/// The metrics of the reference, each with its labels and, where they are named, their values.
fn reference() -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
    let text = fs::read_to_string(workspace_root().join("docs/reference/metrics.md")).unwrap();
    let mut metrics = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| line.starts_with("| `bigiptunnel_"))
    {
        let cells: Vec<&str> = line.split(" | ").collect();
        let name = cells[0].trim_start_matches("| ").trim_matches('`');
        let mut labels = BTreeMap::new();
        // `device`, `state`: `selected`, `programmed`; `reason`
        for part in cells[2].split("; ") {
            let (before, values) = part.split_once(": ").unwrap_or((part, ""));
            let quoted = |text: &str| -> Vec<String> {
                text.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect()
            };
            let own = quoted(before);
            for (at, label) in own.iter().enumerate() {
                let is_last = at + 1 == own.len();
                labels.insert(
                    label.clone(),
                    if is_last { quoted(values) } else { Vec::new() },
                );
            }
        }
        metrics.insert(name.to_owned(), labels);
    }
    assert!(metrics.len() > 20, "{metrics:?}");
    metrics
}

/// Everything that a query selects.
#[derive(Default)]
struct Selected(Vec<VectorSelector>);

impl ExprVisitor for Selected {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

fn selected(query: &str) -> Vec<VectorSelector> {
    let expr = parser::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut selected = Selected::default();
    walk_expr(&mut selected, &expr).unwrap();
    assert!(!selected.0.is_empty() || query == "vector(0)", "{query}");
    selected.0
}

/// Every type of a condition, every reason and every occurrence.
fn vocabulary() -> BTreeSet<String> {
    let types = ConditionType::ALL.iter().map(|kind| kind.as_str());
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
    let occurrences = Occurrence::ALL.iter().map(|event| event.as_str());
    let all = types.chain(reasons).chain(occurrences);
    all.map(str::to_owned).collect()
}

fn assert_is_there(query: &str) {
    let (reference, words) = (reference(), vocabulary());
    for selector in selected(query) {
        let name = selector.name.clone().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let base = base
            .filter(|base| reference.contains_key(*base))
            .unwrap_or(&name);
        let labels = reference
            .get(base)
            .unwrap_or_else(|| panic!("{name} in {query}"));
        for matcher in &selector.matchers.matchers {
            let label = matcher.name.as_str();
            let is_common = OF_TARGETS.contains(&label) || OF_TUNNELS.contains(&label);
            assert!(
                is_common || labels.contains_key(label),
                "{label} in {query}"
            );
            let known = labels.get(label).cloned().unwrap_or_default();
            for value in values(matcher) {
                let is_word = match label {
                    "type" | "reason" => words.contains(value),
                    "status" => ["True", "False", "Unknown"].contains(&value),
                    "management_policy" => ["Observe", "FDBOnly"].contains(&value),
                    "save_config" => ["OnChange", "Never"].contains(&value),
                    _ => known.is_empty() || known.iter().any(|known| known == value),
                };
                assert!(is_word, "{label}={value} in {query}");
            }
        }
    }
}

/// The values that a matcher names, if it names any.
fn values(matcher: &Matcher) -> Vec<&str> {
    let is_named = !matcher.value.starts_with('$');
    match &matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![matcher.value.as_str()],
        MatchOp::Re(_) | MatchOp::NotRe(_) if is_named && !matcher.value.contains("..") => {
            matcher.value.split('|').collect()
        }
        MatchOp::Re(_) | MatchOp::NotRe(_) => Vec::new(),
    }
}

#[tokio::test]
async fn every_alert_queries_existing_metrics() {
    for rule in rules(&groups(&[ENABLED]).await) {
        assert_is_there(rule["expr"].as_str().unwrap());
    }
}

#[tokio::test]
async fn alert_texts_use_existing_labels() {
    for rule in rules(&groups(&[ENABLED]).await) {
        let expr = rule["expr"].as_str().unwrap();
        let by = expr.split_once("by (").map(|(_, rest)| rest);
        let by = by
            .and_then(|rest| rest.split(')').next())
            .unwrap_or_default();
        let has: Vec<&str> = by.split(", ").collect();
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str().unwrap();
            for label in text.split("$labels.").skip(1) {
                let label = label.split([' ', '}']).next().unwrap();
                assert!(has.contains(&label), "{label} in {text}");
            }
        }
    }
}

#[test]
fn every_dashboard_query_uses_existing_metrics() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut queries = 0;
    for panel in panels(&dashboard) {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{}",
            panel["title"]
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            // Grafana fills its own variables in.
            let query = target["expr"].as_str().unwrap();
            assert_is_there(&query.replace("$__rate_interval", "5m"));
            queries += 1;
        }
    }
    assert!(queries > 15, "{queries}");
    assert_links_to_runbooks(&dashboard);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["definition"].as_str() {
            let inner = query
                .strip_prefix("label_values(")
                .unwrap()
                .strip_suffix(')')
                .unwrap();
            assert_is_there(inner.rsplit_once(',').unwrap().0);
        }
    }
}

/// Every link to a runbook leads to a page.
fn assert_links_to_runbooks(dashboard: &Value) {
    let runbooks = workspace_root().join("docs/runbooks");
    let mut links = 0;
    for panel in panels(dashboard) {
        for link in panel["links"].as_array().into_iter().flatten() {
            let (_, page) = link["url"].as_str().unwrap().rsplit_once('/').unwrap();
            assert!(runbooks.join(page).is_file(), "{page}");
            links += 1;
        }
    }
    assert!(links > 5, "{links}");
}

#[tokio::test]
async fn every_alert_has_a_page_and_every_page_an_alert() {
    let alerts = names(&groups(&[ENABLED]).await);
    let pages = workspace_root().join("docs/runbooks");
    let list = fs::read_to_string(pages.join("README.md")).unwrap();
    let mut found = BTreeSet::new();
    for page in fs::read_dir(&pages).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".md").unwrap();
        if name == "README" {
            continue;
        }
        let text = fs::read_to_string(pages.join(format!("{name}.md"))).unwrap();
        assert!(text.starts_with(&format!("# {name}: ")), "{name}");
        for section in [
            "Meaning",
            "Impact",
            "Diagnosis",
            "Mitigation",
            "Without the plugin",
        ] {
            assert!(
                text.contains(&format!("\n## {section}\n")),
                "{name}: {section}"
            );
        }
        assert!(list.contains(&format!("[{name}]({name}.md)")), "{name}");
        found.insert(name.to_owned());
    }
    assert_eq!(found, alerts);
}

#[test]
fn runbook_commands_are_valid_plugin_commands() {
    let plugin = Product::Plugin.path().unwrap();
    let mut count = 0;
    for page in fs::read_dir(workspace_root().join("docs/runbooks")).unwrap() {
        let page = fs::read_to_string(page.unwrap().path()).unwrap();
        // In blocks a command is a line, elsewhere it stands between backticks.
        let typed = page.split(['\n', '`']);
        for command in typed.filter_map(|text| text.strip_prefix("kubectl bigip-tunnel ")) {
            let words = command.split([' ', '|']).filter(|word| !word.is_empty());
            let words = words.take_while(|word| *word != "kubectl");
            let output = Command::new(&plugin).args(words).arg("--help").output();
            let output = output.unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command}: {said}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[tokio::test]
async fn each_alert_fires_at_its_threshold_only() {
    let groups = groups(&[ENABLED]).await;
    let tests = workspace_root().join("tests/fixtures/prometheus/alerts.yaml");
    let tests = fs::read_to_string(tests).unwrap();
    for name in names(&groups) {
        assert!(tests.contains(&format!(r#"alertname="{name}""#)), "{name}");
    }
    alerts::test(&groups, &tests).await.unwrap();
}

#[tokio::test]
async fn alert_can_be_changed_or_omitted() {
    let overrides = r#"metrics={"prometheusRule":{"enabled":true,"runbookBaseURL":"https://example.com/r/",
        "overrides":{"BigIPTunnelUnavailable":{"for":"1m","severity":"page","labels":{"team":"net"}},
            "BigIPTunnelRecordsMissing":{"threshold":3},"BigIPTunnelSuspendedLong":{"enabled":false}},
        "additionalRules":[{"record":"a","expr":"vector(1)"}]}}"#;
    let groups = groups(&[overrides]).await;
    let rules = rules(&groups);
    let rule = |name: &str| rules.iter().find(|rule| rule["alert"] == name);
    let unavailable = rule("BigIPTunnelUnavailable").unwrap();
    assert_eq!(unavailable["for"], "1m");
    assert_eq!(unavailable["labels"]["severity"], "page");
    assert_eq!(unavailable["labels"]["team"], "net");
    let page = "https://example.com/r/BigIPTunnelUnavailable.md";
    assert_eq!(unavailable["annotations"]["runbook_url"], page);
    let missing = rule("BigIPTunnelRecordsMissing").unwrap();
    assert!(
        missing["expr"].as_str().unwrap().contains("> 3 "),
        "{missing}"
    );
    assert!(rule("BigIPTunnelSuspendedLong").is_none());
    assert!(rules.iter().any(|rule| rule["record"] == "a"));
}

#[tokio::test]
async fn values_schema_lists_exactly_the_alerts() {
    let schema = fs::read_to_string(folder().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let pointer = "/properties/metrics/properties/prometheusRule/properties/overrides/properties";
    let known = schema
        .pointer(pointer)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned();
    assert_eq!(
        known.collect::<BTreeSet<_>>(),
        names(&groups(&[ENABLED]).await)
    );
}
