//! What a list may cost, and what it says when it costs more.

use std::fmt::Write as _;

use super::*;

/// The text of a list of records with these MAC addresses' last four octets, in the typical form.
fn list(numbers: std::ops::Range<u32>, name: impl Fn(u32) -> String) -> String {
    let mut text = format!(r#"{{"kind":"{}","items":["#, <Listing as Collected>::KIND);
    let first = numbers.start;
    for number in numbers {
        let (comma, name) = (if number == first { "" } else { "," }, name(number));
        let link = "https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records";
        let address = std::net::Ipv4Addr::from_bits(number);
        write!(
            text,
            r#"{comma}{{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"{name}","fullPath":"{name}","generation":130,"selfLink":"{link}/{name}?ver=16.1.2","endpoint":"{address}%0"}}"#,
        )
        .unwrap();
    }
    text.push_str("]}");
    text
}

fn lower(number: u32) -> String {
    let [a, b, c, d] = number.to_be_bytes();
    format!("0a:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn upper(number: u32) -> String {
    lower(number).to_uppercase()
}

/// Reads a list, and returns the most that was held meanwhile.
fn read(body: &str) -> Result<(Listing, usize), ErrorKind> {
    let mut place = None;
    let mut reading = Reading::<Listing>::new(&mut place, 0, usize::MAX);
    let mut most = 0;
    for piece in body.as_bytes().chunks(8 << 10) {
        reading.read(piece)?;
        most = most.max(reading.held_bytes());
    }
    reading.end_page()?;
    Ok((reading.collected, most))
}

const MIB: usize = 1 << 20;

#[test]
fn maximum_record_list_fits_into_its_buffer() {
    let count = u32::try_from(RECORDS_MAX).unwrap();
    let body = list(0..count, lower);
    assert!(body.len() > 10 * MIB, "{}", body.len());
    let (listing, most) = read(&body).unwrap();
    assert_eq!(listing.observed.records.len(), RECORDS_MAX);
    assert!(most < 3 * MIB, "{most}");
    let (listing, most) = read(&list(0..count, upper)).unwrap();
    assert_eq!(listing.observed.records.len(), RECORDS_MAX);
    assert!(most < PLACE_BYTES, "{most}");
}

#[test]
fn record_list_over_the_maximum_is_refused() {
    let count = u32::try_from(RECORDS_MAX).unwrap();
    let error = read(&list(0..count + 1, lower)).unwrap_err();
    assert_eq!(error, ErrorKind::TooManyRecords);
    let message = error.to_string();
    assert!(
        message.contains("40000") && message.contains("delete"),
        "{message}"
    );
    // Whatever they are.
    let empty = vec!["{}"; RECORDS_MAX + 1].join(",");
    let body = format!(
        r#"{{"kind":"{}","items":[{empty}]}}"#,
        <Listing as Collected>::KIND
    );
    assert_eq!(read(&body), Err(ErrorKind::TooManyRecords));
}

#[test]
fn typical_list_needs_no_buffer() {
    let (_, most) = read(&list(0..4_000, lower)).unwrap();
    assert!(most <= SMALL_BYTES_MAX, "{most}");
}

#[test]
fn long_texts_of_a_record_are_not_kept() {
    let long = "x".repeat(1_000);
    let member = format!(r#"{{"name":"{long}","endpoint":"{long}"}}"#);
    let members = vec![member; 20_000].join(",");
    let body = format!(
        r#"{{"kind":"{}","items":[{members}]}}"#,
        <Listing as Collected>::KIND
    );
    let (listing, most) = read(&body).unwrap();
    assert_eq!(listing.observed.unnamed, 20_000);
    assert!(most < SMALL_BYTES_MAX, "{most}");
}

#[test]
fn other_lists_are_limited_by_size() {
    let item = format!(r#"{{"fullPath":"{}"}}"#, "x".repeat(500));
    let members = vec![item; 30_000].join(",");
    let kind = <wire::SelfIp as Member>::KIND;
    let body = format!(r#"{{"kind":"{kind}","items":[{members}]}}"#);
    let read = read_in_pieces::<Members<wire::SelfIp>>(body.as_bytes(), 8 << 10);
    assert_eq!(read.err(), Some(Mismatch::TooLarge.into()));
}
