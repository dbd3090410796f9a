//! The manual page: what it says is so.

use std::fs;
use std::path::Path;

use bigip_sim::{Fault, Preset, Rights, TlsProfile, TmosVersion};
use serde_json::json;

fn page() -> String {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(crate_root.join("../../docs/reference/bigip-sim.md")).unwrap()
}

/// What stands between backticks in the paragraph or table that holds this text.
fn quoted(page: &str, text: &str) -> Vec<String> {
    let mut paragraphs = page.split("\n\n");
    let paragraph = paragraphs.find(|it| it.contains(text)).unwrap();
    let words = paragraph.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn every_script_in_the_manual_can_be_played() {
    let page = page();
    let scripts = page.split("```json\n").skip(1);
    let mut count = 0;
    for script in scripts.map(|rest| rest.split("```").next().unwrap()) {
        count += 1;
        let played = Fault::parse_script(script);
        assert!(played.is_ok(), "{}: {script}", played.unwrap_err());
    }
    assert!(count > 0, "no script found");
}

#[test]
fn every_value_in_the_effects_table_is_valid() {
    let page = page();
    let table = page.split("| question | value |").nth(1).unwrap();
    let mut question = "";
    let mut count = 0;
    for row in table.lines().skip(2).take_while(|row| row.starts_with('|')) {
        let mut cells = row.split(" | ");
        let named = cells.next().unwrap();
        question = named.split('`').nth(1).unwrap_or(question);
        for value in cells.next().unwrap().split('`').skip(1).step_by(2) {
            let value = value
                .replace('\u{2026}', "")
                .replace("NAME", "\"restarting\"");
            let value = if value.starts_with('{') {
                value
            } else {
                format!("\"{value}\"")
            };
            // Beside it something that no value of these contradicts, and that is an effect by itself.
            let other = if question == "commit" {
                "\"reply\""
            } else {
                "\"commit\""
            };
            let script =
                format!("[{{\"effect\": {{\"{question}\": {value}, {other}: \"late\"}}}}]");
            let played = Fault::parse_script(&script);
            assert!(played.is_ok(), "{}: {script}", played.unwrap_err());
            count += 1;
        }
    }
    assert_eq!(count, 21);
}

#[test]
fn manual_lists_every_preset_profile_version_and_role() {
    let page = page();
    let names = quoted(&page, "**Presets**").into_iter();
    let presets = names.map(|name| serde_json::from_value::<Preset>(json!(name)).unwrap());
    assert_eq!(presets.collect::<Vec<_>>(), Preset::ALL);

    let profiles = TlsProfile::ALL.map(|profile| profile.to_string());
    let mut shown = quoted(&page, "| profile |");
    shown.retain(|word| word != "localhost");
    assert_eq!(shown, profiles);

    for version in TmosVersion::ALL {
        let versions = page.split("## Versions").nth(1).unwrap();
        assert!(versions.contains(&version.to_string()), "{version}");
    }
    let rights = quoted(&page, "`--rights` says");
    let known = rights.iter().filter(|word| word.parse::<Rights>().is_ok());
    assert_eq!(known.count(), 5, "{rights:?}");
}
