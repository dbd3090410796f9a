//! The typed calls against recorded exchanges.

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::unit::{Encapsulation, FailoverState, UnitFacts};
use serde_json::Value;

use bigip_tunnel_core::record::{FdbRecord, Records};

use super::*;
use crate::collection::PAGES_MAX;
use crate::testing::{Reply, Seen, Server, add, recorded, save, short_limits};
use crate::unit::{Added, Removed};

const NOT_FOUND: &str = "01020036:3: The requested object (/Common/flannel_vxlan) was not found.";

fn path() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), "flannel_vxlan".parse().unwrap())
}

fn record() -> FdbRecord {
    FdbRecord {
        mac: "0a:0a:c0:a8:c8:41".parse().unwrap(),
        endpoint: "192.168.200.65%0".parse().unwrap(),
    }
}

fn name() -> RecordName {
    RecordName::from(record().mac)
}

/// Answers about the unit as recorded, about the tunnel with `tunnel` and `profile`.
fn unit(seen: &Seen, tunnel: &str, profile: &str) -> Reply {
    match seen.line.as_str() {
        "GET /mgmt/tm/sys/version" => Reply::ok(recorded::VERSION),
        "GET /mgmt/tm/sys/ready" => Reply::ok(recorded::READY),
        "GET /mgmt/tm/cm/device" => Reply::ok(&recorded::devices(&[recorded::DEVICE])),
        "GET /mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan" => Reply::ok(tunnel),
        "GET /mgmt/tm/net/self" => Reply::ok(&recorded::self_ips(&[(
            "10.1.6.34/24",
            "/Common/flannel_vxlan",
        )])),
        line if line.ends_with("/stats?options=all-properties") => Reply::ok(&stats(
            "~Common~flannel_vxlan/stats",
            r#""description":"52:54:00:3E:3F:C1""#,
        )),
        line if line.starts_with("GET /mgmt/tm/net/tunnels/") => Reply::ok(profile),
        _ => Reply::restjavad(404, "Public URI path not registered"),
    }
}

/// Statistics of the tunnel under this key, as public scripts read them.
fn stats(key: &str, mac: &str) -> String {
    format!(
        r#"{{"kind":"tm:net:tunnels:tunnel:tunnelstats","entries":{{"https://localhost/mgmt/tm/net/tunnels/tunnel/{key}":{{"nestedStats":{{"entries":{{"hcInOctets":{{"value":0}},"macAddr":{{{mac}}},"tmName":{{"description":"/Common/flannel_vxlan"}}}}}}}}}}}}"#
    )
}

/// A client of a server that answers one kind of call with `reply`, and is ready.
async fn answering(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Server, Client) {
    let server = Server::with_login(move |seen, _| match seen.line.as_str() {
        "GET /mgmt/tm/sys/ready" => Reply::ok(recorded::READY),
        _ => reply(),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    (server, client)
}

/// The same with a unit that has not loaded its configuration yet.
async fn starting(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Server, Client) {
    let server = Server::with_login(move |seen, _| match seen.line.as_str() {
        "GET /mgmt/tm/sys/ready" => Reply::ok(&recorded::READY.replace("yes", "no")),
        _ => reply(),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    (server, client)
}

#[tokio::test]
async fn facts_of_a_unit_and_its_vxlan_tunnel_are_read() {
    let tunnel = recorded::tunnel("vxlan", "10.169.72.34");
    let server = Server::with_login(move |seen, _| unit(seen, &tunnel, recorded::VXLAN)).await;
    let facts = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap();
    assert_eq!(
        facts.identity.to_string(),
        "bigip01.lab.local 00:0c:29:35:0d:bd"
    );
    assert_eq!(facts.hostname, "bigip01.lab.local");
    assert_eq!(facts.version.to_string(), "14.1.2.1");
    assert_eq!(facts.failover_state, FailoverState::Active);
    assert_eq!(facts.tunnel.full_path, "/Common/flannel_vxlan");
    assert_eq!(
        facts.tunnel.local_address,
        Some("10.169.72.34%0".parse().unwrap())
    );
    assert_eq!((facts.tunnel.vni, facts.tunnel.port), (2, Some(4789)));
    assert_eq!(facts.tunnel.profile, "/Common/cilium");
    assert_eq!(facts.tunnel.encapsulation, Encapsulation::Vxlan);
    assert_eq!(facts.tunnel.flooding_type.as_deref(), Some("multipoint"));
    assert_eq!(facts.tunnel.self_ips, ["10.1.6.34/24"]);
    assert!(facts.peers.is_empty());
    assert_eq!(
        server.lines()[5],
        "GET /mgmt/tm/net/tunnels/vxlan/~Common~cilium"
    );
    assert_eq!(facts.tunnel.mac, Some("52:54:00:3e:3f:c1".parse().unwrap()));
    assert_eq!(server.lines().len(), 8, "a login and seven reads");
}

#[test]
fn mac_of_a_tunnel_is_read_under_either_key() {
    let told = r#""description":"52:54:00:3e:3f:c1""#;
    for key in [
        "~Common~flannel_vxlan/stats",
        "~Common~flannel_vxlan/~Common~flannel_vxlan/stats",
    ] {
        let mac = normalise::tunnel_mac(stats(key, told).as_bytes());
        assert_eq!(mac, Some("52:54:00:3e:3f:c1".parse().unwrap()), "{key}");
    }
}

#[test]
fn absent_tunnel_mac_is_none() {
    for told in [
        "",
        r#""description":"none""#,
        r#""description":"00:00:00:00:00:00""#,
    ] {
        assert_eq!(
            normalise::tunnel_mac(stats("T/stats", told).as_bytes()),
            None,
            "{told}"
        );
    }
    assert_eq!(normalise::tunnel_mac(br#"{"entries":{}}"#), None);
    assert_eq!(normalise::tunnel_mac(b"<html>"), None);
}

#[tokio::test]
async fn unit_that_refuses_its_statistics_is_read() {
    let tunnel = recorded::tunnel("vxlan", "10.169.72.34");
    let server = Server::with_login(move |seen, _| match seen.line.as_str() {
        line if line.contains("/stats") => Reply::icrd(400, "enter a valid option", 1),
        _ => unit(seen, &tunnel, recorded::VXLAN),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let facts = client.facts(&path()).await.unwrap();
    assert_eq!(facts.tunnel.mac, None);
    assert_eq!(facts.tunnel.vni, 2);
}

/// The facts of a unit that answers this to the question for statistics.
async fn facts_without_statistics(reply: impl Fn() -> Reply + Send + Sync + 'static) -> UnitFacts {
    let tunnel = recorded::tunnel("vxlan", "10.169.72.34");
    let server = Server::with_login(move |seen, _| match seen.line.as_str() {
        line if line.contains("/stats") => reply(),
        _ => unit(seen, &tunnel, recorded::VXLAN),
    })
    .await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    client.facts(&path()).await.unwrap()
}

#[tokio::test]
async fn unit_without_answer_about_statistics_is_read() {
    let facts = facts_without_statistics(|| Reply::Stall).await;
    assert_eq!((facts.tunnel.mac, facts.tunnel.vni), (None, 2));
    let facts = facts_without_statistics(|| Reply::Drop).await;
    assert_eq!((facts.tunnel.mac, facts.tunnel.vni), (None, 2));
}

#[tokio::test]
async fn unit_too_busy_for_statistics_is_read() {
    let busy = || Reply::restjavad(429, "Too many requests");
    let facts = facts_without_statistics(busy).await;
    assert_eq!((facts.tunnel.mac, facts.tunnel.vni), (None, 2));
}

#[tokio::test]
async fn facts_of_a_geneve_tunnel_are_read() {
    let tunnel = recorded::tunnel("geneve", "10.169.72.34%7");
    let server = Server::with_login(move |seen, _| unit(seen, &tunnel, recorded::GENEVE)).await;
    let facts = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap();
    assert_eq!(facts.tunnel.encapsulation, Encapsulation::Geneve);
    assert_eq!(facts.tunnel.port, Some(6081));
    assert_eq!(
        server.lines()[5],
        "GET /mgmt/tm/net/tunnels/geneve/~Common~cilium"
    );
}

#[tokio::test]
async fn profile_of_another_type_is_named_and_not_read() {
    let tunnel = recorded::tunnel("ipsec", "10.169.72.34");
    let server = Server::with_login(move |seen, _| unit(seen, &tunnel, "")).await;
    let facts = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap();
    assert_eq!(
        facts.tunnel.encapsulation,
        Encapsulation::Other("ipsec".into())
    );
    assert_eq!(server.lines().len(), 7);
}

#[tokio::test]
async fn not_ready_unit_gets_no_further_request() {
    let server = Server::with_login(|seen, _| match seen.line.as_str() {
        "GET /mgmt/tm/sys/ready" => Reply::ok(&recorded::READY.replace("yes", "no")),
        _ => unit(seen, "", ""),
    })
    .await;
    let error = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::DeviceNotReady);
    assert_eq!(server.lines().last().unwrap(), "GET /mgmt/tm/sys/ready");
}

#[tokio::test]
async fn tunnel_missing_on_a_ready_unit_is_not_found() {
    let server = Server::with_login(|seen, _| match seen.line.as_str() {
        line if line.contains("tunnels/tunnel") => Reply::icrd(404, NOT_FOUND, 3),
        _ => unit(seen, "", ""),
    })
    .await;
    let error = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::TunnelNotFound);
    assert!(
        error.to_string().contains("/Common/flannel_vxlan"),
        "{error}"
    );
}

#[tokio::test]
async fn before_13_1_no_readiness_call_and_no_missing_tunnel() {
    let server = Server::with_login(|seen, _| match seen.line.as_str() {
        "GET /mgmt/tm/sys/version" => Reply::ok(&recorded::VERSION.replace("14.1.2.1", "12.1.2")),
        line if line.contains("tunnels/tunnel") => Reply::icrd(404, NOT_FOUND, 3),
        _ => unit(seen, "", ""),
    })
    .await;
    let error = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::UnsupportedVersion);
    assert!(
        server
            .lines()
            .iter()
            .all(|line| !line.contains("sys/ready"))
    );
}

#[tokio::test]
async fn old_unit_with_the_tunnel_reports_its_version() {
    let tunnel = recorded::tunnel("vxlan", "10.169.72.34");
    let server = Server::with_login(move |seen, _| match seen.line.as_str() {
        "GET /mgmt/tm/sys/version" => Reply::ok(&recorded::VERSION.replace("14.1.2.1", "12.1.2")),
        "GET /mgmt/tm/sys/ready" => Reply::icrd(400, "Found unexpected URI tmapi_mapper", 1),
        _ => unit(seen, &tunnel, recorded::VXLAN),
    })
    .await;
    let facts = Client::new(server.config())
        .unwrap()
        .facts(&path())
        .await
        .unwrap();
    assert!(!facts.version.is_supported());
}

#[tokio::test]
async fn record_list_takes_one_request() {
    let (server, client) = answering(|| Reply::ok(recorded::RECORDS)).await;
    let listing = client.records(&path()).await.unwrap();
    assert_eq!(listing.observed.records.len(), 2);
    assert_eq!(listing.observed.records[&record().mac], record().endpoint);
    assert_eq!(
        server.lines()[1..],
        ["GET /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records"]
    );
}

#[tokio::test]
async fn link_of_a_device_is_never_dialled() {
    let trap = Server::with_login(|_, _| Reply::ok(recorded::RECORDS)).await;
    let elsewhere = format!("https://{}:{}", trap.config().host, trap.config().port);
    let lured = |body: &str| body.replace("https://localhost", &elsewhere);
    let (list, reference) = (lured(recorded::RECORDS), lured(recorded::FDB));
    assert!(list.contains(&elsewhere) && reference.contains(&elsewhere));
    let (_server, client) = answering(move || Reply::ok(&list)).await;
    assert_eq!(
        client
            .records(&path())
            .await
            .unwrap()
            .observed
            .records
            .len(),
        2
    );
    // The tunnel with a reference to its records is not the list of them.
    let (_server, client) = answering(move || Reply::ok(&reference)).await;
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ProtocolError);
    assert_eq!(trap.lines(), [""; 0]);
}

#[tokio::test]
async fn records_of_a_missing_tunnel_are_not_an_empty_list() {
    let (server, client) = answering(|| Reply::icrd(404, NOT_FOUND, 3)).await;
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::TunnelNotFound);
    assert_eq!(server.lines().last().unwrap(), "GET /mgmt/tm/sys/ready");
}

#[tokio::test]
async fn nothing_is_missing_while_the_unit_is_starting() {
    let (_server, client) = starting(|| Reply::icrd(404, NOT_FOUND, 3)).await;
    let errors = [
        client.records(&path()).await.unwrap_err(),
        client.record(&path(), &name()).await.unwrap_err(),
        client
            .unit()
            .await
            .unwrap()
            .remove_record(&path(), &name())
            .await
            .unwrap_err(),
        add(&client, &path(), record()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.reason(), Reason::DeviceNotReady);
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn nothing_is_missing_while_icontrol_rest_is_down() {
    let (server, client) =
        answering(|| Reply::restjavad(404, "Public URI path not registered: /tm/net/fdb")).await;
    let errors = [
        client.records(&path()).await.unwrap_err(),
        client.record(&path(), &name()).await.unwrap_err(),
        client
            .unit()
            .await
            .unwrap()
            .remove_record(&path(), &name())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.reason(), Reason::DeviceNotReady);
    }
    assert!(
        server
            .lines()
            .iter()
            .all(|line| !line.contains("sys/ready"))
    );
}

#[tokio::test]
async fn one_record_is_read_by_its_name() {
    let (server, client) = answering(|| Reply::ok(recorded::RECORD)).await;
    let found = client.record(&path(), &name()).await.unwrap();
    assert_eq!(found, Some(record().endpoint));
    assert_eq!(
        server.lines()[1..],
        ["GET /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:41"]
    );
}

#[tokio::test]
async fn absent_record_is_none() {
    let (_server, client) =
        answering(|| Reply::icrd(404, "Object not found - 0a:0a:c0:a8:c8:41", 1)).await;
    assert_eq!(client.record(&path(), &name()).await, Ok(None));
}

#[tokio::test]
async fn record_is_added_with_its_route_domain() {
    let (server, client) = answering(|| Reply::ok(recorded::RECORD)).await;
    assert_eq!(add(&client, &path(), record()).await, Ok(Added::Created));
    let seen = &server.seen()[1..];
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].line,
        "POST /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records"
    );
    assert_eq!(
        seen[0].body,
        r#"{"name":"0a:0a:c0:a8:c8:41","endpoint":"192.168.200.65%0"}"#
    );
}

#[tokio::test]
async fn adding_a_record_that_exists_is_no_error() {
    let text = "01020066:3: The requested tunnel FDB record (/Common/flannel_vxlan 0a:0a:c0:a8:c8:41) already exists in partition Common.";
    let (_server, client) = answering(move || Reply::icrd(409, text, 3)).await;
    assert_eq!(add(&client, &path(), record()).await, Ok(Added::Exists));
}

#[tokio::test]
async fn adding_to_a_missing_tunnel_names_the_tunnel() {
    let (_server, client) = answering(|| Reply::icrd(404, NOT_FOUND, 3)).await;
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::TunnelNotFound);
}

#[tokio::test]
async fn refused_record_shows_the_cause() {
    let (_server, client) =
        answering(|| Reply::Body(400, recorded::ROUTE_DOMAIN_MISMATCH.into())).await;
    let error = add(&client, &path(), record()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RequestRefused);
    assert!(error.to_string().contains("01070734"), "{error}");
    assert!(!error.is_retryable() && !error.is_uncertain());
}

#[tokio::test]
async fn record_is_corrected_under_its_stored_name() {
    let (server, client) = answering(|| Reply::ok(recorded::RECORD)).await;
    let (_, name) = RecordName::spelled("0A:0A:C0:A8:C8:41").unwrap();
    client
        .unit()
        .await
        .unwrap()
        .correct_record(&path(), &name, "192.168.200.66%7".parse().unwrap())
        .await
        .unwrap();
    let seen = &server.seen()[1..];
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].line,
        "PATCH /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0A:0A:C0:A8:C8:41"
    );
    assert_eq!(seen[0].body, r#"{"endpoint":"192.168.200.66%7"}"#);
}

#[tokio::test]
async fn correcting_a_record_that_is_gone_creates_nothing() {
    let (server, client) = answering(|| Reply::icrd(404, NOT_FOUND, 3)).await;
    let error = client
        .unit()
        .await
        .unwrap()
        .correct_record(&path(), &name(), record().endpoint)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound { resource: "record" });
    assert!(error.is_retryable());
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn record_is_removed_by_its_name() {
    let (server, client) = answering(|| Reply::ok("")).await;
    assert_eq!(
        client
            .unit()
            .await
            .unwrap()
            .remove_record(&path(), &name())
            .await,
        Ok(Removed::Removed)
    );
    assert_eq!(
        server.lines()[1..],
        ["DELETE /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:41"]
    );
}

#[tokio::test]
async fn removing_a_missing_record_is_no_error() {
    let (_server, client) = answering(|| Reply::icrd(404, NOT_FOUND, 3)).await;
    assert_eq!(
        client
            .unit()
            .await
            .unwrap()
            .remove_record(&path(), &name())
            .await,
        Ok(Removed::Absent)
    );
}

#[tokio::test]
async fn record_list_is_written_in_cis_format() {
    let (server, client) = answering(|| Reply::ok(recorded::FDB)).await;
    let path = TunnelPath::new(
        "TEST_K8S_partition".parse().unwrap(),
        "TEST_FLANNEL_VXLAN".parse().unwrap(),
    );
    let records = [
        (
            "ca:92:1e:36:45:2c".parse().unwrap(),
            "10.40.161.11%0".parse().unwrap(),
        ),
        (
            "be:9b:cf:c0:75:79".parse().unwrap(),
            "10.40.161.12%0".parse().unwrap(),
        ),
    ];
    client
        .unit()
        .await
        .unwrap()
        .replace_records(&path, &records.into())
        .await
        .unwrap();
    let seen = &server.seen()[1..];
    let object = "/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN";
    assert_eq!(seen[0].line, format!("GET {object}"));
    assert_eq!(seen[1].line, format!("PUT {object}"));
    let written: Value = serde_json::from_str(&seen[1].body).unwrap();
    let expected: Value = serde_json::from_str(recorded::FDB_WRITTEN).unwrap();
    assert_eq!(written, expected);
}

#[tokio::test]
async fn tunnel_deleted_before_its_list_write_is_named() {
    let server = Server::with_login(|seen, _| match seen.line.split(' ').next() {
        Some("PUT") => Reply::icrd(404, NOT_FOUND, 3),
        _ if seen.line.ends_with("sys/ready") => Reply::ok(recorded::READY),
        _ => Reply::ok(&recorded::FDB.replace(
            "/TEST_K8S_partition/TEST_FLANNEL_VXLAN",
            "/Common/flannel_vxlan",
        )),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let error = client
        .unit()
        .await
        .unwrap()
        .replace_records(&path(), &Records::new())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::TunnelNotFound);
    assert!(!error.is_uncertain());
}

#[tokio::test]
async fn list_of_another_tunnel_is_never_written() {
    let (server, client) = answering(|| Reply::ok(recorded::FDB)).await;
    let error = client
        .unit()
        .await
        .unwrap()
        .replace_records(&path(), &Records::new())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::ProtocolError);
    assert!(server.lines().iter().all(|line| !line.starts_with("PUT")));
}

#[tokio::test]
async fn saving_sends_the_save_command() {
    let (server, client) =
        answering(|| Reply::ok(r#"{"kind":"tm:sys:config:savestate","command":"save"}"#)).await;
    save(&client).await.unwrap();
    let seen = &server.seen()[1];
    assert_eq!(seen.line, "POST /mgmt/tm/sys/config");
    assert_eq!(seen.body, r#"{"command":"save"}"#);
}

#[tokio::test]
async fn asynchronous_task_makes_the_device_busy() {
    let (_server, client) = answering(|| {
        Reply::icrd(
            503,
            "There is an active asynchronous task executing.",
            32_964_609,
        )
    })
    .await;
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::DeviceBusy);
    assert!(error.is_retryable());
}

const RECORDS: &str = "GET /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records";

/// A page of one record; the link to the next names another host.
fn page_of_records(last_octet: usize, skip: Option<usize>) -> Reply {
    let link = skip.map_or_else(String::new, |skip| {
        format!(r#","nextLink":"https://192.0.2.66/elsewhere?%24top=2&%24skip={skip}""#)
    });
    Reply::ok(&format!(
        r#"{{"kind":"tm:net:fdb:tunnel:records:recordscollectionstate","items":[{{"name":"0a:0a:00:00:00:{last_octet:02x}","endpoint":"10.0.0.{last_octet}%0"}}]{link}}}"#
    ))
}

#[tokio::test]
async fn paged_list_is_read_by_own_urls() {
    let server = Server::with_login(|seen, _| match seen.line.strip_prefix(RECORDS) {
        Some("") => page_of_records(1, Some(1)),
        Some("?%24top=2&%24skip=1") => page_of_records(2, Some(2)),
        _ => page_of_records(3, None),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let listing = client.records(&path()).await.unwrap();
    assert_eq!(listing.observed.records.len(), 3);
    let once = [
        RECORDS.to_owned(),
        format!("{RECORDS}?%24top=2&%24skip=1"),
        format!("{RECORDS}?%24top=2&%24skip=2"),
    ];
    assert_eq!(server.lines()[1..], [once.clone(), once].concat());
}

#[tokio::test]
async fn paged_list_that_changes_during_the_read_is_refused() {
    let server = Server::with_login(|seen, before| match seen.line.strip_prefix(RECORDS) {
        Some("") => page_of_records(1, Some(1)),
        _ => page_of_records(2 + before, None),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    let resource = "list of records";
    assert_eq!(*error.kind(), Mismatch::Changed { resource }.into());
    assert!(error.is_retryable());
}

#[tokio::test]
async fn pages_with_a_gap_or_without_end_are_refused() {
    let resource = "list of records";
    let paged = ErrorKind::from(Mismatch::Paged { resource });
    let gap = Server::with_login(|_, _| page_of_records(1, Some(2))).await;
    let error = Client::new(gap.config()).unwrap().records(&path()).await;
    assert_eq!(*error.unwrap_err().kind(), paged);

    let empty = recorded::NO_RECORDS.replace(r#""items""#, r#""nextLink":"x?$skip=0","items""#);
    let nothing = Server::with_login(move |_, _| Reply::ok(&empty)).await;
    let error = Client::new(nothing.config())
        .unwrap()
        .records(&path())
        .await;
    assert_eq!(*error.unwrap_err().kind(), paged);

    let endless = Server::with_login(|seen, _| {
        let skip = seen
            .line
            .rsplit_once('=')
            .map_or(0, |(_, skip)| skip.parse().unwrap());
        page_of_records(1, Some(skip + 1))
    })
    .await;
    let client = Client::new(endless.config()).unwrap();
    assert_eq!(*client.records(&path()).await.unwrap_err().kind(), paged);
    assert_eq!(endless.lines().len(), 1 + PAGES_MAX);
}

/// The pages agree with each other in all but the record that none of them holds.
#[tokio::test]
async fn pages_that_skip_a_record_are_refused() {
    let server = Server::with_login(|seen, _| match seen.line.strip_prefix(RECORDS) {
        Some("") => page_of_records(1, Some(2)),
        _ => page_of_records(3, None),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    let resource = "list of records";
    assert_eq!(*error.kind(), Mismatch::Paged { resource }.into());
}

#[tokio::test]
async fn self_ip_on_the_second_page_is_found() {
    let tunnel = recorded::tunnel("vxlan", "10.169.72.34");
    let server = Server::with_login(move |seen, _| {
        let of = |address, vlan| recorded::self_ips(&[(address, vlan)]);
        match seen.line.as_str() {
            "GET /mgmt/tm/net/self" => {
                let first = of("172.16.2.233/24", "/Common/internal");
                let link = r#""nextLink":"https://localhost/x?%24skip=1","items""#;
                Reply::ok(&first.replace(r#""items""#, link))
            }
            "GET /mgmt/tm/net/self?%24skip=1" => {
                Reply::ok(&of("10.1.6.34/24", "/Common/flannel_vxlan"))
            }
            _ => unit(seen, &tunnel, recorded::VXLAN),
        }
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let facts = client.facts(&path()).await.unwrap();
    assert_eq!(facts.tunnel.self_ips, ["10.1.6.34/24"]);
}

#[test]
fn debug_output_of_a_client_is_its_address() {
    let config = DeviceConfig {
        host: "192.0.2.11".into(),
        port: 443,
        server_name: None,
        networks: Arc::default(),
        verification: crate::Verification::Full(crate::Trust::Bundle(
            crate::testing::Authority::new("CA").pem().into_bytes(),
        )),
        may_write: crate::MayWrite::default(),
        observer: crate::Observer::default(),
        memory: crate::BodyMemory::default(),
        credentials: crate::Credentials {
            username: "admin".into(),
            password: crate::testing::PASSWORD.into(),
            login_provider: "tmos".into(),
        },
        tenant: String::new(),
    };
    assert_eq!(
        format!("{:?}", Client::new(config).unwrap()),
        r#"Client("192.0.2.11:443")"#
    );
}

/// The answer of a ping that got one.
const PINGED: &str = r#"{"kind":"tm:util:ping:runstate","command":"run","commandResult":"PING 10.0.1.7 (10.0.1.7) 56(84) bytes of data.\n64 bytes from 10.0.1.7: icmp_seq=1 ttl=63 time=1.42 ms\n\n--- 10.0.1.7 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"}"#;

async fn ping(client: &Client) -> Result<crate::Echo, crate::Error> {
    let unit = client.unit().await.unwrap();
    let (source, address) = ("10.1.6.34", "10.0.1.7");
    unit.ping(source.parse().unwrap(), address.parse().unwrap())
        .await
}

#[tokio::test]
async fn ping_names_its_source_and_one_request() {
    let (server, client) = answering(|| Reply::ok(PINGED)).await;
    let echo = ping(&client).await.unwrap();
    let round_trip_us = Some(1_420);
    assert_eq!(echo, crate::Echo::Answered { round_trip_us });
    let seen = server.seen();
    let sent = seen.last().unwrap();
    assert_eq!(sent.line, "POST /mgmt/tm/util/ping");
    let args = "-n -c 1 -W 1 -w 2 -I 10.1.6.34 10.0.1.7";
    let expected = format!(r#"{{"command":"run","utilCmdArgs":"{args}"}}"#);
    assert_eq!(sent.body, expected);
}

#[tokio::test]
async fn ping_is_not_sent_twice() {
    let server = Server::with_login(|seen, _| match seen.line.as_str() {
        "POST /mgmt/tm/util/ping" => Reply::Drop,
        _ => Reply::ok(recorded::READY),
    })
    .await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    let error = ping(&client).await.unwrap_err();
    assert!(error.is_uncertain(), "{error}");
    let pings = server
        .lines()
        .into_iter()
        .filter(|line| line.contains("ping"));
    assert_eq!(pings.count(), 1);
}

#[tokio::test]
async fn refused_ping_names_the_call() {
    let refusal = "Authorization failed: user=https://localhost/mgmt/shared/authz/users/guest \
                   resource=/mgmt/tm/util/ping verb=POST";
    let (_server, client) = answering(move || Reply::restjavad(401, refusal)).await;
    let error = ping(&client).await.unwrap_err();
    assert_eq!(error.reason(), Reason::AuthorizationFailed);
    let said = "the user may not POST the ping (util/ping)";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn large_arp_table_is_read_in_one_request() {
    let entry = |number: u32| {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        let fields = [
            ("ipAddress", address.to_string()),
            ("macAddress", "52:54:00:3e:3f:c1".to_owned()),
            ("vlan", "/Common/flannel_vxlan".to_owned()),
            ("status", "resolved".to_owned()),
        ];
        let fields = fields.map(|(name, text)| format!(r#""{name}":{{"description":"{text}"}}"#));
        format!(
            r#""https://localhost/mgmt/tm/net/arp/{address}/stats":{{"nestedStats":{{"entries":{{{}}}}}}}"#,
            fields.join(",")
        )
    };
    let entries: Vec<String> = (0..8_192).map(entry).collect();
    let body = format!(
        r#"{{"kind":"tm:net:arp:arpcollectionstats","entries":{{{}}}}}"#,
        entries.join(",")
    );
    let (server, client) = answering(move || Reply::ok(&body)).await;
    assert_eq!(client.arp_entries().await.unwrap().len(), 8_192);
    assert_eq!(server.lines()[1..], ["GET /mgmt/tm/net/arp/stats"]);
}
