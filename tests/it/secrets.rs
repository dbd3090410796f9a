//! Passwords and tokens: not in the log, whatever is logged, not in status, events, metrics or messages.

use bigip_sim::{Effect, Fault, Method};
use serde_json::{Value, json};

use crate::events::events;
use crate::rights::all_rights;
use crate::world::{NEW_NODE, World};

/// What the messages of the devices begin with.
const CODE: &str = "01070734:3";

/// Whether a text holds what a simulated device gives out as a token: 26 capital letters and digits.
fn holds_token(text: &str) -> bool {
    let is_of_token = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.split(|c| !is_of_token(c)).any(|word| word.len() == 26)
}

#[tokio::test]
async fn no_password_or_token_leaves_the_operator() {
    let mut world = World::new("secrets-echo").await;
    let account = world.restrict_operator().await;
    account.allow(&all_rights().await).await.unwrap();
    world.create_nodes().await;
    // One device repeats the password, the other one sends what harms a terminal.
    let password = world.devices.password().to_owned();
    let harm = format!("{CODE}: \u{1b}[2J\r\nlevel=fake \u{202e}gnp");
    let said = [harm, format!("{CODE}: you sent {password}")];
    for (unit, message) in world.devices.units().iter().zip(said) {
        let echo = json!({"code": 400, "message": message, "errorStack": [], "apiError": 3});
        let echo = Effect::status(400, "application/json", echo.to_string());
        let writes = Fault::new(echo).method(Method::POST);
        unit.fault(writes.path_contains("/records"));
    }
    world.start_operator_that_logs_all().await;
    world.create(world.spec()).await;
    world.until_reason("RequestRefused").await;
    world.create_node(NEW_NODE).await;
    world.settle().await;
    let status = serde_json::to_string(&world.object().await).unwrap();
    let metrics = world.metrics().await;
    let told = events(&world).await;
    assert!(
        told.iter()
            .any(|event| event.reason.as_deref() == Some("RequestRefused"))
    );
    let told = serde_json::to_string(&told).unwrap();
    let log = world.operator_log();
    world.terminate_operator().await;

    let is_captured = |text: &str| log.iter().any(|line| line.contains(text));
    assert!(
        is_captured("TRACE") && is_captured("list of records"),
        "not all was logged"
    );
    let token = account_token(&account.kubeconfig());
    for text in log.iter().chain([&status, &told, &metrics]) {
        assert!(!text.contains(&password), "{text}");
        assert!(!text.contains(&token), "{text}");
        assert!(!holds_token(text), "{text}");
    }
    let shown: Vec<String> = log
        .iter()
        .chain([&status, &told])
        .flat_map(|text| said_by_devices(text))
        .collect();
    assert!(
        shown.iter().any(|text| text.contains("level=fake")),
        "{shown:?}"
    );
    for text in &shown {
        let is_harmful = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!text.contains(is_harmful), "{text:?}");
    }
}

/// The strings of a JSON text, as they are read, that hold what a device said.
fn said_by_devices(json: &str) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if text.contains(CODE) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => members.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    let value = serde_json::from_str(json).unwrap_or_default();
    collect(&value, &mut found);
    found
}

/// The token in a kubeconfig.
fn account_token(kubeconfig: &std::path::Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let (_, token) = text.split_once("token").unwrap();
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut words = token
        .split(|c| !is_of_token(c))
        .filter(|word| word.len() > 100);
    words.next().unwrap().to_owned()
}
