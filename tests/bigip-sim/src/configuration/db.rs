//! The database variables of a new device.

use super::{Configuration, DB, Object};

/// Name, default, range, and whether it is part of a saved single configuration file: 14.1.2.1 (genieparser
/// `sys_db`). These of 2,257 are the ones that other clients ask for (ANS, DO, TS, FCP,
/// F5Networks/terraform-provider-bigip, CLIBS) and those of tunnels. The three time-outs, which are not in
/// that recording, have the defaults of K94602685 and ID858189; their range is *assumed*.
const VARIABLES: [(&str, &str, &str, &str); 67] = [
    (
        "arp.maxentries",
        "8192",
        "unsigned integer min:520 max:65536",
        "true",
    ),
    ("bigd.mgmtroutecheck", "disable", "disable enable", "true"),
    ("boot.quiet", "enable", "disable enable", "false"),
    ("config.allow.rfc3927", "disable", "disable enable", "true"),
    (
        "config.auditing",
        "enable",
        "all disable enable verbose",
        "false",
    ),
    (
        "connection.autolasthop",
        "enable",
        "disable enable",
        "false",
    ),
    (
        "dhclient.mgmt",
        "enable",
        "dhcpv4 dhcpv6 disable enable",
        "false",
    ),
    ("dns.cache", "disable", "disable enable", "true"),
    ("dns.domainname", "<null>", "string", "false"),
    ("dns.nameservers", "0.0.0.0", "string", "false"),
    ("dns.proxy.__iter__", "<null>", "string", "false"),
    ("failover.isredundant", "false", "false true", "false"),
    ("failover.linksup", "false", "false true", "false"),
    (
        "failover.nettimeoutsec",
        "3",
        "integer min:1 max:120",
        "true",
    ),
    (
        "failover.standby.linkdowntime",
        "0",
        "unsigned integer min:0 max:100",
        "true",
    ),
    ("icrd.timeout", "60", "integer min:0 max:4294967295", "true"),
    ("iptunnel.configsync", "enable", "disable enable", "true"),
    ("iptunnel.csumoffload", "enable", "disable enable", "true"),
    (
        "iptunnel.macaddr_per_tunnel",
        "disable",
        "disable enable",
        "true",
    ),
    (
        "iptunnel.transparent.flow.allocate",
        "enable",
        "disable enable",
        "true",
    ),
    (
        "iptunnel.vxlan.udpport",
        "0",
        "unsigned integer min:0 max:65535",
        "true",
    ),
    (
        "iptunnel.vxlan.vtepidletimeout",
        "300",
        "unsigned integer min:2 max:65536",
        "true",
    ),
    ("ipv6.enabled", "true", "false true", "true"),
    (
        "log.mcpd.level",
        "notice",
        "alert crit debug emerg err error info notice panic warn warning",
        "false",
    ),
    (
        "log.tmm.level",
        "Notice",
        "Alert Critical Debug Emergency Error Informational Notice Warning",
        "false",
    ),
    ("ntp.servers", "<null>", "string", "false"),
    ("ntp.timezone", "America/Los_Angeles", "string", "false"),
    (
        "provision.1nic",
        "disable",
        "disable enable forced_disable forced_enable",
        "true",
    ),
    (
        "provision.1nicautoconfig",
        "enable",
        "disable enable",
        "true",
    ),
    ("provision.action", "none", "diskmgmt none reboot", "false"),
    ("provision.cpu.afm", "0", "integer min:0 max:100", "false"),
    ("provision.cpu.asm", "0", "integer min:0 max:100", "false"),
    ("provision.extramb", "0", "integer min:0 max:8192", "true"),
    ("provision.managementeth", "eth0", "string", "true"),
    (
        "provision.tomcat.extramb",
        "0",
        "integer min:0 max:1024",
        "true",
    ),
    ("proxy.host", "<null>", "string", "false"),
    ("proxy.port", "8080", "integer min:1 max:65535", "false"),
    ("proxy.protocol", "http", "http https", "false"),
    ("proxy.username", "<null>", "string", "false"),
    (
        "restjavad.timeout",
        "60",
        "integer min:0 max:4294967295",
        "true",
    ),
    ("restjavad.useextramb", "false", "false true", "true"),
    (
        "restnoded.timeout",
        "60",
        "integer min:0 max:4294967295",
        "true",
    ),
    ("service.ssh", "enable", "disable enable", "false"),
    ("setup.run", "true", "false true", "false"),
    ("snat.hosttraffic", "disable", "disable enable", "true"),
    (
        "statemirror.clustermirroring",
        "within",
        "between within",
        "true",
    ),
    (
        "statemirror.mirrorsessions",
        "enable",
        "disable enable",
        "true",
    ),
    (
        "switchboard.maxmcastrate",
        "200000",
        "unsigned integer min:0 max:262144",
        "true",
    ),
    ("systemauth.disablebash", "false", "false true", "true"),
    ("systemauth.disablerootlogin", "false", "false true", "true"),
    ("systemauth.primaryadminuser", "admin", "string", "true"),
    ("tm.acceptipoptions", "disable", "disable enable", "false"),
    (
        "tm.acceptipsourceroute",
        "disable",
        "disable enable",
        "false",
    ),
    (
        "tm.allowmulticastl2destinationtraffic",
        "disable",
        "disable enable",
        "true",
    ),
    (
        "tm.flowstate.timeout",
        "30",
        "unsigned integer min:0 max:2147483647",
        "true",
    ),
    (
        "tm.maxrejectrate",
        "250",
        "unsigned integer min:1 max:1000",
        "false",
    ),
    (
        "tm.minpathmtu",
        "296",
        "unsigned integer min:68 max:1500",
        "false",
    ),
    ("tm.pathmtudiscovery", "enable", "disable enable", "false"),
    (
        "tm.tcpudptxchecksum",
        "Hardware-enabled",
        "Hardware-enabled Software-only",
        "true",
    ),
    (
        "tmm.maxremoteloglength",
        "1024",
        "unsigned integer min:1024 max:65507",
        "true",
    ),
    ("tmrouted.tmos.routing", "disable", "disable enable", "true"),
    (
        "ui.advisory.color",
        "green",
        "blue green orange red yellow",
        "false",
    ),
    ("ui.advisory.enabled", "false", "false true", "false"),
    (
        "ui.advisory.text",
        "This is a system advisory message.",
        "string",
        "false",
    ),
    (
        "ui.system.preferences.recordsperscreen",
        "10",
        "integer min:1 max:1000",
        "false",
    ),
    ("vendor.wwwurl", "", "string", "false"),
    (
        "vlangroup.forwarding.override",
        "enable",
        "disable enable",
        "true",
    ),
];

/// Variables of which a device that was set up has another value than the default (14.1.2.1, genieparser
/// `sys_db`).
const SET_UP: [(&str, &str); 3] = [
    ("failover.linksup", "true"),
    ("setup.run", "false"),
    ("vendor.wwwurl", "http://www.f5.com"),
];

impl Configuration {
    pub(super) fn add_variables(&mut self) {
        for (name, default, range, in_file) in VARIABLES {
            let set_up = SET_UP.iter().find(|(known, _)| *known == name);
            let variable = Object::named("", name)
                .with("defaultValue", default)
                .with("scfConfig", in_file)
                .with("value", set_up.map_or(default, |(_, value)| *value))
                .with("valueRange", range);
            self.insert_built_in(DB, variable);
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.get(DB, name)?.text("value")
    }

    /// Sets a variable that the device has.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        if let Some(variable) = self.edit(DB, name) {
            variable.values.insert("value", value.into());
        }
    }
}
