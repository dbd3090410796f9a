//! What `status` prints, and how it exits.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Tunnel, condition, device, device_down, printed, view};

fn report(tunnels: impl IntoIterator<Item = Tunnel>) -> StatusReport {
    StatusReport::new(&tunnels.into_iter().map(Tunnel::read).collect::<Vec<_>>())
}

/// What is asked for with this flag alone.
fn args(output: Option<StatusFormat>) -> StatusArgs {
    StatusArgs {
        output,
        ..StatusArgs::default()
    }
}

fn shown(report: &StatusReport, format: Option<StatusFormat>) -> String {
    let wide = format == Some(StatusFormat::Wide);
    printed(|out| write(report, &args(format), view(wide), out))
}

/// A tunnel of which one unit does not answer.
fn one_down() -> Tunnel {
    let available = "1 of 2 BIG-IPs hold the records";
    Tunnel::new("prod-west")
        .device(device("bigip-c", "192.0.2.13", "Active"))
        .device(device_down("bigip-d", "192.0.2.14"))
        .with(
            "/status/summary",
            &json!({"devices": "1/2", "nodes": "0/3", "records": "3/6"}),
        )
        .with(
            "/status/conditions",
            &json!([
                condition(
                    "Ready",
                    "False",
                    "DeviceUnreachable",
                    "bigip-d: no answer within 5 s"
                ),
                condition("Available", "True", "DevicesProgrammed", available),
            ]),
        )
}

#[test]
fn healthy_status_fits_one_screen() {
    let report = report([Tunnel::healthy("prod-east")]);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_snapshot!(shown(&report, None), @"
    Tunnel       bigip/prod-east   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472
    Status       ✔ Ready for 8h: InSync
                 3 nodes on 2 of 2 BIG-IPs
    Available    ✔ Yes: 2 of 2 BIG-IPs hold the records
    Nodes        3 programmed of 3 selected, 0 leaving, 0 skipped
    Verified     90s ago

    BIG-IP    ADDRESS      STATE    HA        RECORDS   STALE   EXTRA   SAVED
    bigip-a   192.0.2.11   InSync   Active    3/3       0       0       Saved
    bigip-b   192.0.2.12   InSync   Standby   3/3       0       0       Saved
    ");
}

#[test]
fn wide_status_of_a_healthy_tunnel_shows_more() {
    assert_snapshot!(shown(&report([Tunnel::healthy("prod-east")]), Some(StatusFormat::Wide)), @"
    Tunnel       bigip/prod-east   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472
    Status       ✔ Ready for 8h: InSync
                 3 nodes on 2 of 2 BIG-IPs
    Available    ✔ Yes: 2 of 2 BIG-IPs hold the records
    Nodes        3 programmed of 3 selected, 0 leaving, 0 skipped
    Verified     90s ago

    BIG-IP    ADDRESS      STATE    HA        RECORDS   STALE   EXTRA   SAVED   MISSING   CHANGED   HOSTNAME              VERSION    LOCAL-ADDRESS    MAC         PROFILE
    bigip-a   192.0.2.11   InSync   Active    3/3       0       0       Saved   0         3h2m      bigip-a.example.net   17.1.2.1   10.169.72.34%0   <unknown>   /Common/fl-vxlan
    bigip-b   192.0.2.12   InSync   Standby   3/3       0       0       Saved   0         3h2m      bigip-b.example.net   17.1.2.1   10.169.72.34%0   <unknown>   /Common/fl-vxlan
    ");
}

#[test]
fn unreachable_unit_is_named_with_the_remedy() {
    let report = report([one_down()]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    Tunnel       bigip/prod-west   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472
    Status       ✖ Not ready for 8h: DeviceUnreachable
                 bigip-d: no answer within 5 s
    Available    ✔ Yes: 1 of 2 BIG-IPs hold the records
    Nodes        3 programmed of 3 selected, 0 leaving, 0 skipped
    Verified     90s ago

    BIG-IP    ADDRESS      STATE     HA          RECORDS   STALE   EXTRA   SAVED
    bigip-c   192.0.2.13   InSync    Active      3/3       0       0       Saved
    bigip-d   192.0.2.14   Timeout   <unknown>   ?/3       ?       ?       Saved

    Next: see whether bigip-d answers inside the cluster: https://192.0.2.14:443
    ");
}

#[test]
fn cilium_problem_takes_one_line() {
    let line = |other: Value| {
        let tunnel = Tunnel::healthy("prod-east").with(
            "/status/conditions",
            &json!([condition("Ready", "True", "InSync", "fine"), other]),
        );
        let shown = shown(&report([tunnel]), None);
        let line = shown.lines().find(|line| line.starts_with("Cilium"));
        line.map(str::to_owned)
    };
    let of = |status, reason, message| line(condition("CiliumReady", status, reason, message));
    assert_eq!(
        of("False", "VNIMismatch", "bigip-a has VNI 3").unwrap(),
        "Cilium       ✖ Not ready: VNIMismatch: bigip-a has VNI 3"
    );
    assert_eq!(
        of("True", "CiliumVerified", "fits").unwrap(),
        "Cilium       ✔ Ready: fits"
    );
    let unknown = of("Unknown", "CiliumUnreadable", "pods").unwrap();
    assert!(
        unknown.ends_with("Unknown: CiliumUnreadable: pods"),
        "{unknown}"
    );
    assert_eq!(line(condition("Available", "True", "x", "y")), None);
}

#[test]
fn outcome_of_the_vtep_config_is_one_line() {
    let line = |status, reason| {
        let found = condition("VTEPConfigured", status, reason, "said");
        let tunnel = Tunnel::healthy("prod-east").with(
            "/status/conditions",
            &json!([condition("Ready", "True", "InSync", "fine"), found]),
        );
        let shown = shown(&report([tunnel]), None);
        let line = shown.lines().find(|line| line.starts_with("VTEP config"));
        line.unwrap().to_owned()
    };
    assert_eq!(
        line("True", "VTEPProgrammed"),
        "VTEP config  ✔ Programmed: said"
    );
    let failed = line("False", "VTEPConfigConflict");
    assert!(
        failed.ends_with("Failed: VTEPConfigConflict: said"),
        "{failed}"
    );
    assert!(line("Unknown", "VTEPNotConfirmed").contains("Unknown: VTEPNotConfirmed"));
}

#[test]
fn unlisted_peer_and_former_device_are_named() {
    let peer = "bigip-c.example.net is in the trust domain of bigip-a and not listed";
    let tunnel = Tunnel::healthy("prod-east")
        .with(
            "/status/conditions",
            &json!([
                condition(
                    "Ready",
                    "False",
                    "CleanupFailed",
                    "records are left on bigip-old"
                ),
                condition("PeersCovered", "False", "PeerNotListed", peer),
            ]),
        )
        .former("bigip-old", "192.0.2.19");
    let shown = shown(&report([tunnel]), None);
    for line in [
        "Peers        ‼ bigip-c.example.net is in the trust domain of bigip-a and not listed",
        "Unlisted     bigip-old: 192.0.2.19:443: no answer within 5 s",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
}

#[test]
fn progressing_tunnel_shows_the_wait_command() {
    let progressing = condition(
        "Ready",
        "False",
        "Progressing",
        "not every BIG-IP has been read",
    );
    let tunnel = Tunnel::healthy("prod-east").with("/status/conditions", &json!([progressing]));
    let shown = shown(&StatusReport::new(&[tunnel.read()]), None);
    let line = "Next: it is worked on; to wait for it: kubectl bigip-tunnel status prod-east -n bigip \
                --wait\n";
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn observed_tunnel_has_no_next_step() {
    let mut observed = device("bigip-a", "192.0.2.11", "Active");
    observed["conditions"] = json!([
        condition("Reachable", "True", "Answered", "iControl REST answers"),
        condition("Programmed", "False", "Observed", "2 of 3 records present"),
    ]);
    let tunnel = Tunnel::new("cis-check")
        .ready(
            "True",
            "Observed",
            "managementPolicy Observe: nothing is written",
        )
        .device(observed);
    let report = report([tunnel]);
    assert_eq!(report.outcome(), Outcome::Fine);
    let shown = shown(&report, None);
    assert!(shown.contains("Ready for"), "{shown}");
    assert!(!shown.contains("Next:"), "{shown}");
}

#[test]
fn skipped_and_leaving_nodes_are_named() {
    let tunnel = Tunnel::healthy("prod-east")
        .ready("False", "NodesSkipped", "node worker-04 has no record: the node lists no InternalIP")
        .with("/status/nodes", &json!({"selected": 5, "programmed": 3, "leaving": 1, "skipped": 2}))
        .with("/status/skippedNodes", &json!([
            {"name": "worker-04", "reason": "NodeAddressMissing", "message": "the node lists no InternalIP"},
            {"name": "worker-05", "reason": "NodeAddressMissing", "message": "the node lists no InternalIP"},
        ]))
        .with("/status/leavingNodes", &json!([{
            "name": "worker-09",
            "address": "10.169.72.17",
            "since": "2026-11-22T06:39:22Z",
            "removableAt": "2026-11-22T06:40:22Z",
        }]));
    assert_snapshot!(shown(&report([tunnel]), None), @"
    Tunnel       bigip/prod-east   /Common/flannel_vxlan   VXLAN, VNI 2, UDP 8472
    Status       ✖ Not ready for 8h: NodesSkipped
                 node worker-04 has no record: the node lists no InternalIP
    Available    ✔ Yes: 2 of 2 BIG-IPs hold the records
    Nodes        3 programmed of 5 selected, 1 leaving, 2 skipped
    Skipped      worker-04: the node lists no InternalIP (and 1 more)
    Leaving      worker-09: record goes in 22s
    Verified     90s ago

    BIG-IP    ADDRESS      STATE    HA        RECORDS   STALE   EXTRA   SAVED
    bigip-a   192.0.2.11   InSync   Active    3/3       0       0       Saved
    bigip-b   192.0.2.12   InSync   Standby   3/3       0       0       Saved

    Next: see which: kubectl bigip-tunnel fdb prod-east -n bigip
    ");
}

#[test]
fn unreconciled_tunnel_is_not_shown_as_healthy() {
    let report =
        report([Tunnel::healthy("new").with("/status", &json!({"observedGeneration": -1}))]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    Tunnel       bigip/new   /Common/flannel_vxlan
    Status       ◌ Unknown for 8h: Pending
                 no operator has worked on the object yet

    BIG-IP    ADDRESS      STATE     HA          RECORDS     STALE       EXTRA       SAVED
    bigip-a   192.0.2.11   Pending   <unknown>   <unknown>   <unknown>   <unknown>   <none>
    bigip-b   192.0.2.12   Pending   <unknown>   <unknown>   <unknown>   <unknown>   <none>

    Next: see whether the operator runs: kubectl get pods -A -l app.kubernetes.io/name=bigip-tunnel-operator
    ");
}

#[test]
fn status_of_an_older_generation_does_not_count() {
    let report = report([Tunnel::healthy("prod-east").with("/metadata/generation", &json!(4))]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_eq!(report.tunnels[0].ready.status, "Unknown");
}

#[test]
fn tunnel_in_deletion_is_shown_as_such() {
    let report = report([Tunnel::healthy("prod-east")
        .with(
            "/metadata/deletionTimestamp",
            &json!("2026-11-22T06:39:00Z"),
        )
        .ready("False", "CleaningUp", "removing the records of this object")]);
    let text = shown(&report, None);
    assert!(
        text.contains("Status       ‼ Being deleted for 8h: CleaningUp"),
        "{text}"
    );
}

#[test]
fn several_tunnels_get_a_line_each() {
    let report = report([Tunnel::healthy("prod-east"), one_down()]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    NAME        READY   BIG-IPS   NODES   RECORDS   SINCE   REASON
    prod-east   True    2/2       3/3     6/6       8h      InSync
    prod-west   False   1/2       0/3     3/6       8h      DeviceUnreachable
    1 of 2 ready
    ");
    assert_snapshot!(shown(&report, Some(StatusFormat::Wide)), @"
    NAME        READY   BIG-IPS   NODES   RECORDS   SINCE   REASON              TUNNEL                  MESSAGE
    prod-east   True    2/2       3/3     6/6       8h      InSync              /Common/flannel_vxlan   3 nodes on 2 of 2 BIG-IPs
    prod-west   False   1/2       0/3     3/6       8h      DeviceUnreachable   /Common/flannel_vxlan   bigip-d: no answer within 5 s
    1 of 2 ready
    ");
    let everywhere = printed(|out| {
        let view = View {
            all_namespaces: true,
            ..view(false)
        };
        write(&report, &args(None), view, out)
    });
    assert_snapshot!(everywhere, @"
    NAMESPACE   NAME        READY   BIG-IPS   NODES   RECORDS   SINCE   REASON
    bigip       prod-east   True    2/2       3/3     6/6       8h      InSync
    bigip       prod-west   False   1/2       0/3     3/6       8h      DeviceUnreachable
    1 of 2 ready
    ");
}

#[test]
fn unreadable_object_hides_no_other() {
    let broken = Tunnel::healthy("broken").with("/spec/devices", &json!("none"));
    let report = report([broken, Tunnel::healthy("prod-east")]);
    assert_eq!(report.outcome(), Outcome::Findings);
    assert_snapshot!(shown(&report, None), @"
    NAME        READY     BIG-IPS   NODES    RECORDS   SINCE    REASON
    broken      Unknown   <none>    <none>   <none>    <none>   InvalidSpec
    prod-east   True      2/2       3/3      6/6       8h       InSync
    1 of 2 ready
    ");
}

#[test]
fn no_tunnels_print_nothing_and_exit_with_0() {
    let report = report([]);
    assert_eq!(report.outcome(), Outcome::Fine);
    assert_eq!(shown(&report, None), "");
    assert_snapshot!(shown(&report, Some(StatusFormat::Json)), @r#"
    {
      "apiVersion": "cli.bigip-tunnel.dev/v1",
      "kind": "StatusReport",
      "tunnels": []
    }
    "#);
    assert_eq!(
        nothing_found(&Connection::default(), "bigip"),
        "No BigIpTunnels found in bigip namespace."
    );
}

#[test]
fn json_contains_everything_in_the_text() {
    let tunnel = Tunnel::new("prod-east")
        .ready(
            "False",
            "DeviceUnreachable",
            "bigip-a: no answer within 5 s",
        )
        .device(json!({
            "name": "bigip-a",
            "address": "192.0.2.11",
            "conditions": [condition("Reachable", "False", "Timeout", "no answer within 5 s")],
        }));
    assert_snapshot!(shown(&report([tunnel]), Some(StatusFormat::Json)), @r#"
    {
      "apiVersion": "cli.bigip-tunnel.dev/v1",
      "kind": "StatusReport",
      "tunnels": [
        {
          "namespace": "bigip",
          "name": "prod-east",
          "tunnel": "/Common/flannel_vxlan",
          "ready": {
            "status": "False",
            "reason": "DeviceUnreachable",
            "message": "bigip-a: no answer within 5 s",
            "since": "2026-11-21T22:40:00Z"
          },
          "available": {
            "status": "True",
            "reason": "DevicesProgrammed",
            "message": "2 of 2 BIG-IPs hold the records",
            "since": "2026-11-21T22:40:00Z"
          },
          "deleting": false,
          "lastVerifiedTime": "2026-11-22T06:38:30Z",
          "summary": {
            "devices": "2/2",
            "nodes": "3/3",
            "records": "6/6"
          },
          "nodes": {
            "selected": 3,
            "programmed": 3,
            "leaving": 0,
            "skipped": 0
          },
          "devices": [
            {
              "state": "Timeout",
              "name": "bigip-a",
              "address": "192.0.2.11",
              "conditions": [
                {
                  "lastTransitionTime": "2026-11-21T22:40:00Z",
                  "message": "no answer within 5 s",
                  "observedGeneration": 3,
                  "reason": "Timeout",
                  "status": "False",
                  "type": "Reachable"
                }
              ]
            }
          ],
          "next": "see whether bigip-a answers inside the cluster: https://192.0.2.11:443"
        }
      ]
    }
    "#);
}

#[test]
fn yaml_equals_json() {
    let report = report([one_down(), Tunnel::healthy("prod-east")]);
    let json: Value = serde_json::from_str(&shown(&report, Some(StatusFormat::Json))).unwrap();
    let yaml: Value = serde_saphyr::from_str(&shown(&report, Some(StatusFormat::Yaml))).unwrap();
    assert_eq!(json, yaml);
}

#[test]
fn one_tunnel_never_takes_more_than_24_lines() {
    let many =
        |count: usize, entry: &dyn Fn(usize) -> Value| -> Value { (0..count).map(entry).collect() };
    let skipped = |n| json!({"name": format!("w{n}"), "reason": "NodeAddressMissing"});
    let leaving = |n| json!({"address": format!("10.0.0.{n}"), "since": "2026-11-22T06:39:22Z"});
    let mut tunnel = Tunnel::new("large")
        .ready("False", "DeviceUnreachable", "two\nlines")
        .with("/status/skippedNodes", &many(16, &skipped))
        .with("/status/leavingNodes", &many(16, &leaving));
    for n in 0..8 {
        tunnel = tunnel.device(device_down(&format!("bigip-{n}"), &format!("192.0.2.{n}")));
    }
    let text = shown(&report([tunnel]), Some(StatusFormat::Wide));
    assert!(text.lines().count() <= 24, "{text}");
}

#[test]
fn suspended_tunnel_shows_its_reason() {
    let paused = condition("Paused", "True", "Suspended", "nothing is read or written");
    let reason = json!({"bigip-tunnel.dev/suspend-reason": "CHG0012345"});
    let suspended = Tunnel::new("prod-east")
        .with("/status/conditions", &json!([paused]))
        .with("/metadata/annotations", &reason);
    let now = suspended.clone().with("/spec/suspend", &json!(true));
    let said = shown(&report([now]), None);
    let line = "Paused       ‼ Suspended (CHG0012345): nothing is read or written\n";
    assert!(said.contains(line), "{said}");
    // What is left of an earlier time says nothing about this one.
    let said = shown(&report([suspended]), None);
    assert!(!said.contains("CHG0012345"), "{said}");
}

/// A tunnel about which there is everything to say.
fn with_everything() -> Tunnel {
    let message = "records of 12 nodes are to be removed within one hour, and that is more than \
                   nodes.maxRemovalPercent allows; they stay until a person approves: see \
                   status.heldRemoval, which names the first 16 of them and the digest";
    let peer = "bigip-c.example.net is in the trust domain of bigip-a and not listed";
    let mut tunnel = Tunnel::new("large")
        .with(
            "/status/conditions",
            &json!([
                condition("Ready", "False", "MassRemovalBlocked", message),
                condition(
                    "Available",
                    "True",
                    "DevicesProgrammed",
                    "8 of 8 BIG-IPs hold them"
                ),
                condition("PeersCovered", "False", "PeerNotListed", peer),
                condition("Paused", "True", "Suspended", "nothing is read or written"),
            ]),
        )
        .with(
            "/status/heldRemoval",
            &json!({"digest": "sha256", "since": "2026-11-22T06:30:00Z", "count": 12}),
        )
        .with(
            "/status/skippedNodes",
            &json!([{"name": "w1", "reason": "NodeAddressMissing"}]),
        )
        .with(
            "/status/leavingNodes",
            &json!([{"address": "10.0.0.1", "since": "2026-11-22T06:39:22Z"}]),
        )
        .former("bigip-old", "192.0.2.19");
    for n in 0..8 {
        tunnel = tunnel.device(device_down(&format!("bigip-{n}"), &format!("192.0.2.{n}")));
    }
    tunnel
}

#[test]
fn terminal_of_80_by_24_shows_all_of_a_tunnel() {
    let style = Style::PLAIN.on_terminal(80, 24);
    let view = View {
        style,
        ..view(false)
    };
    let report = report([with_everything()]);
    let text = printed(|out| write(&report, &args(None), view, out));
    // A line that is too wide takes two.
    let heights = text
        .lines()
        .map(|line| line.chars().count().div_ceil(80).max(1));
    assert!(heights.sum::<usize>() <= 24, "{text}");
    let (next, others): (Vec<_>, Vec<_>) =
        text.lines().partition(|line| line.starts_with("Next: "));
    // What is to be copied is not cut; everything else fits.
    assert!(next[0].ends_with("approve large -n bigip"), "{text}");
    assert!(
        others.iter().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let held = "Held         12 removals for 10m, until a person approves";
    assert!(others.contains(&held), "{text}");
}

#[test]
fn long_message_wraps_if_space_allows() {
    let view = View {
        style: Style::PLAIN.on_terminal(60, 24),
        ..view(false)
    };
    let message = "bigip-d: no answer within 5 s, and 14 times before; the last one was at noon";
    let tunnel = Tunnel::healthy("prod-west").ready("False", "DeviceUnreachable", message);
    let text = printed(|out| write(&report([tunnel]), &args(None), view, out));
    let broken = "
             bigip-d: no answer within 5 s, and 14 times
             before; the last one was at noon
";
    assert!(text.contains(broken), "{text}");
}

#[test]
fn colour_and_ascii_change_no_text() {
    let report = report([one_down()]);
    let with = |style| {
        let view = View {
            style,
            ..view(false)
        };
        printed(|out| write(&report, &args(None), view, out))
    };
    let coloured = with(Style::PLAIN.with_color());
    assert!(
        coloured.contains("\u{1b}[31mTimeout\u{1b}[0m"),
        "{coloured}"
    );
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, with(Style::PLAIN));
    let ascii = with(Style::PLAIN.with_ascii());
    assert!(ascii.is_ascii(), "{ascii}");
    assert!(ascii.contains("Status       FAIL Not ready for 8h: DeviceUnreachable"));
}

#[test]
fn without_headers_a_single_tunnel_is_a_line_too() {
    let view = View {
        no_headers: true,
        ..view(false)
    };
    let report = report([Tunnel::healthy("prod-east")]);
    assert_eq!(
        printed(|out| write(&report, &args(None), view, out)),
        "prod-east   True   2/2   3/3   6/6   8h   InSync\n"
    );
}

#[test]
fn names_can_be_given_to_kubectl() {
    let report = report([Tunnel::healthy("prod-east"), one_down()]);
    assert_eq!(
        shown(&report, Some(StatusFormat::Name)),
        "bigiptunnel.bigip-tunnel.dev/prod-east\nbigiptunnel.bigip-tunnel.dev/prod-west\n"
    );
}

#[test]
fn watched_data_is_a_line_or_document_per_change() {
    let report = report([Tunnel::healthy("prod-east")]);
    let watched = |output| {
        let args = StatusArgs {
            watch: true,
            ..args(Some(output))
        };
        printed(|out| write(&report, &args, view(false), out))
    };
    let json = watched(StatusFormat::Json);
    assert_eq!(json.lines().count(), 1);
    assert!(json.starts_with(r#"{"apiVersion":"cli.bigip-tunnel.dev/v1","kind":"StatusReport""#));
    assert!(watched(StatusFormat::Yaml).starts_with("---\napiVersion: "));
}

#[test]
fn wait_target_is_reported() {
    let down = |n: usize| one_down().with("/metadata/name", &json!(format!("west-{n}")));
    assert_eq!(report([Tunnel::healthy("prod-east")]).waits_for(), None);
    assert_eq!(report([]).waits_for().as_deref(), Some("a tunnel"));
    assert_eq!(
        report([Tunnel::healthy("prod-east"), down(1)])
            .waits_for()
            .as_deref(),
        Some("bigip/west-1 (DeviceUnreachable)")
    );
    let many = report((1..=5).map(down)).waits_for().unwrap();
    assert!(
        many.ends_with("bigip/west-3 (DeviceUnreachable), 2 more"),
        "{many}"
    );
    let error = Error::NotReady {
        limit: std::time::Duration::from_secs(60),
        waited_for: many,
    };
    assert_eq!(error.code(), 4);
    assert!(
        error
            .to_string()
            .starts_with("not ready within 60 s: bigip/west-1")
    );
}
