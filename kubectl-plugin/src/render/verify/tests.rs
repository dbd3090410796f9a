//! A report of `verify` as it is printed.

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::verify::{Doubt, NotAsked, Outcome};

use super::*;
use crate::catalogue::{BTN0105, BTN0206, BTN0301};
use crate::render;
use crate::report::verify::Asked;
use crate::testing::printed;

fn path(node: &str, outcome: Outcome, cause: Option<(crate::catalogue::Code, &str)>) -> Path {
    let answered = outcome.is_reached() == Some(true);
    let asked = Asked {
        address: Some("10.0.1.66".parse().unwrap()),
        arp_mac: answered.then(|| "be:fe:00:00:00:01".parse().unwrap()),
        round_trip_us: answered.then_some(1_420),
        outcome,
        ..Asked::not(node.to_owned(), NotAsked::OutOfTime)
    };
    let cause = cause.map(|(code, text)| Cause {
        code,
        text: text.to_owned(),
        hint: "tmsh modify the profile".to_owned(),
        link: code.link(),
    });
    Path::new(asked, cause)
}

fn report() -> VerifyReport {
    let refused = NotAsked::Failed {
        reason: Reason::AuthorizationFailed,
        message: "192.0.2.12:443: the user may not POST the ping (util/ping)".to_owned(),
    };
    let device = |name: &str, paths| DevicePaths {
        device: name.to_owned(),
        source: Some("10.1.6.34".parse().unwrap()),
        endpoints: Some(3),
        paths,
    };
    let warm = Outcome::Reached(vec![Doubt::NoRecord, Doubt::KnownBefore]);
    let flooding = "bigip-a: the flooding type of /Common/flannel_vxlan is none";
    let a = vec![
        path("worker-01", Outcome::Proven, None),
        path(
            "worker-02",
            warm,
            Some((BTN0301, "bigip-a does not hold the record of the node")),
        ),
        path("worker-03", Outcome::NoArpAnswer, Some((BTN0206, flooding))),
        path("worker-04", Outcome::NoArpAnswer, Some((BTN0206, flooding))),
    ];
    let b = vec![path(
        "worker-01",
        Outcome::NotAsked(refused),
        Some((BTN0105, "the user may not POST the ping (util/ping)")),
    )];
    VerifyReport::new(vec![TunnelPaths {
        namespace: "bigip".to_owned(),
        name: "prod-east".to_owned(),
        tunnel: "/Common/flannel_vxlan".to_owned(),
        nodes: 40,
        devices: vec![device("bigip-a", a), device("bigip-b", b)],
    }])
}

#[test]
fn paths_causes_and_summary_are_printed() {
    let text = printed(|out| write(&report(), false, Style::PLAIN, out));
    insta::assert_snapshot!(text, @r##"
    bigip/prod-east  /Common/flannel_vxlan: 4 of 40 nodes
    BIG-IP    NODE        OUTCOME       CAUSE     MESSAGE
    bigip-a   worker-01   Proven        <none>    its record has carried a packet
    bigip-a   worker-02   Reached       BTN0301   it answers, which does not prove its record: the record is not on the BIG-IP; the BIG-IP knew the address before
    bigip-a   worker-03   NoARPAnswer   BTN0206   no ARP request on the tunnel was answered
    bigip-a   worker-04   NoARPAnswer   BTN0206   no ARP request on the tunnel was answered
    bigip-b   worker-01   NotAsked      BTN0105   192.0.2.12:443: the user may not POST the ping (util/ping)

    ‼ BTN0301 bigip-a does not hold the record of the node
        tmsh modify the profile
        see https://github.com/bigip-tunnel/operator/blob/main/docs/codes/BTN0301.md
    ‼ BTN0206 bigip-a: the flooding type of /Common/flannel_vxlan is none
        tmsh modify the profile
        see https://github.com/bigip-tunnel/operator/blob/main/docs/codes/BTN0206.md
    ‼ BTN0105 the user may not POST the ping (util/ping)
        tmsh modify the profile
        see https://github.com/bigip-tunnel/operator/blob/main/docs/codes/BTN0105.md

    ✖ 1 proven, 1 reached by a known path, 2 not reached, 1 not asked
    "##);
}

#[test]
fn wide_table_has_addresses_and_times() {
    let text = printed(|out| write(&report(), true, Style::PLAIN, out));
    let line = text.lines().nth(2).unwrap();
    assert_eq!(
        line,
        "bigip-a   worker-01   Proven        10.1.6.34   10.0.1.66   1.420 ms   be:fe:00:00:00:01   <none>    \
         its record has carried a packet"
    );
}

#[test]
fn colours_repeat_the_text() {
    let style = Style::PLAIN.with_color();
    let text = printed(|out| write(&report(), false, style, out));
    assert!(text.contains("\u{1b}[32mProven\u{1b}[0m"), "{text:?}");
    assert!(text.contains("\u{1b}[31mNoARPAnswer\u{1b}[0m"), "{text:?}");
    let stripped = anstream::adapter::strip_str(&text).to_string();
    let plain = printed(|out| write(&report(), false, Style::PLAIN, out));
    assert_eq!(stripped.lines().count(), plain.lines().count());
}

#[test]
fn junit_places_failures_and_errors_correctly() {
    let text = printed(|out| write_junit(&report(), out));
    insta::assert_snapshot!(text, @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="kubectl bigip-tunnel verify">
      <testsuite name="bigip/prod-east bigip-a" tests="4" failures="2" errors="0">
        <testcase classname="bigip/prod-east bigip-a" name="worker-01" time="0.001420">
          <system-out>Proven: its record has carried a packet</system-out>
        </testcase>
        <testcase classname="bigip/prod-east bigip-a" name="worker-02" time="0.001420">
          <system-out>Reached: it answers, which does not prove its record: the record is not on the BIG-IP; the BIG-IP knew the address before</system-out>
        </testcase>
        <testcase classname="bigip/prod-east bigip-a" name="worker-03">
          <failure type="NoARPAnswer" message="NoARPAnswer: no ARP request on the tunnel was answered">BTN0206 bigip-a: the flooding type of /Common/flannel_vxlan is none: tmsh modify the profile</failure>
        </testcase>
        <testcase classname="bigip/prod-east bigip-a" name="worker-04">
          <failure type="NoARPAnswer" message="NoARPAnswer: no ARP request on the tunnel was answered">BTN0206 bigip-a: the flooding type of /Common/flannel_vxlan is none: tmsh modify the profile</failure>
        </testcase>
      </testsuite>
      <testsuite name="bigip/prod-east bigip-b" tests="1" failures="0" errors="1">
        <testcase classname="bigip/prod-east bigip-b" name="worker-01">
          <error type="NotAsked" message="NotAsked: 192.0.2.12:443: the user may not POST the ping (util/ping)">BTN0105 the user may not POST the ping (util/ping): tmsh modify the profile</error>
        </testcase>
      </testsuite>
    </testsuites>
    "##);
}

#[test]
fn json_is_of_the_documented_form() {
    let text = printed(|out| render::json("VerifyReport", &report(), out));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["kind"], "VerifyReport");
    assert_eq!(json["success"], false);
    let summary = serde_json::json!({"proven": 1, "reached": 1, "notReached": 2, "notAsked": 1});
    assert_eq!(json["summary"], summary);
    let path = &json["tunnels"][0]["devices"][0]["paths"][2];
    let expected = serde_json::json!({
        "node": "worker-03",
        "address": "10.0.1.66",
        "outcome": "NoARPAnswer",
        "message": "no ARP request on the tunnel was answered",
        "cause": {
            "code": "BTN0206",
            "text": "bigip-a: the flooding type of /Common/flannel_vxlan is none",
            "hint": "tmsh modify the profile",
            "link": BTN0206.link(),
        },
    });
    assert_eq!(*path, expected);
    let proven = &json["tunnels"][0]["devices"][0]["paths"][0];
    assert_eq!(proven["roundTripUs"], 1_420);
    assert_eq!(proven["arpMac"], "be:fe:00:00:00:01");
}

#[test]
fn text_of_a_device_cannot_break_the_xml() {
    let mut report = report();
    report.tunnels[0].devices[1].paths[0].message = "a<b>&\"\u{1b}[31m\u{0}".to_owned();
    let text = printed(|out| write_junit(&report, out));
    assert!(text.contains("a&lt;b&gt;&amp;&quot; [31m "), "{text}");
    assert!(!text.contains(['\u{1b}', '\u{0}']));
}
