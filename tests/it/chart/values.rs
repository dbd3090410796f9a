//! Values for the chart that render everything that there is. Must not know what is tested with them.

use serde_json::json;

/// Every value that renders something of its own.
pub(super) fn full_values(namespace: &str) -> Vec<String> {
    let other = format!("{namespace}-other");
    let values = json!({
        "commonLabels": {"team": "network"},
        "commonAnnotations": {"example.com/owner": "network"},
        "watchNamespaces": [other],
        "ignoreOtherNamespaces": true,
        "operator": {
            "logFormat": "text",
            "deviceCIDRs": ["192.0.2.0/24"],
            "allowInsecureTLS": true,
            "requireSecretBinding": true,
            "extraArgs": ["--settle-seconds=90"],
        },
        "admissionPolicies": {"enabled": true},
        "image": {"digest": format!("sha256:{}", "0".repeat(64))},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"annotations": {"example.com/role": "none"}},
        "podLabels": {"tier": "infrastructure"},
        "podAnnotations": {"example.com/scrape": "yes"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "infra", "operator": "Exists"}]}],
        }}},
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
        }],
        "priorityClassName": "system-cluster-critical",
        "runtimeClassName": "gvisor",
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["192.0.2.53"]},
        "hostAliases": [{"ip": "192.0.2.11", "hostnames": ["bigip-a"]}],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraEnvFrom": [{"configMapRef": {"name": "settings", "optional": true}}],
        "extraVolumes": [{"name": "roots", "configMap": {"name": "roots"}}],
        "extraVolumeMounts": [{"name": "roots", "mountPath": "/etc/ssl/certs", "readOnly": true}],
        "extraContainers": [{
            "name": "beside", "image": "example.com/beside:1",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
        "extraObjects": [{
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extra", "namespace": namespace}, "data": {"a": "b"},
        }],
        "networkPolicy": {
            "enabled": true, "apiServerCIDRs": ["192.0.2.1/32"],
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "metrics"}}}],
        },
        "metrics": {"serviceMonitor": {
            "enabled": true, "labels": {"release": "prometheus"}, "scrapeTimeout": "10s",
            "relabelings": [{"sourceLabels": ["pod"], "targetLabel": "instance"}],
            "metricRelabelings": [{"regex": "x", "action": "labeldrop"}],
        }, "prometheusRule": {
            "enabled": true, "labels": {"release": "prometheus"},
            "overrides": {"BigIPTunnelSuspendedLong": {"enabled": false}},
            "additionalRules": [{"record": "tunnels", "expr": "bigiptunnel_tunnels"}],
        }, "dashboard": {"enabled": true, "folder": "Network"}},
    });
    let members = values.as_object().unwrap().iter();
    members
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

/// What other values render that exclude some of the full ones.
pub(super) const OTHER_VALUES: [&str; 5] = [
    r#"cilium={"namespace":"cilium","verify":{"enabled":false},"manage":{"enabled":true}}"#,
    "watchAllNamespaces=true",
    "hostNetwork=true",
    r#"networkPolicy={"enabled":true,"flavor":"cilium"}"#,
    r#"metrics={"podMonitor":{"enabled":true}}"#,
];
