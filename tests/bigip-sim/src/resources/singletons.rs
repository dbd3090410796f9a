//! Resources that are one object: settings of the device.
//!
//! Fields and defaults: genieparser, 14.1.2.1. *Assumed*: the same on other versions; that a switch is `enabled` or
//! `disabled`, that any other text may be any and a number up to 32 bits long;
//! that none of it does anything beyond being kept, `acceptIpOptions` apart.

use serde_json::Value;

use crate::configuration::{Configuration, Object, TRAFFIC_CONTROL};
use crate::schema::{Naming, Property, Schema, Shape, Writes, Writing};

/// The cipher suites of the management web server.
const SSL_CIPHERS: &str = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384";

/// All of them.
pub(super) static ALL: [Schema; 30] = [
    single(
        "auth/password-policy",
        &[
            count("expirationWarning", 7),
            count("maxDuration", 99999),
            count("maxLoginFailures", 0),
            count("minDuration", 0),
            count("minimumLength", 6),
            count("passwordMemory", 0),
            text("policyEnforcement").or("enabled"),
            count("requiredLowercase", 0),
            count("requiredNumeric", 0),
            count("requiredSpecial", 0),
            count("requiredUppercase", 0),
        ],
    ),
    single(
        "auth/source",
        &[
            text("fallback").or("false").written(Writing::Fixed),
            text("type").or("local").written(Writing::Fixed),
        ],
    ),
    single(
        "cli/global-settings",
        &[
            text("audit").or("enabled"),
            text("idleTimeout").or("disabled"),
            count("scfBackupNumber", 2),
            text("service").or("name"),
        ],
    ),
    single(
        "ltm/default-node-monitor",
        &[
        ],
    ),
    single(
        "ltm/global-settings/general",
        &[
            count("gratuitousArpRate", 0),
            count("l2CacheTimeout", 300),
            switch("maintenanceMode").or("disabled"),
            switch("mgmtAutoLastHop").or("enabled"),
            text("shareSingleMac").or("vmw-compat"),
            switch("snatPacketForward").or("disabled"),
        ],
    ),
    single(
        "ltm/global-settings/rule",
        &[
            count("ruleAbortedLogRatio", 1),
        ],
    ),
    Schema {
        stored: |configuration, settings, _| mirror_ip_options(configuration, settings),
        ..single(
            TRAFFIC_CONTROL,
            &[
            switch("acceptIpOptions").or("disabled"),
            switch("acceptIpSourceRoute").or("disabled"),
            switch("allowIpSourceRoute").or("disabled"),
            switch("continueMatching").or("disabled"),
            count("maxIcmpRate", 100),
            count("maxRejectRate", 250),
            count("maxRejectRateTimeout", 30),
            count("minPathMtu", 296),
            switch("pathMtuDiscovery").or("enabled"),
            count("portFindLinear", 16),
            count("portFindRandom", 16),
            count("portFindThresholdTimeout", 30),
            count("portFindThresholdTrigger", 8),
            switch("portFindThresholdWarning").or("enabled"),
            switch("rejectUnmatched").or("enabled"),
            ],
        )
    },
    single(
        "net/cos/global-settings",
        &[
            flag("featureDisabled"),
            text("precedence").or("8021p-only"),
        ],
    ),
    single(
        "net/dag-globals",
        &[
            count("dagIpv6PrefixLen", 128),
            text("icmpHash").or("icmp"),
            text("roundRobinMode").or("global"),
        ],
    ),
    single(
        "net/lldp-globals",
        &[
            flag("disabled"),
            count("maxNeighborsPerPort", 10),
            count("reinitDelay", 2),
            count("txDelay", 2),
            count("txHold", 4),
            count("txInterval", 30),
        ],
    ),
    single(
        "net/multicast-globals",
        &[
            count("maxPendingPackets", 16),
            count("maxPendingRoutes", 256),
            switch("rateLimit").or("enabled"),
            count("routeLookupTimeout", 2),
        ],
    ),
    single(
        "net/packet-filter-trusted",
        &[
        ],
    ),
    single(
        "net/self-allow",
        &[
            texts("defaults", &["igmp:0", "ospf:0", "pim:0", "tcp:161", "tcp:22", "tcp:4353", "tcp:443", "tcp:53", "udp:1026", "udp:161", "udp:4353", "udp:520", "udp:53"]),
        ],
    ),
    single(
        "net/stp-globals",
        &[
            count("configRevision", 0),
            count("fwdDelay", 15),
            count("helloTime", 2),
            count("maxAge", 20),
            count("maxHops", 20),
            text("mode").or("passthru"),
            count("transmitHold", 6),
        ],
    ),
    single(
        "sys/aom",
        &[
            switch("ipmi").or("disabled"),
            switch("mediaRedirection").or("disabled"),
            switch("readonly").or("disabled"),
            switch("vkvm").or("disabled"),
            switch("webui").or("disabled"),
        ],
    ),
    single(
        "sys/autoscale-group",
        &[
        ],
    ),
    single(
        "sys/daemon-log-settings/mcpd",
        &[
            text("audit").or("enabled"),
            text("logLevel").or("notice"),
        ],
    ),
    single(
        "sys/datastor",
        &[
            count("cacheSize", 0),
            count("dedupCacheWeight", 10),
            text("disk").or("enabled"),
            count("highWaterMark", 90),
            count("lowWaterMark", 80),
            count("storeSize", 0),
            count("webCacheWeight", 10),
        ],
    ),
    single(
        "sys/dns",
        &[
            text("description"),
            texts("nameServers", &[]),
            count("numberOfDots", 0),
            texts("search", &[]),
        ],
    ),
    single(
        "sys/global-settings",
        &[
            count("awsApiMaxConcurrency", 1),
            count("consoleInactivityTimeout", 0),
            text("customAddr").or("none"),
            text("failsafeAction").or("go-offline-restart-tm"),
            text("fileBlacklistPathPrefix"),
            text("fileBlacklistReadOnlyPathPrefix"),
            text("fileLocalPathPrefix"),
            text("fileWhitelistPathPrefix"),
            switch("guiAudit").or("disabled"),
            switch("guiSecurityBanner").or("enabled"),
            text("guiSecurityBannerText").or("Welcome to the BIG-IP Configuration Utility.\n\nLog in with your username and password using the fields on the left."),
            switch("guiSetup").or("disabled"),
            text("hostAddrMode").or("management"),
            text("hostname").written(Writing::Fixed),
            switch("lcdDisplay").or("enabled"),
            switch("ledLocator").or("disabled"),
            text("mgmtDhcp").or("disabled"),
            switch("netReboot").or("disabled"),
            text("passwordPrompt").or("Password"),
            switch("quietBoot").or("enabled"),
            text("usernamePrompt").or("Username"),
        ],
    ),
    single(
        "sys/httpd",
        &[
            texts("allow", &["All"]),
            text("authName").or("BIG-IP"),
            text("authPamDashboardTimeout").or("off"),
            count("authPamIdleTimeout", 1200),
            text("authPamValidateIp").or("on"),
            count("fastcgiTimeout", 300),
            count("fipsCipherVersion", 0),
            text("hostnameLookup").or("off"),
            text("logLevel").or("warn"),
            count("maxClients", 10),
            switch("redirectHttpToHttps").or("disabled"),
            count("requestBodyMaxTimeout", 0),
            count("requestBodyMinRate", 500),
            count("requestBodyTimeout", 60),
            count("requestHeaderMaxTimeout", 40),
            count("requestHeaderMinRate", 500),
            count("requestHeaderTimeout", 20),
            text("sslCertfile").or("/etc/httpd/conf/ssl.crt/server.crt"),
            text("sslCertkeyfile").or("/etc/httpd/conf/ssl.key/server.key"),
            text("sslCiphersuite").or(SSL_CIPHERS),
            text("sslOcspDefaultResponder").or("http://127.0.0.1"),
            text("sslOcspEnable").or("off"),
            text("sslOcspOverrideResponder").or("off"),
            count("sslOcspResponderTimeout", 300),
            Property::new("sslOcspResponseMaxAge", Shape::Told).given(|| Value::from(-1)),
            count("sslOcspResponseTimeSkew", 300),
            count("sslPort", 443),
            text("sslProtocol").or("all -SSLv2 -SSLv3 -TLSv1"),
            text("sslVerifyClient").or("no"),
            count("sslVerifyDepth", 10),
        ],
    ),
    single(
        "sys/icontrol-soap",
        &[
            texts("allow", &["All"]),
        ],
    ),
    single(
        "sys/log-rotate",
        &[
            count("commonBacklogs", 24),
            text("ilxRotations").or("10"),
            text("ilxSchedule").or("daily"),
            text("ilxSize").or("10240"),
            count("maxFileSize", 1_024_000),
        ],
    ),
    single(
        "sys/management-ovsdb",
        &[
            flag("bfdDisabled"),
            flag("disabled"),
            text("floodingType").or("replicator"),
            text("logLevel").or("info"),
            text("logicalRoutingType").or("none"),
            count("port", 6640),
            text("tunnelLocalAddress").or("any6"),
            text("tunnelMaintenanceMode").or("active"),
        ],
    ),
    Schema {
        subcollection: Some("restrict"),
        ..single(
            "sys/ntp",
            &[
            text("description"),
                texts("servers", &[]),
            text("timezone").or("America/Los_Angeles"),
            ],
        )
    },
    single(
        "sys/outbound-smtp",
        &[
            switch("fromLineOverride").or("disabled"),
            text("mailhub").or("localhost"),
        ],
    ),
    single(
        "sys/scriptd",
        &[
            text("logLevel").or("notice"),
            count("maxScriptRunTime", 300),
        ],
    ),
    single(
        "sys/sshd",
        &[
            texts("allow", &["ALL"]),
            switch("banner").or("enabled"),
            text("bannerText"),
            count("fipsCipherVersion", 0),
            count("inactivityTimeout", 0),
            text("logLevel").or("info"),
            switch("login").or("enabled"),
            count("port", 22),
        ],
    ),
    single(
        "sys/state-mirroring",
        &[
            text("addr").or("none"),
            text("peerAddr").or("none"),
            text("secondaryAddr").or("none"),
            text("secondaryPeerAddr").or("none"),
            text("state").or("enabled"),
        ],
    ),
    single(
        "sys/syslog",
        &[
            text("authPrivFrom").or("notice"),
            text("authPrivTo").or("emerg"),
            switch("clusteredHostSlot").or("enabled"),
            switch("clusteredMessageSlot").or("disabled"),
            switch("consoleLog").or("enabled"),
            text("cronFrom").or("warning"),
            text("cronTo").or("emerg"),
            text("daemonFrom").or("notice"),
            text("daemonTo").or("emerg"),
            switch("isoDate").or("disabled"),
            text("kernFrom").or("debug"),
            text("kernTo").or("emerg"),
            text("local6From").or("notice"),
            text("local6To").or("emerg"),
            text("mailFrom").or("notice"),
            text("mailTo").or("emerg"),
            text("messagesFrom").or("notice"),
            text("messagesTo").or("warning"),
            text("userLogFrom").or("notice"),
            text("userLogTo").or("emerg"),
        ],
    ),
];

const fn single(resource: &'static str, properties: &'static [Property]) -> Schema {
    Schema {
        resource,
        label: resource,
        naming: Naming::Single,
        writes: Writes::Changes,
        properties,
        is_synced: |_, _| false,
        ..Schema::PLAIN
    }
}

const fn text(name: &'static str) -> Property {
    Property::new(name, Shape::Text)
}

/// A setting that is on or off.
const fn switch(name: &'static str) -> Property {
    Property::new(name, Shape::Word(&["enabled", "disabled"]))
}

const fn texts(name: &'static str, default: &'static [&'static str]) -> Property {
    Property::new(name, Shape::Texts).or_texts(default)
}

const fn count(name: &'static str, default: u32) -> Property {
    Property::new(name, Shape::Count(u32::MAX)).or_number(default)
}

/// One of a pair of names such as `enabled` and `disabled`, of which a device shows the one that holds, as
/// true. To change it is not simulated.
const fn flag(name: &'static str) -> Property {
    Property::new(name, Shape::Told)
        .given(|| Value::from(true))
        .written(Writing::Device)
}

/// The setting has a database variable of its own, `tm.acceptipoptions` (both recorded on 14.1.2.1; that they
/// are one is *assumed* from the name).
fn mirror_ip_options(configuration: &mut Configuration, settings: &Object) {
    let is_on = settings.text("acceptIpOptions") == Some("enabled");
    configuration.set_variable(
        "tm.acceptipoptions",
        if is_on { "enable" } else { "disable" },
    );
}
