//! Answers of real devices, by their source. Shortened only where a comment says so.

/// `sys/ready`, 14.1.2.1, genieparser.
pub(crate) const READY: &str = r#"{"kind":"tm:sys:ready:readystats","selfLink":"https://localhost/mgmt/tm/sys/ready?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/sys/ready/0":{"nestedStats":{"entries":{"configReady":{"description":"yes"},"licenseReady":{"description":"yes"},"provisionReady":{"description":"yes"}}}}}}"#;

/// `sys/version`, 14.1.2.1, genieparser.
pub(crate) const VERSION: &str = r#"{"kind":"tm:sys:version:versionstats","selfLink":"https://localhost/mgmt/tm/sys/version?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/sys/version/0":{"nestedStats":{"entries":{"Build":{"description":"0.0.4"},"Date":{"description":"Tue Sep 17 15:44:32 PDT 2019"},"Edition":{"description":"Point Release 1"},"Product":{"description":"BIG-IP"},"Title":{"description":"Main Package"},"Version":{"description":"14.1.2.1"}}}}}}"#;

/// A member of `cm device`, 14.1.2.1, genieparser, without its licence texts.
pub(crate) const DEVICE: &str = r#"{"kind":"tm:cm:device:devicestate","name":"bigip01.lab.local","partition":"Common","fullPath":"/Common/bigip01.lab.local","generation":1,"selfLink":"https://localhost/mgmt/tm/cm/device/~Common~bigip01.lab.local?ver=14.1.2.1","alternateIp":"none","baseMac":"00:0c:29:35:0d:bd","build":"0.0.4","chassisType":"individual","configsyncIp":"none","edition":"Point Release 1","failoverState":"active","haCapacity":0,"hostname":"bigip01.lab.local","managementIp":"192.168.189.233","marketingName":"BIG-IP Virtual Edition","mgmtUnicastMode":"both","mirrorIp":"any6","mirrorSecondaryIp":"any6","multicastIp":"any6","multicastPort":0,"platformId":"Z100","product":"BIG-IP","selfDevice":"true","timeZone":"America/Los_Angeles","version":"14.1.2.1"}"#;

/// A collection around members, as `cm device` answers.
pub(crate) fn devices(members: &[&str]) -> String {
    let members = members.join(",");
    format!(
        r#"{{"kind":"tm:cm:device:devicecollectionstate","selfLink":"https://localhost/mgmt/tm/cm/device?ver=14.1.2.1","items":[{members}]}}"#
    )
}

/// `net self` with members of these addresses on these VLANs or tunnels, as recorded on 12.1.2 and
/// 14.1.2.1 (genieparser `net_self`).
pub(crate) fn self_ips(members: &[(&str, &str)]) -> String {
    let member = |(address, vlan): &(&str, &str)| {
        format!(
            r#"{{"kind":"tm:net:self:selfstate","name":"self","partition":"Common","fullPath":"/Common/self","generation":40,"selfLink":"https://localhost/mgmt/tm/net/self/~Common~self?ver=14.1.2.1","address":"{address}","addressSource":"from-user","floating":"disabled","inheritedTrafficGroup":"false","trafficGroup":"/Common/traffic-group-local-only","unit":0,"vlan":"{vlan}","allowService":["default"]}}"#
        )
    };
    let members: Vec<String> = members.iter().map(member).collect();
    format!(
        r#"{{"kind":"tm:net:self:selfcollectionstate","selfLink":"https://localhost/mgmt/tm/net/self?ver=14.1.2.1","items":[{}]}}"#,
        members.join(",")
    )
}

/// `net tunnels tunnel` with the properties and defaults recorded on 12.1.2 and 14.1.2.1 (there for
/// a tunnel of kind `ipsec` and for built-in tunnels); profile kind, local address and `key` are ours.
pub(crate) fn tunnel(kind: &str, local_address: &str) -> String {
    format!(
        r#"{{"kind":"tm:net:tunnels:tunnel:tunnelstate","name":"flannel_vxlan","partition":"Common","fullPath":"/Common/flannel_vxlan","generation":35,"selfLink":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan?ver=14.1.2.1","autoLasthop":"default","idleTimeout":300,"ifIndex":128,"key":2,"localAddress":"{local_address}","mode":"bidirectional","mtu":0,"profile":"/Common/cilium","profileReference":{{"link":"https://localhost/mgmt/tm/net/tunnels/{kind}/~Common~cilium?ver=14.1.2.1"}},"remoteAddress":"any","secondaryAddress":"any","tos":"preserve","transparent":"disabled","usePmtu":"enabled"}}"#
    )
}

/// `net tunnels vxlan` with the values recorded for `vxlan-multipoint` on 14.1.2.1, genieparser.
pub(crate) const VXLAN: &str = r#"{"kind":"tm:net:tunnels:vxlan:vxlanstate","name":"cilium","partition":"Common","fullPath":"/Common/cilium","generation":1,"defaultsFrom":"/Common/vxlan","encapsulationType":"vxlan","floodingType":"multipoint","port":4789}"#;

/// `net tunnels geneve` with the values recorded on 14.1.2.1, genieparser: no `encapsulationType`.
pub(crate) const GENEVE: &str = r#"{"kind":"tm:net:tunnels:geneve:genevestate","name":"cilium","partition":"Common","fullPath":"/Common/cilium","generation":1,"floodingType":"multipoint","port":6081}"#;

/// Two records, 16.1.2, log of F5 CIS (mdditt2000/kubernetes-1-26).
pub(crate) const RECORDS: &str = r#"{"kind":"tm:net:fdb:tunnel:records:recordscollectionstate","selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records?ver=16.1.2","items":[{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"0a:0a:c0:a8:c8:41","fullPath":"0a:0a:c0:a8:c8:41","generation":130,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:41?ver=16.1.2","endpoint":"192.168.200.65%0"},{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"0a:0a:c0:a8:c8:42","fullPath":"0a:0a:c0:a8:c8:42","generation":130,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:42?ver=16.1.2","endpoint":"192.168.200.66%0"}]}"#;

/// No records, 15.1.3.1, CIS#1929.
pub(crate) const NO_RECORDS: &str = r#"{"kind":"tm:net:fdb:tunnel:records:recordscollectionstate","selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~http-tunnel/records?ver=15.1.3.1","items":[]}"#;

/// One record, out of [`RECORDS`].
pub(crate) const RECORD: &str = r#"{"kind":"tm:net:fdb:tunnel:records:recordsstate","name":"0a:0a:c0:a8:c8:41","fullPath":"0a:0a:c0:a8:c8:41","generation":130,"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/0a:0a:c0:a8:c8:41?ver=16.1.2","endpoint":"192.168.200.65%0"}"#;

/// `net fdb tunnel`, as F5 CIS read it from a 14.1.3.1 (it sends the object back), CIS#1730.
pub(crate) const FDB: &str = r#"{"fullPath":"/TEST_K8S_partition/TEST_FLANNEL_VXLAN","generation":9354,"kind":"tm:net:fdb:tunnel:tunnelstate","name":"TEST_FLANNEL_VXLAN","partition":"TEST_K8S_partition","recordsReference":{"isSubcollection":true,"link":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN/records?ver=14.1.3.1"},"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN?ver=14.1.3.1"}"#;

/// What F5 CIS sends to replace the list, two of six records, CIS#1730.
pub(crate) const FDB_WRITTEN: &str = r#"{"fullPath":"/TEST_K8S_partition/TEST_FLANNEL_VXLAN","generation":9354,"kind":"tm:net:fdb:tunnel:tunnelstate","name":"TEST_FLANNEL_VXLAN","partition":"TEST_K8S_partition","recordsReference":{"isSubcollection":true,"link":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN/records?ver=14.1.3.1"},"selfLink":"https://localhost/mgmt/tm/net/fdb/tunnel/~TEST_K8S_partition~TEST_FLANNEL_VXLAN?ver=14.1.3.1","records":[{"name":"be:9b:cf:c0:75:79","partition":null,"endpoint":"10.40.161.12%0"},{"name":"ca:92:1e:36:45:2c","partition":null,"endpoint":"10.40.161.11%0"}]}"#;

/// A wrong password, 15.1.2.1, CIS#1462.
pub(crate) const LOGIN_REFUSED: &str = r#"{"code":401,"message":"Authentication failed.","originalRequestBody":"{\"username\":\"admin\",\"loginProviderName\":\"tmos\",\"generation\":0,\"lastUpdateMicros\":0}","referer":"10.144.138.84","restOperationId":43487692,"kind":":resterrorresponse"}"#;

/// An expired token, 15.1.5.1 and 17.1.1.2, f5-ansible#2410.
pub(crate) const TOKEN_EXPIRED: &str = r#"{"code":401,"message":"X-F5-Auth-Token has expired.","referer":"10.100.0.10","restOperationId":6229426,"kind":":resterrorresponse"}"#;

/// A missing right, 15.1.1, f5-appsvcs-extension#420; names replaced.
pub(crate) const FORBIDDEN: &str = r#"{"code":401,"message":"Authorization failed: user=https://localhost/mgmt/shared/authz/users/guest resource=/mgmt/tm/net/fdb verb=GET uri:http://localhost:8100/mgmt/tm/net/fdb referrer:10.0.0.1 sender:10.0.0.1","referer":"10.0.0.1","restOperationId":1,"kind":":resterrorresponse"}"#;

/// An endpoint in another route domain than the tunnel, 12.1.1, CIS#425.
pub(crate) const ROUTE_DOMAIN_MISMATCH: &str = r#"{"code":400,"message":"01070734:3: Configuration error: The IP address (192.168.10.101) of the tunnel FDB record (/k8sdev/devosevlan 0a:0a:c0:a8:0a:65) and the tunnel local address (192.168.11.23%1) cannot be in different route domain.","errorStack":[],"apiError":3}"#;

/// httpd while restjavad restarts: f5-ansible looks for this text in a 503. The page around it is
/// *assumed*.
pub(crate) const RESTARTING: &str = "<html><head><title>BIG-IP</title></head><body>Configuration Utility restarting...</body></html>";
