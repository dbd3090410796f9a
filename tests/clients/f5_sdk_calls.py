"""f5-sdk against a device: its objects of tunnels and of the system, and transactions."""

from f5.bigip import ManagementRoot
from f5.bigip.contexts import TransactionContextManager

from outcomes import Calls, arguments, check

address, port, password, ca, version = arguments()
calls = Calls()


def connect(**more):
    return ManagementRoot(address, "admin", password, port=port, verify=ca, timeout=60, **more)


calls.call("ManagementRoot with Basic credentials", connect)
root = calls.call("ManagementRoot with a token", lambda: connect(token=True))
tm = root.tm
calls.call("tmos_version", lambda: check(root.tmos_version.startswith(version), root.tmos_version))

for name, collection in [
    ("sys.dbs", lambda: tm.sys.dbs),
    ("sys.folders", lambda: tm.sys.folders),
    ("auth.partitions", lambda: tm.auth.partitions),
    ("auth.users", lambda: tm.auth.users),
    ("cm.devices", lambda: tm.cm.devices),
    ("cm.device_groups", lambda: tm.cm.device_groups),
    ("cm.traffic_groups", lambda: tm.cm.traffic_groups),
    ("cm.trust_domains", lambda: tm.cm.trust_domains),
    ("net.vlans", lambda: tm.net.vlans),
    ("net.interfaces", lambda: tm.net.interfaces),
    ("net.selfips", lambda: tm.net.selfips),
    ("net.routes", lambda: tm.net.routes),
    ("net.route_domains", lambda: tm.net.route_domains),
    ("net.arps", lambda: tm.net.arps),
    ("net.fdb.tunnels", lambda: tm.net.fdb.tunnels),
    ("net.tunnels.vxlans", lambda: tm.net.tunnels.vxlans),
    ("net.tunnels.gres", lambda: tm.net.tunnels.gres),
    ("net.tunnels.tunnels", lambda: tm.net.tunnels.tunnels),
    ("ltm.pools", lambda: tm.ltm.pools),
    ("ltm.virtuals", lambda: tm.ltm.virtuals),
    ("ltm.nodes", lambda: tm.ltm.nodes),
    ("ltm.snats", lambda: tm.ltm.snats),
]:
    calls.call(f"{name}.get_collection", lambda get=collection: get().get_collection())

for name, resource in [
    ("sys.ntp", lambda: tm.sys.ntp),
    ("sys.dns", lambda: tm.sys.dns),
    ("sys.sshd", lambda: tm.sys.sshd),
    ("sys.httpd", lambda: tm.sys.httpd),
    ("sys.syslog", lambda: tm.sys.syslog),
    ("sys.snmp", lambda: tm.sys.snmp),
    ("sys.global_settings", lambda: tm.sys.global_settings),
    ("auth.source", lambda: tm.auth.source),
    ("auth.password_policy", lambda: tm.auth.password_policy),
    ("cm.sync_status", lambda: tm.cm.sync_status),
    ("cm.failover_status", lambda: tm.cm.failover_status),
]:
    calls.call(f"{name}.load", lambda get=resource: get().load())

calls.call("sys.provision.ltm.load", lambda: tm.sys.provision.ltm.load())
calls.call("sys.dbs.db.load setup.run", lambda: tm.sys.dbs.db.load(name="setup.run"))


def variable():
    loaded = tm.sys.dbs.db.load(name="iptunnel.configsync")
    loaded.modify(value="disable")
    check(loaded.value == "disable", loaded.value)


calls.call("sys.dbs.db.modify", variable)
calls.call("sys.config.exec_cmd save", lambda: tm.sys.config.exec_cmd("save"))
calls.call("util.bash.exec_cmd", lambda: tm.util.bash.exec_cmd("run", utilCmdArgs="-c id"))
calls.call(
    "cm.exec_cmd config-sync to a missing group",
    lambda: tm.cm.exec_cmd("run", utilCmdArgs="config-sync to-group GROUP"),
    "01070734",
)
calls.call("shared.authz.tokens_s.get_collection", lambda: root.shared.authz.tokens_s.get_collection())
calls.call("ltm.pools.pool.create", lambda: tm.ltm.pools.pool.create(name="p", partition="Common"))

partition = calls.call("auth.partitions.partition.create", lambda: tm.auth.partitions.partition.create(name="k8s"))
vlan = calls.call(
    "net.vlans.vlan.create", lambda: tm.net.vlans.vlan.create(name="v", partition="Common", tag=11)
)
calls.call("net.vlans.vlan.update", lambda: vlan.update(description="x"))
calls.call("net.vlans.vlan.interfaces_s", lambda: vlan.interfaces_s.get_collection())
profile = calls.call(
    "net.tunnels.vxlans.vxlan.create",
    lambda: tm.net.tunnels.vxlans.vxlan.create(
        name="vx", partition="Common", floodingType="multipoint", port=8472
    ),
)
tunnel = calls.call(
    "net.tunnels.tunnels.tunnel.create",
    lambda: tm.net.tunnels.tunnels.tunnel.create(
        name="t", partition="Common", key=5, profile="/Common/vx", localAddress="10.169.72.34"
    ),
)
calls.call(
    "net.tunnels.tunnels.tunnel.create with its VNI again",
    lambda: tm.net.tunnels.tunnels.tunnel.create(
        name="u", partition="Common", key=5, profile="/Common/vx", localAddress="10.169.72.34"
    ),
    "010716ce",
)
calls.call("net.tunnels.tunnels.tunnel.modify", lambda: tunnel.modify(description="x"))
calls.call("net.tunnels.tunnels.tunnel.update", lambda: tunnel.update(mtu=1400))
self_ip = calls.call(
    "net.selfips.selfip.create",
    lambda: tm.net.selfips.selfip.create(
        name="s", partition="Common", address="10.244.9.1/24", vlan="/Common/t"
    ),
)
calls.call("net.selfips.selfip.modify", lambda: self_ip.modify(allowService="all"))
route = calls.call(
    "net.routes.route.create",
    lambda: tm.net.routes.route.create(
        name="r", partition="Common", network="10.2.0.0/16", tmInterface="/Common/t"
    ),
)
calls.call("net.routes.route.modify", lambda: route.modify(mtu=1400))
domain = calls.call(
    "net.route_domains.route_domain.create",
    lambda: tm.net.route_domains.route_domain.create(name="rd1", partition="Common", id=1),
)
arp = calls.call(
    "net.arps.arp.create",
    lambda: tm.net.arps.arp.create(
        name="a", partition="Common", ipAddress="10.244.9.9", macAddress="0a:0a:0a:00:00:01"
    ),
)
calls.call("net.arps.arp.exists", lambda: check(tm.net.arps.arp.exists(name="a", partition="Common"), "?"))

fdb = calls.call(
    "net.fdb.tunnels.tunnel.load",
    lambda: tm.net.fdb.tunnels.tunnel.load(name="flannel_vxlan", partition="Common"),
)
calls.call(
    "net.fdb.tunnels.tunnel.modify records",
    lambda: fdb.modify(records=[{"name": "0a:0a:0a:a9:48:ef", "endpoint": "10.169.72.239%0"}]),
)
record = calls.call(
    "records_s.records.create",
    lambda: fdb.records_s.records.create(name="0a:0a:0a:00:00:02", endpoint="10.0.0.2%0"),
)
calls.call("records_s.get_collection", lambda: check(len(fdb.records_s.get_collection()) == 2, "count"))
calls.call(
    "records_s.records.create in another route domain",
    lambda: fdb.records_s.records.create(name="0a:0a:0a:00:00:03", endpoint="10.0.0.3%7"),
    "cannot be in different route domain",
)
calls.call("records_s.records.delete", lambda: record.delete())
calls.call("net.fdb.tunnels.tunnel.modify no records", lambda: fdb.modify(records=None))


def transaction():
    with TransactionContextManager(tm.transactions.transaction) as api:
        api.tm.net.tunnels.vxlans.vxlan.create(name="in", partition="Common", port=8473)
    check(tm.net.tunnels.vxlans.vxlan.exists(name="in", partition="Common"), "not committed")


def empty_transaction():
    with TransactionContextManager(tm.transactions.transaction):
        pass


calls.call("TransactionContextManager", transaction)
calls.call("TransactionContextManager without commands", empty_transaction, "there is no command to commit")
for name, resource in [
    ("net.arps.arp", arp),
    ("net.route_domains.route_domain", domain),
    ("net.routes.route", route),
    ("net.selfips.selfip", self_ip),
    ("net.tunnels.tunnels.tunnel", tunnel),
    ("net.tunnels.vxlans.vxlan", profile),
    ("net.vlans.vlan", vlan),
    ("auth.partitions.partition", partition),
]:
    calls.call(f"{name}.delete", lambda it=resource: it.delete())
calls.call(
    "net.vlans.vlan.load what is gone",
    lambda: tm.net.vlans.vlan.load(name="v", partition="Common"),
    "01020036",
)
