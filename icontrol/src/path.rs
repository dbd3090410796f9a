//! Request paths, from validated types and from what devices call their objects.
//!
//! The only place that encodes. `ver=` is never sent: a pinned version made 16.0 refuse an FDB
//! write (CIS#1508). A device's own links are never followed.

use bigip_tunnel_core::tunnel::TunnelPath;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use bigip_tunnel_core::listing::RecordName;

/// `POST` logs in.
pub(crate) const LOGIN: &str = "/mgmt/shared/authn/login";
/// Whether the unit is ready (13.1 and later; recorded on 14.1.2.1).
pub(crate) const READY: &str = "/mgmt/tm/sys/ready";
/// The running software.
pub(crate) const VERSION: &str = "/mgmt/tm/sys/version";
/// The units of the trust domain, this one among them.
pub(crate) const DEVICES: &str = "/mgmt/tm/cm/device";
/// The self IPs of the unit, on VLANs and on tunnels.
pub(crate) const SELF_IPS: &str = "/mgmt/tm/net/self";
/// The static routes of the unit.
pub(crate) const ROUTES: &str = "/mgmt/tm/net/route";
/// The virtual servers.
pub(crate) const VIRTUAL_SERVERS: &str = "/mgmt/tm/ltm/virtual";
/// The pools, each with its members.
pub(crate) const POOLS: &str = "/mgmt/tm/ltm/pool?expandSubcollections=true";
/// The SNAT pools.
pub(crate) const SNAT_POOLS: &str = "/mgmt/tm/ltm/snatpool";
/// Whether the units of the pair have the same configuration.
pub(crate) const SYNC_STATUS: &str = "/mgmt/tm/cm/sync-status";
/// The ARP entries, learned ones among them.
pub(crate) const ARP_STATS: &str = "/mgmt/tm/net/arp/stats";
/// `POST` pings.
pub(crate) const PING: &str = "/mgmt/tm/util/ping";
/// `POST` saves the running configuration.
pub(crate) const CONFIG: &str = "/mgmt/tm/sys/config";

/// Everything but the characters that RFC 3986 leaves alone. The tilde is not among them: in a path
/// it stands for the slash of a name.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A login, to be ended. Holds a secret: never to be logged or shown.
pub(crate) fn token(token: &str) -> String {
    format!("/mgmt/shared/authz/tokens/{}", encode(token))
}

/// The tunnel object: `net tunnels tunnel`.
pub(crate) fn tunnel(tunnel: &TunnelPath) -> String {
    format!("/mgmt/tm/net/tunnels/tunnel/{}", tunnel_segment(tunnel))
}

/// Statistics of the tunnel, with what `tmsh show` has under `all-properties`: its MAC address.
pub(crate) fn tunnel_stats(path: &TunnelPath) -> String {
    format!("{}/stats?options=all-properties", tunnel(path))
}

/// The tunnel's forwarding database: `net fdb tunnel`.
pub(crate) fn fdb(tunnel: &TunnelPath) -> String {
    format!("/mgmt/tm/net/fdb/tunnel/{}", tunnel_segment(tunnel))
}

/// The records in it.
pub(crate) fn records(tunnel: &TunnelPath) -> String {
    format!("{}/records", fdb(tunnel))
}

/// One record. The colons of a MAC address stand unescaped in recorded links (16.1.2); whether
/// `%3A` is understood is not known.
pub(crate) fn record(tunnel: &TunnelPath, name: &RecordName) -> String {
    format!("{}/{name}", records(tunnel))
}

/// A page of a collection. `$top` as the device gave it: what it counts is not the same everywhere.
pub(crate) fn page(collection: &str, top: Option<u64>, skip: usize) -> String {
    let top = top.map_or_else(String::new, |top| format!("%24top={top}&"));
    let sign = if collection.contains('?') { '&' } else { '?' };
    format!("{collection}{sign}{top}%24skip={skip}")
}

/// A tunnel profile of this kind (`vxlan`, `geneve`) by the full path that the tunnel names it by.
/// `None` if the text is no path of an object.
pub(crate) fn profile(kind: &'static str, full_path: &str) -> Option<String> {
    let segments: Vec<&str> = full_path.strip_prefix('/')?.split('/').collect();
    let usable = |s: &&str| !matches!(*s, "" | "." | "..") && !s.contains('~');
    let object = object(segments.iter().copied());
    segments
        .iter()
        .all(usable)
        .then(|| format!("/mgmt/tm/net/tunnels/{kind}/{object}"))
}

fn tunnel_segment(tunnel: &TunnelPath) -> String {
    object(tunnel.segments())
}

/// One segment of a URL for a whole path: `/Common/app/t` is `~Common~app~t`.
fn object<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    segments.fold(String::new(), |path, segment| path + "~" + &encode(segment))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_tildes() {
        let path = TunnelPath::new(
            "Common/app".parse().unwrap(),
            "flannel_vxlan".parse().unwrap(),
        );
        assert_eq!(
            records(&path),
            "/mgmt/tm/net/fdb/tunnel/~Common~app~flannel_vxlan/records"
        );
        assert_eq!(
            tunnel(&path),
            "/mgmt/tm/net/tunnels/tunnel/~Common~app~flannel_vxlan"
        );
    }

    #[test]
    fn record_is_addressed_by_its_stored_name() {
        let path = TunnelPath::new("Common".parse().unwrap(), "t".parse().unwrap());
        let (_, name) = RecordName::spelled("0A:0A:0A:A9:48:EF").unwrap();
        assert_eq!(
            record(&path, &name),
            "/mgmt/tm/net/fdb/tunnel/~Common~t/records/0A:0A:0A:A9:48:EF"
        );
    }

    #[test]
    fn profile_name_cannot_change_the_path() {
        let encoded = profile("vxlan", "/Common/a b?ver=1%#").unwrap();
        assert_eq!(
            encoded,
            "/mgmt/tm/net/tunnels/vxlan/~Common~a%20b%3Fver%3D1%25%23"
        );
        for text in [
            "",
            "vxlan",
            "/",
            "/Common/",
            "/Common/..",
            "/Common/a~b",
            "//a",
        ] {
            assert_eq!(profile("vxlan", text), None, "{text}");
        }
    }
}
