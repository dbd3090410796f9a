//! The TMOS versions the simulator can play, and everywhere they differ.
//!
//! The one place that compares versions: no other module asks which version this is, they ask what
//! it does. It must not know of requests or state.

use std::fmt;
use std::str::FromStr;

/// A TMOS version line. The exact number shown is the one its behaviour was recorded on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TmosVersion {
    /// 12.1.2: below what most clients support; created objects were recorded here.
    V12_1,
    /// 13.1: the first with `sys/ready` and the token limit.
    V13_1,
    /// 14.1.2.1: most resource shapes were recorded here.
    V14_1,
    /// 15.1.3.1: empty record lists were recorded here (CIS#1929).
    V15_1,
    /// 16.1.2: filled record lists were recorded here (mdditt2000/kubernetes-1-26).
    V16_1,
    /// 17.1.2.1: headers and refusals were recorded here.
    #[default]
    V17_1,
}

/// No version the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a simulated TMOS version; choose 12.1, 13.1, 14.1, 15.1, 16.1 or 17.1")]
pub struct UnknownVersion;

impl TmosVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 6] = [
        Self::V12_1,
        Self::V13_1,
        Self::V14_1,
        Self::V15_1,
        Self::V16_1,
        Self::V17_1,
    ];

    /// The full number, as `sys/version`, `cm/device` and every `selfLink` show it.
    pub fn number(self) -> &'static str {
        match self {
            Self::V12_1 => "12.1.2",
            Self::V13_1 => "13.1.1.2",
            Self::V14_1 => "14.1.2.1",
            Self::V15_1 => "15.1.3.1",
            Self::V16_1 => "16.1.2",
            Self::V17_1 => "17.1.2.1",
        }
    }

    /// The build. Recorded for 14.1.2.1 (genieparser `sys_version`), *assumed* for the others.
    pub(crate) fn build(self) -> &'static str {
        match self {
            Self::V12_1 => "0.0.249",
            Self::V13_1 | Self::V14_1 => "0.0.4",
            Self::V15_1 | Self::V16_1 => "0.0.18",
            Self::V17_1 => "0.0.2",
        }
    }

    /// The edition. Recorded for 14.1.2.1 (genieparser `sys_version`), *assumed* for the others.
    pub(crate) fn edition(self) -> &'static str {
        match self {
            Self::V13_1 => "Point Release 2",
            Self::V14_1 | Self::V15_1 | Self::V17_1 => "Point Release 1",
            Self::V12_1 | Self::V16_1 => "Final",
        }
    }

    /// The build date. Recorded for 14.1.2.1 (genieparser `sys_version`), *assumed* for the others.
    pub(crate) fn date(self) -> &'static str {
        match self {
            Self::V12_1 => "Wed Nov 30 16:04:00 PST 2016",
            Self::V13_1 => "Thu Oct 11 11:10:05 PDT 2018",
            Self::V14_1 => "Tue Sep 17 15:44:32 PDT 2019",
            Self::V15_1 => "Thu May 27 10:15:34 PDT 2021",
            Self::V16_1 => "Fri Oct 29 17:14:54 PDT 2021",
            Self::V17_1 => "Thu Nov 21 12:05:55 PST 2024",
        }
    }

    /// The content type of a JSON answer: recorded on 15.1 and on 17.1.2.1, *assumed* to be the
    /// older form before 17.1.
    pub(crate) fn json_content_type(self) -> &'static str {
        if self >= Self::V17_1 {
            "application/json;charset=utf-8"
        } else {
            "application/json; charset=UTF-8"
        }
    }

    /// Headers that come with every answer. Recorded on 17.1.2.1; none are recorded for older
    /// versions, so none are sent there.
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        if self >= Self::V17_1 {
            &[
                ("server", "Jetty(9.4.49.v20220914)"),
                ("x-frame-options", "SAMEORIGIN"),
                (
                    "strict-transport-security",
                    "max-age=16070400; includeSubDomains",
                ),
                ("allow", ""),
                ("pragma", "no-cache"),
                ("cache-control", "no-store"),
                ("cache-control", "no-cache"),
                ("cache-control", "must-revalidate"),
                ("expires", "-1"),
                ("x-content-type-options", "nosniff"),
                ("x-xss-protection", "1; mode=block"),
            ]
        } else {
            &[]
        }
    }

    /// Whether an empty collection has `"items":[]` (recorded on 14.1.2.1 and 15.1.3.1) or no such
    /// key (recorded on 11.6; *assumed* up to 13.1).
    pub(crate) fn lists_empty_items(self) -> bool {
        self >= Self::V14_1
    }

    /// Whether the paths of 14.1.2.1 that the schema of 12.0 lacks (SWG) are known to be there: *assumed* from 13.1
    /// on.
    pub(crate) fn knows_late_paths(self) -> bool {
        self >= Self::V13_1
    }

    /// Whether `sys/ready` exists (13.1 and later, f5-cloud-libs `lib/bigIp.js`).
    pub(crate) fn has_sys_ready(self) -> bool {
        self >= Self::V13_1
    }

    /// Whether a user may hold a limited number of tokens only (13.1 and later, AS3 best practices).
    pub(crate) fn limits_tokens(self) -> bool {
        self >= Self::V13_1
    }

    /// How much of the body of a refusal is sent, in bytes (before 16.1, AS3 best practices: "2 kB"),
    /// so that JSON may end in the middle.
    pub(crate) fn refusal_bytes_max(self) -> Option<usize> {
        (self < Self::V16_1).then_some(2048)
    }

    /// How long a login takes that has an `Authorization` header beside its body, in milliseconds
    /// (BIGREST#20: more than 30 s on 15.1.6.1; *assumed* for all of 15.1).
    pub(crate) fn basic_login_ms(self) -> Option<u64> {
        (self == Self::V15_1).then_some(30_000)
    }

    /// Whether a `ver=` of another version fails a PUT of an FDB tunnel (16.0 and later, CIS#1508).
    pub(crate) fn refuses_other_ver(self) -> bool {
        self >= Self::V16_1
    }

    /// Whether the list of static ARP entries is empty although there are some (13.1.1.2, right again on
    /// 14.1.0, FCP#1519).
    pub(crate) fn hides_static_arp(self) -> bool {
        self == Self::V13_1
    }

    /// Whether a VLAN shows how it forwards and counts SYN packets (14.1.2.1; not on 12.1.0; *assumed* between).
    pub(crate) fn shows_vlan_forwarding(self) -> bool {
        self >= Self::V13_1
    }

    /// Whether an entry of `cm/device` is that of 12.1.2: with addresses for network failover and modules for a
    /// limited time, without `alternateIp` and `mgmtUnicastMode`, which it has on 14.1.2.1 (*assumed* from 13.1
    /// on).
    pub(crate) fn shows_unicast_addresses(self) -> bool {
        self < Self::V13_1
    }

    /// Whether the capacity of a route domain is a word (14.1.2.1), not a number (13.1; *assumed* before).
    pub(crate) fn spells_capacity(self) -> bool {
        self >= Self::V14_1
    }
}

impl fmt::Display for TmosVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12_1 => "12.1",
            Self::V13_1 => "13.1",
            Self::V14_1 => "14.1",
            Self::V15_1 => "15.1",
            Self::V16_1 => "16.1",
            Self::V17_1 => "17.1",
        })
    }
}

impl FromStr for TmosVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|version| version.to_string() == text || version.number() == text)
            .ok_or(UnknownVersion)
    }
}
