//! The demo: each of its shows comes to its end, which it does only where the product does what is said.

use bigip_tunnel_harness::demo::{self, Fault, Show};

/// Runs a show to its end, and returns what it printed.
async fn shown(show: Show) -> String {
    let mut out = Vec::new();
    let ended = demo::run(show, false, &mut out).await;
    let printed = String::from_utf8(out).unwrap();
    if let Err(error) = ended {
        panic!("{error}\n{printed}");
    }
    assert!(printed.contains("0 failed, 0 warnings"), "{printed}");
    printed
}

#[tokio::test]
async fn tour_ends_with_a_check_that_finds_nothing() {
    let printed = shown(Show::Tour).await;
    assert!(printed.contains("untouched"), "{printed}");
}

#[tokio::test]
async fn refused_password_is_found_and_mended() {
    let printed = shown(Show::Break(Fault::Auth)).await;
    assert!(printed.contains("login refused"), "{printed}");
}

#[tokio::test]
async fn untrusted_certificate_is_found_and_mended() {
    let printed = shown(Show::Break(Fault::Cert)).await;
    assert!(printed.contains("CertificateInvalid"), "{printed}");
}

#[tokio::test]
async fn lost_record_is_found_and_restored() {
    let printed = shown(Show::Break(Fault::Drift)).await;
    assert!(printed.contains("DriftCorrected"), "{printed}");
}

#[tokio::test]
async fn removal_of_most_nodes_is_held_and_approved() {
    let printed = shown(Show::Break(Fault::Mass)).await;
    assert!(printed.contains("removal approved"), "{printed}");
}

#[tokio::test]
async fn stale_mac_of_cilium_is_found_and_mended() {
    let printed = shown(Show::Break(Fault::Cilium)).await;
    assert!(printed.contains("VTEPMACMismatch"), "{printed}");
}
